"""What the gates take code apart with."""

import ast

import pytest

from tests.support.source import bare


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
    """Two definitions are equal if they differ only in docstrings, annotations and comments."""
    shipped = 'def f(x: int) -> int:\n    """Say."""\n    y: int = 1\n    z: int\n    return x + y'
    assert (bare(ast.parse(shown)) == bare(ast.parse(shipped))) == same


@pytest.mark.parametrize(("shown", "same"), [("class C(B):\n    x = 1", True), ("class C(A):\n    x = 1", False)])
def test_bare_classes(shown: str, same: bool) -> None:
    """Two classes with different bases differ, whatever the bases' type parameters are."""
    assert (bare(ast.parse(shown)) == bare(ast.parse("class C(B[K]):\n    x: int = 1"))) == same
