"""Tables in a notebook: the same as text, which is compared, and as HTML, which people see."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from cachelab import lab

ROWS = [{"": "LRU", "hits": "61.7%", "name": "a <b>"}, {"": "FIFO", "hits": "−1.0%", "name": "7 or so, or none"}]


@pytest.fixture
def shell() -> Iterator[None]:
    """An IPython without a terminal, so that outputs are displayed as in a notebook."""
    InteractiveShell.instance()
    yield
    InteractiveShell.clear_instance()


def displayed(rows: list[dict[str, Any]]) -> dict[str, str]:
    """What a table is displayed as, by MIME type."""
    with capture_output() as captured:
        lab.table(rows)
    (output,) = captured.outputs
    assert isinstance(output, RichOutput)
    assert output.metadata == {"cachelab": {"table": {}}}
    data: dict[str, str] = output.data
    return data


@pytest.mark.usefixtures("shell")
def test_a_table_says_the_same_in_both_forms() -> None:
    """The words of the HTML are those of the aligned text."""
    data = displayed([{"a": 1, "b": "two words"}, {"a": 10, "b": "x"}])
    assert re.sub("<[^>]*>", " ", data["text/html"]).split() == data["text/plain"].split()


@pytest.mark.usefixtures("shell")
def test_numbers_are_aligned_right_and_words_left() -> None:
    """A column of numbers has its digits below each other; one word in it, and it is a column of words."""
    sides = re.findall(r'<th scope="col" style="text-align: (\w+)">(\w+)', displayed(ROWS)["text/html"])
    assert sides == [("right", "hits"), ("left", "name")]


@pytest.mark.usefixtures("shell")
def test_a_column_without_a_name_names_the_rows() -> None:
    """A screen reader then says the row's name before a number; an empty head would say nothing."""
    html = displayed(ROWS)["text/html"]
    assert re.findall(r'<th scope="row"[^>]*>(\w+)', html) == ["LRU", "FIFO"]
    assert "></th>" not in html


@pytest.mark.usefixtures("shell")
def test_text_in_a_table_is_no_markup() -> None:
    """Signs that mean something in HTML are escaped."""
    assert "a &lt;b&gt;" in displayed(ROWS)["text/html"]


def test_outside_a_notebook_a_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A script shows the text."""
    lab.table([{"a": 1}])
    assert capsys.readouterr().out.split() == ["a", "1"]
