"""What the gates for the notebooks take a text apart with: numbers, bold numbers, links."""

import pytest

from tests.support.notebooks import bold_numbers, local_links, numbers


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
    """A number is found as a whole, without separators, sign and unit."""
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
    """Only the numbers in bold prose are found, and none in code that contains stars."""
    assert bold_numbers(markdown) == found


def test_local_links() -> None:
    """A link to a file is found; a link to the web or into the same page is not."""
    text = "[a](one.ipynb#part) ![b](two.png) [c](https://example.org/x) [d](#part) `[e](three)`"
    assert local_links(text) == ["one.ipynb", "two.png"]
