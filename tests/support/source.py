"""Take Python code apart: the helpers that the gates for the notebooks and those for the package share."""

import ast
import importlib.util
import io
import tokenize
from pathlib import Path

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def imports(within: ast.AST) -> set[str]:
    """The full names of the modules from which a piece of code imports, also inside functions and for types only."""
    found: set[str] = set()
    for node in ast.walk(within):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            found.add(node.module or "")
    return found


def definitions(within: ast.AST, name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions and classes of that name, at any depth."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in ast.walk(within) if isinstance(node, kinds) and node.name == name]


def shipped(where: str) -> ast.AST:
    """The definition in the package that `module:Qualified.name` names. The module is read, not imported."""
    module, _, qualified = where.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"no module {module}"
    assert spec.origin is not None, f"{module} is no file"
    found: ast.AST = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    for name in qualified.split("."):
        found = definitions(found, name)[0]
    return found


def lines_of_code(source: str) -> set[int]:
    """The numbers of the lines that hold code: neither blank, nor only a comment, nor part of a docstring."""
    holding: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            holding |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            holding -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return holding


class WithoutAnnotations(ast.NodeTransformer):
    """Turns `x: int = 1` into `x = 1`, and drops an `x: int` without a value."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        """Keep the assignment and drop the type."""
        return ast.Assign([node.target], node.value, lineno=node.lineno) if node.value else None


def bare(definition: ast.AST) -> str:
    """A definition as text, without docstrings, annotations and layout."""
    for node in ast.walk(definition):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if ast.get_docstring(node) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            if isinstance(node, ast.ClassDef):  # a base's type parameter, the [K] of Policy[K], is an annotation, too
                node.bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
            else:
                node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(WithoutAnnotations().visit(definition))
