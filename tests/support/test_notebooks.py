"""The gates for the notebooks find the numbers, links and definitions that they are about."""

import ast

import pytest

from tests.support.notebooks import bold_numbers, local_links, numbers
from tests.support.source import bare


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,000 requests", ["1000"]),
        ("1000 requests, 2,500 hits", ["1000", "2500"]),
        ("95.5 % or 95.5%", ["95.5", "95.5"]),
        ("0.95", ["0.95"]),
        ("takes 500ms, 3x", ["500", "3"]),
        ("−5 and -5", ["5", "5"]),
        ("(1,2)", ["1", "2"]),
        ("1 of 10.", ["1", "10"]),
        ("p99 of L2", []),
    ],
)
def test_numbers(text: str, found: list[str]) -> None:
    """A number is taken whole, without separators, sign and unit."""
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("**1** and 2 and *3*", ["1"]),
        ("**from 4\nto 5**", ["4", "5"]),
        ("`**6**` and ``a ` **7**``", []),
        ("```python\nx **8** y\n```\n**9**", ["9"]),
    ],
)
def test_bold_numbers(markdown: str, found: list[str]) -> None:
    """Only bold prose counts, not code that happens to have stars."""
    assert bold_numbers(markdown) == found


def test_local_links() -> None:
    """A link to a file counts, a link to the web or into the same page does not."""
    text = "[a](one.ipynb#part) ![b](two.png) [c](https://example.org/x) [d](#part) `[e](three)`"
    assert local_links(text) == ["one.ipynb", "two.png"]


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ("def f(x):\n    y = 1  # why\n    return x + y", True),
        ("def f(x):\n    y = 1\n    return x - y", False),
        ("async def f(x):\n    y = 1\n    return x + y", False),
        ("def f(x=None):\n    y = 1\n    return x + y", False),
    ],
)
def test_bare_definitions(shown: str, same: bool) -> None:
    """Two definitions are the same without docstrings, annotations and comments, and only then."""
    shipped = 'def f(x: int) -> int:\n    """Say."""\n    y: int = 1\n    z: int\n    return x + y'
    assert (bare(ast.parse(shown)) == bare(ast.parse(shipped))) == same


@pytest.mark.parametrize(("shown", "same"), [("class C(B):\n    x = 1", True), ("class C(A):\n    x = 1", False)])
def test_bare_classes(shown: str, same: bool) -> None:
    """A base counts, its type parameters do not."""
    assert (bare(ast.parse(shown)) == bare(ast.parse("class C(B[K]):\n    x: int = 1"))) == same
