"""The mutants of a solution: what is changed in code and in a plan, and how each mutant is called."""

from __future__ import annotations

import ast

import pytest

from tests.support.mutants import derive

CODE = """
async def get(self, key):
    if key in self.entries and self.fresh(key):
        return self.entries[key]
    try:
        value = await self.load(key, retry=True)
    except (OSError, ValueError):
        raise
    self.entries[key] = value
    self.loads += 1
    return value
"""


@pytest.mark.parametrize(
    "code",
    [
        "get: without `if key in self.entries and self.fresh(key):`",
        "get: if key not in self.entries and self.fresh(key):",
        "get: if key in self.entries or self.fresh(key):",
        "get: if key in self.entries:",
        "get: if self.fresh(key):",
        "get: if True:",
        "get: if False:",
        "get: if not (key in self.entries and self.fresh(key)):",
        "get: without `return self.entries[key]`",
        "get: without `return` before `self.entries[key]`",
        "get: without `try` around `value = await self.load(key, retry=True)`",
        "get: value = self.load(key, retry=True)",
        "get: value = await self.load(key)",
        "get: value = await self.load(key, retry=False)",
        "get: `except (OSError,):`",
        "get: `except (ValueError,):`",
        "get: without `self.entries[key] = value`",
        "get: self.loads -= 1",
        "get: self.loads = 1",
        "get: self.loads += 2",
        "get: without `return value`",
    ],
)
def test_a_mutant_is_called_by_its_code(code: str) -> None:
    """Operators, constants, statements, `await`, `return`, `try` and handlers each have their mutants."""
    assert code in [mutant.code for mutant in derive(CODE)]


def test_each_mutant_is_a_different_program() -> None:
    """Each mutant is valid Python, none is the solution, and no two are the same or have the same name."""
    mutants = derive(CODE)
    sources = [ast.unparse(ast.parse(mutant.source)) for mutant in mutants]
    assert ast.unparse(ast.parse(CODE)) not in sources
    assert len(set(sources)) == len(sources) == len({mutant.code for mutant in mutants})


def test_deriving_leaves_no_trace() -> None:
    """Each mutant differs from the solution in one place only: the first ones do not show in the last."""
    last = ast.unparse(ast.parse(CODE)).removesuffix("return value") + "value"
    assert derive(CODE)[-1].source == last


@pytest.mark.parametrize(
    ("plan", "codes"),
    [
        ("fails = {2, 3}", ["fails = {3}", "fails = {2}", "fails = {2, 3, 1}", "fails = {2, 3, 4}"]),
        (
            "plan = {'ttl': 20}",
            ["plan = {}", *(f"plan = {{'ttl': {ttl}}}" for ttl in (0, 10, 18, 22, 40))],
        ),
    ],
)
def test_constants_get_neighbours(plan: str, codes: list[str]) -> None:
    """A number of a plan is taken less and more often, and a set of numbers loses and gains one."""
    assert sorted(mutant.code for mutant in derive(plan)) == sorted(codes)
