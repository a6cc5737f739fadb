"""The small mutants of a solution: the same code with one change, as a slip of the hand or of the mind would make it.

Operators are exchanged, constants changed, statements, arguments and conditions dropped, branches swapped; `await`,
`return`, `try`, `with` and single handlers are taken away. In a solution that holds constants only, such as a plan or a
set of numbers, each number gets its neighbours instead.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Mutant", "derive"]


@dataclass(frozen=True)
class Mutant:
    """A solution with one change.

    `code`    the changed line, after the name of its function; or the line that is gone, after the word "without"
    `source`  the whole solution with the change
    """

    code: str
    source: str


class _Change(NamedTuple):
    """`put` in `slot` of `holder`: in an attribute of a node, or in a part of a list."""

    holder: Any
    slot: Any
    put: Any
    label: str = ""
    """What the mutant is called; "" for the changed line itself."""


OPERATORS: dict[type[ast.AST], list[Any]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div],
    ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult],
}
NEVER_DROPPED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass, ast.Import, ast.ImportFrom)
COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith)
OTHER_NAMES = {"all": "any", "any": "all", "max": "min", "min": "max", "floor": "ceil"}
FACTORS = (0, 0.5, 0.9, 1.1, 2)
"""The neighbours of a number in a plan are so many times as large."""


def derive(source: str) -> list[Mutant]:
    """All mutants of a solution that are different from it and from each other, from top to bottom."""
    tree = ast.parse(source)
    is_code = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) for node in ast.walk(tree))
    seen, taken = {ast.unparse(tree)}, Counter[str]()
    mutants = []
    for scope, line, change in _changes(tree.body, "", is_code):
        code, mutated = _apply(tree, line, change)
        if mutated not in seen:
            seen.add(mutated)
            name = f"{scope}: {code}" if scope else code
            taken[name] += 1
            mutants.append(Mutant(name if taken[name] == 1 else f"{name} ({taken[name]})", mutated))
    return mutants


def _apply(tree: ast.Module, line: ast.AST, change: _Change) -> tuple[str, str]:
    """The mutant's code and its whole source. The tree is as before afterwards."""
    in_list = isinstance(change.holder, list)
    old = change.holder[change.slot] if in_list else getattr(change.holder, change.slot)
    if in_list:
        change.holder[change.slot] = change.put
    else:
        setattr(change.holder, change.slot, change.put)
    try:
        mutated = ast.unparse(ast.fix_missing_locations(tree))
        is_statement = isinstance(change.slot, slice) and bool(change.put)
        return change.label or _first_line(change.put[0] if is_statement else line), mutated
    finally:
        if not in_list:
            setattr(change.holder, change.slot, old)
        elif isinstance(change.slot, slice):
            start = change.slot.start
            change.holder[start : start + len(change.put)] = old
        else:
            change.holder[change.slot] = old


def _first_line(node: ast.AST) -> str:
    """A statement in one line; of a compound one, its head."""
    if isinstance(node, COMPOUND):
        head: Any = deepcopy(node)
        head.body = [ast.Pass()]
        if isinstance(head, ast.Try):
            return "try:"
        return ast.unparse(head).splitlines()[0]
    return ast.unparse(node).splitlines()[0]


def _changes(block: list[ast.stmt], scope: str, is_code: bool) -> Iterator[tuple[str, ast.AST, _Change]]:
    """Each change of a block and of what is in it: the function it is in, its line, and the change."""
    for number, statement in enumerate(block):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _changes(statement.body, statement.name, is_code)
            continue
        if isinstance(statement, ast.ClassDef):
            yield from _changes(statement.body, scope, is_code)
            continue
        for change in _statement_changes(block, number, scope) if is_code else ():
            yield scope, statement, change
        for holder, slot in _expressions(statement, is_code):
            for change in _expression_changes(holder, slot, is_code):
                yield scope, statement, change
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statement, COMPOUND):
                yield from _changes(getattr(statement, field, []), scope, is_code)
        for handler in getattr(statement, "handlers", []):
            yield from _changes(handler.body, scope, is_code)


def _statement_changes(block: list[ast.stmt], number: int, scope: str) -> Iterator[_Change]:
    """The statement is dropped, or a part of it that is more than an expression."""
    statement: Any = block[number]
    here, head = slice(number, number + 1), _first_line(statement)
    if isinstance(statement, NEVER_DROPPED) or not scope or _is_docstring(statement):
        return
    if not (isinstance(statement, ast.Raise) and len(block) == 1):
        yield _Change(block, here, [ast.Pass()], f"without `{head}`")
    if isinstance(statement, ast.Return) and statement.value is not None:
        yield _Change(
            block, here, [ast.Expr(statement.value)], f"without `return` before `{_first_line(statement.value)}`"
        )
    elif isinstance(statement, ast.If):
        if not isinstance(statement.test, ast.Compare | ast.UnaryOp):  # these are negated as expressions
            yield _Change(statement, "test", ast.UnaryOp(ast.Not(), statement.test))
        yield from (_Change(statement, "test", ast.Constant(always)) for always in (True, False))
    elif isinstance(statement, ast.While):
        yield _Change(block, here, [ast.If(statement.test, statement.body, [])], f"`{head}` only once")
    elif isinstance(statement, ast.For | ast.AsyncFor):
        yield _Change(statement, "body", [*statement.body, ast.Break()], f"`{head}` only once")
    elif isinstance(statement, ast.With | ast.AsyncWith):
        yield _Change(block, here, statement.body, f"without `{head}` around its block")
    elif isinstance(statement, ast.AugAssign):
        yield _Change(block, here, [ast.Assign([statement.target], statement.value)])
        for other in OPERATORS.get(type(statement.op), []):
            yield _Change(statement, "op", other())
    elif isinstance(statement, ast.Break):
        yield _Change(block, here, [ast.Continue()], "`continue` instead of `break`")
    elif isinstance(statement, ast.Try):
        yield from _try_changes(block, here, statement)


def _try_changes(block: list[ast.stmt], here: slice, statement: ast.Try) -> Iterator[_Change]:
    """`try` is dropped, one of its handlers, or its `finally`; a handler catches more, or less."""
    inside = [*statement.body, *statement.orelse, *statement.finalbody]
    yield _Change(block, here, inside, f"without `try` around `{_first_line(statement.body[0])}`")
    for number, handler in enumerate(statement.handlers):
        head = f"except {ast.unparse(handler.type)}:" if handler.type else "except:"
        if len(statement.handlers) > 1 or statement.finalbody:
            yield _Change(statement.handlers, slice(number, number + 1), [], f"without `{head}`")
        caught = handler.type
        if isinstance(caught, ast.Tuple):
            for index in range(len(caught.elts)):
                fewer = ast.Tuple([*caught.elts[:index], *caught.elts[index + 1 :]], ast.Load())
                yield _Change(handler, "type", fewer, f"`except {ast.unparse(fewer)}:`")
        elif caught is not None:
            wider = "BaseException" if ast.unparse(caught) == "Exception" else "Exception"
            yield _Change(handler, "type", ast.Name(wider, ast.Load()), f"`except {wider}:` for `{head}`")
    if statement.finalbody and statement.handlers:
        yield _Change(statement, "finalbody", [], "without `finally`")


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _expressions(line: ast.AST, is_code: bool) -> Iterator[tuple[Any, Any]]:
    """The places of all expressions of a statement, without those in its blocks: a holder and a slot of it each."""

    def places(node: ast.AST) -> Iterator[tuple[Any, Any]]:
        if not is_code and isinstance(node, ast.Set | ast.List | ast.Tuple):
            return  # it changes as a whole
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                yield node, field
                yield from places(value)
            elif isinstance(value, list) and field not in ("body", "orelse", "finalbody", "handlers"):
                for number, item in enumerate(value):
                    if isinstance(item, ast.expr):
                        yield value, number
                    if isinstance(item, ast.AST):
                        yield from places(item)

    yield from places(line)


def _expression_changes(holder: Any, slot: Any, is_code: bool) -> Iterator[_Change]:
    """What may stand in place of an expression."""
    node = holder[slot] if isinstance(holder, list) else getattr(holder, slot)
    for new in _replacements(node) if is_code else _neighbours(node):
        yield _Change(holder, slot, new)
    if isinstance(node, ast.Dict):
        for number in range(len(node.keys)):
            rest = [index for index in range(len(node.keys)) if index != number]
            yield _Change(holder, slot, ast.Dict([node.keys[i] for i in rest], [node.values[i] for i in rest]))
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        for generator in node.generators:
            for number in range(len(generator.ifs)):
                yield _Change(generator.ifs, slice(number, number + 1), [])
    if isinstance(node, ast.Slice):
        for end in ("lower", "upper", "step"):
            if getattr(node, end) is not None:
                yield _Change(node, end, None)
    if isinstance(node, ast.JoinedStr):
        for number in range(len(node.values)):
            yield _Change(node.values, slice(number, number + 1), [])


def _replacements(node: ast.expr) -> Iterator[ast.expr]:
    """What may stand in place of an expression of code."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            for other in OPERATORS.get(type(operator), []):
                yield ast.Compare(node.left, [*node.ops[:number], other(), *node.ops[number + 1 :]], node.comparators)
    elif isinstance(node, ast.BinOp):
        yield from (ast.BinOp(node.left, other(), node.right) for other in OPERATORS.get(type(node.op), []))
    elif isinstance(node, ast.BoolOp):
        yield from (ast.BoolOp(other(), node.values) for other in OPERATORS[type(node.op)])
        for number in range(len(node.values)):
            rest = [*node.values[:number], *node.values[number + 1 :]]
            yield ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Await):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call):
        yield from _calls_with_less(node)
    elif isinstance(node, ast.Name) and node.id in OTHER_NAMES:
        yield ast.Name(OTHER_NAMES[node.id], node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr in OTHER_NAMES:
        yield ast.Attribute(node.value, OTHER_NAMES[node.attr], node.ctx)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node.value)


def _calls_with_less(node: ast.Call) -> Iterator[ast.expr]:
    """The call without one of its arguments; and its only argument without the call."""
    for number in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, [*node.keywords[:number], *node.keywords[number + 1 :]])
    if len(node.args) > 1:
        for number in range(len(node.args)):
            yield ast.Call(node.func, [*node.args[:number], *node.args[number + 1 :]], node.keywords)
    elif len(node.args) == 1 and not isinstance(node.args[0], ast.GeneratorExp):
        only = node.args[0]
        yield only.value if isinstance(only, ast.Starred) else only


def _other_constants(value: Any) -> Iterator[ast.expr]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        yield ast.Constant(value - 1)
    elif isinstance(value, str):
        yield ast.Constant(f"{value}x")
    elif isinstance(value, bytes):
        yield ast.Constant(value + b"x")


def _neighbours(node: ast.expr) -> Iterator[ast.expr]:
    """What may stand in place of a number, or of a set or a list of numbers, in a plan."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for factor in FACTORS:
            number = round(node.value * factor, 9)
            yield ast.Constant(int(number) if isinstance(node.value, int) and number == int(number) else number)
    elif isinstance(node, ast.Set | ast.List | ast.Tuple):
        for number in range(len(node.elts)):
            yield type(node)(elts=[*node.elts[:number], *node.elts[number + 1 :]])
        numbers = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, int)]
        for near in sorted({near for number in numbers for near in (number - 1, number + 1)} - set(numbers)):
            yield type(node)(elts=[*node.elts, ast.Constant(near)])
