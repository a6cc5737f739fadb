"""The reference: a page for each module with a public name, made from its source, and a page that lists the names.

Nothing is imported for it. Signatures and docstrings are read from the files, so that the pages can be made where the
packages are missing that the modules need.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from cachelab._facade import public_names
from cachelab.book.chapters import Chapter, Passage
from cachelab.book.docstrings import docstring_html, first_sentence, inline
from cachelab.book.text import Heading, code_block, plain

__all__ = ["INDEX", "NoDocstring", "read_reference"]

INDEX = "reference"
FACADES = ["cachelab", "cachelab.lab"]
OPENING = {
    "cachelab": "The caches, their parts and their stores.",
    "cachelab.lab": "The instruments of the chapters: `from cachelab import lab`.",
}
LONGEST_LINE = 88
LONGEST_VALUE = 200
NAME = re.compile(r"(lab\.)?(\w+)(?:\(.*\))?", re.DOTALL)

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class NoDocstring(Exception):
    """Something public has no docstring; the message lists what."""


def read_reference(root: Path) -> list[Chapter]:
    """The pages for the package in `root`, the list of all names first. Without a package there are none.

    Raises `NoDocstring` if a public name, its module or a public method has none.
    """
    if not (root / "cachelab" / "__init__.py").is_file():
        return []
    package = _Package(root)
    pages = [_ModulePage(package, module).chapter() for module in sorted(package.names)]
    if package.undocumented:
        raise NoDocstring("\n".join(package.undocumented))
    return [_index(package), *pages]


@dataclass
class _Module:
    """The source of a module. Overloads of functions are left out."""

    name: str
    tree: ast.Module

    @property
    def page(self) -> str:
        """The name of its page."""
        return "-".join([INDEX, *self.name.split(".")[1:]])

    @cached_property
    def definitions(self) -> dict[str, ast.stmt]:
        """Each name that it defines, and the statement that does."""
        found: dict[str, ast.stmt] = {}
        for statement in self.tree.body:
            if isinstance(statement, ast.ClassDef | Function):
                found[statement.name] = statement
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                if isinstance(target, ast.Name):
                    found[target.id] = statement
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """Each name that it imports from another module of the package, and that module."""
        return {
            alias.asname or alias.name: statement.module
            for statement in ast.walk(self.tree)
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("cachelab.")
            for alias in statement.names
            if statement.module
        }

    def docstring(self, name: str) -> str | None:
        """The docstring of a definition; that of an assignment stands below it."""
        definition = self.definitions[name]
        if isinstance(definition, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            return ast.get_docstring(definition)
        after = self.tree.body[self.tree.body.index(definition) + 1 :][:1]
        if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
            below = after[0].value.value
            return below if isinstance(below, str) else None
        return None


@dataclass
class _Package:
    """The modules with public names, and where each name is.

    `names`         the names of each module that are shown: the public ones, and the classes that these inherit from
    `undocumented`  what has no docstring
    """

    root: Path
    modules: dict[str, _Module] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    facades: dict[str, dict[str, str]] = field(default_factory=dict)
    undocumented: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for facade in FACADES:
            self.facades[facade] = homes = dict(public_names(self.module(facade).tree))
            for name, module in homes.items():
                self._show(module, name)

    def _show(self, module: str, name: str) -> None:
        shown = self.names.setdefault(module, [])
        if name in shown:
            return
        shown.append(name)
        definition = self.module(module).definitions.get(name)
        if isinstance(definition, ast.ClassDef):
            for base_module, base in self.bases(self.module(module), definition):
                if not base.name.startswith("_"):
                    self._show(base_module.name, base.name)

    def module(self, name: str) -> _Module:
        """The module of this name."""
        if name not in self.modules:
            path = self.root.joinpath(*name.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            self.modules[name] = _Module(name, ast.parse(file.read_text(encoding="utf-8")))
        return self.modules[name]

    def bases(self, module: _Module, definition: ast.ClassDef) -> Iterator[tuple[_Module, ast.ClassDef]]:
        """The classes of the package from which a class inherits directly, with their modules."""
        for base in definition.bases:
            name = ast.unparse(base).partition("[")[0]
            home = self.module(module.imports[name]) if name in module.imports else module
            found = home.definitions.get(name)
            if isinstance(found, ast.ClassDef):
                yield home, found

    def methods(self, module: _Module, definition: ast.ClassDef) -> dict[str, list[Function]]:
        """The public methods of a class: of each its own definition, if there is one, and then those it inherits."""
        found: dict[str, list[Function]] = {}
        for name, method in _functions(definition):
            found.setdefault(name, []).append(method)
        for home, base in self.bases(module, definition):
            for name, inherited in self.methods(home, base).items():
                found.setdefault(name, []).extend(inherited)
        return found

    def address(self, code: str) -> str | None:
        """Where a piece of code leads to: a module that has a page, or a public name: `Cache`, `Cache(...)`, `lab.run`.

        A function of the lab is meant only if `lab.` stands before it: `check` and `listen` are other things, too.
        """
        if code in self.names:
            return f"{self.module(code).page}.html"
        if found := NAME.fullmatch(code):
            written, name = found.groups()
            for facade, homes in self.facades.items():
                if name in homes and (written or facade == "cachelab" or name[0].isupper()):
                    return f"{self.module(homes[name]).page}.html#{quote(name)}"
        return None


class _ModulePage:
    """Makes the page of a module."""

    def __init__(self, package: _Package, name: str) -> None:
        self._package, self._module = package, package.module(name)
        self._parts: list[str] = []
        self._headings: list[Heading] = []
        self._passages: list[Passage] = []

    def chapter(self) -> Chapter:
        """The page."""
        name = self._module.name
        docstring = self._documented(name, ast.get_docstring(self._module.tree))
        self._parts.append(f'<h1><span class="kicker">Reference</span>{_broken(name)}</h1>\n')
        self._passages.append(Passage(Heading(1, "cachelab-text", name)))
        self._add(docstring)
        for public in self._package.names[name]:
            self._definition(public)
        words = plain(inline(first_sentence(docstring)))
        return Chapter(
            self._module.page, name, words, "".join(self._parts), self._headings, self._passages, {}, notebook=False
        )

    def _definition(self, name: str) -> None:
        definition = self._module.definitions[name]
        self._heading(2, name, name)
        for facade, homes in self._package.facades.items():
            if homes.get(name) == self._module.name:
                parent, _, last = facade.rpartition(".")
                how = f"from {facade} import {name}" if not parent else f"from {parent} import {last}  # {last}.{name}"
                self._parts.append(code_block(how))
        self._parts.append(code_block(_signature(definition)))
        self._add(self._documented(f"{self._module.name}.{name}", self._module.docstring(name)))
        if isinstance(definition, ast.ClassDef):
            for method, found in self._package.methods(self._module, definition).items():
                docstrings = list(filter(None, map(ast.get_docstring, found)))
                self._heading(3, f"{name}.{method}", method)
                self._parts.append(code_block(_function(found[0])))
                self._add(self._documented(f"{self._module.name}.{name}.{method}", next(iter(docstrings), None)))

    def _documented(self, what: str, docstring: str | None) -> str:
        if not docstring:
            self._package.undocumented.append(what)
        return docstring or ""

    def _add(self, docstring: str) -> None:
        html = docstring_html(docstring, self._package.address)
        self._parts.append(html)
        self._passages[-1].words.append(" ".join(plain(re.sub(r"</(?:p|dt|dd|li|div)>", " ", html)).split()))

    def _heading(self, level: int, anchor: str, words: str) -> None:
        heading = Heading(level, anchor, words if level == 2 else anchor)
        self._headings.append(Heading(level, anchor, words))
        self._passages.append(Passage(heading))
        link = f'<a class="anchor" href="#{quote(anchor)}" aria-label="Link to {escape(anchor)}">#</a>'
        self._parts.append(f'<h{level} id="{escape(anchor)}">{escape(words)}{link}</h{level}>\n')


def _broken(name: str) -> str:
    """A dotted name, which may be broken after each dot."""
    return escape(name).replace(".", ".<wbr>")


def _functions(definition: ast.ClassDef) -> Iterator[tuple[str, Function]]:
    """The public methods in the body of a class, `__call__` among them; of an overloaded one the last definition."""
    for statement in definition.body:
        if not isinstance(statement, Function) or "overload" in map(ast.unparse, statement.decorator_list):
            continue
        if not statement.name.startswith("_") or statement.name == "__call__":
            yield statement.name, statement


def _signature(definition: ast.stmt) -> str:
    """The code that says what is defined: without bodies and docstrings."""
    if isinstance(definition, Function):
        return _function(definition)
    if isinstance(definition, ast.ClassDef):
        return _class(definition)
    code = ast.unparse(definition)
    return code if len(code) <= LONGEST_VALUE else f"{code.partition(' = ')[0]} = ..."


def _class(definition: ast.ClassDef) -> str:
    bases = ", ".join(map(ast.unparse, [*definition.bases, *(keyword.value for keyword in definition.keywords)]))
    lines = [f"@{ast.unparse(decorator)}" for decorator in definition.decorator_list]
    lines.append(f"class {definition.name}({bases})" if bases else f"class {definition.name}")
    inside = [
        ast.unparse(statement)
        for statement in definition.body
        if isinstance(statement, ast.AnnAssign) and not ast.unparse(statement.target).startswith("_")
    ]
    inits = [one for one in definition.body if isinstance(one, Function) and one.name == "__init__"]
    inside += [_function(inits[-1])] if inits else []  # the last one is no overload
    if inside:
        lines[-1] += ":"
    return "\n".join([*lines, *(f"    {line}" for one in inside for line in one.split("\n"))])


def _function(definition: Function) -> str:
    lines = [f"@{ast.unparse(decorator)}" for decorator in definition.decorator_list]
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(definition.returns)}" if definition.returns else ""
    parameters = _parameters(definition.args)
    line = f"{word} {definition.name}({', '.join(parameters)}){returns}"
    if len(line) > LONGEST_LINE:
        line = "\n".join(
            [f"{word} {definition.name}(", *(f"    {parameter}," for parameter in parameters), f"){returns}"]
        )
    return "\n".join([*lines, line])


def _parameters(arguments: ast.arguments) -> list[str]:
    """Each parameter with its type and default, and the signs between them."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    shown = [
        _parameter(one, default) for one, default in zip(positional, [*defaults, *arguments.defaults], strict=True)
    ]
    if arguments.posonlyargs:
        shown.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg:
        shown.append(f"*{_parameter(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [
        _parameter(one, default) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return [*shown, f"**{_parameter(arguments.kwarg, None)}"] if arguments.kwarg else shown


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    if default is None:
        return f"{argument.arg}{kind}"
    return f"{argument.arg}{kind} = {ast.unparse(default)}" if kind else f"{argument.arg}={ast.unparse(default)}"


def _index(package: _Package) -> Chapter:
    """The page that lists the public names, with the first sentence of each."""
    promise = (
        "Every public name of the package: what it takes, in which units, what it raises, and where it comes from."
    )
    parts = [f"<h1>Reference</h1>\n<p>{promise}</p>\n"]
    headings, passages = [], []
    for facade, homes in package.facades.items():
        heading = Heading(2, facade, facade)
        headings.append(heading)
        passages.append(Passage(heading, sorted(homes)))
        rows = []
        for name, home in sorted(homes.items(), key=lambda item: item[0].lower()):
            module = package.module(home)
            words = inline(first_sentence(module.docstring(name) or ""), package.address)
            link = f'<a href="{module.page}.html#{quote(name)}"><code>{escape(name)}</code></a>'
            rows.append(f"<dt>{link}</dt><dd>{words}</dd>")
        parts.append(f'<h2 id="{facade}">{facade}</h2>\n<p>{inline(OPENING[facade])}</p>\n')
        parts.append(f'<dl class="arguments">{"".join(rows)}</dl>\n')
    return Chapter(INDEX, "Reference", promise, "".join(parts), headings, passages, {}, notebook=False)
