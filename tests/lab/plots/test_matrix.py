"""The matrix of outcomes: what it says in words, and that its words stand inside their cells."""

import pytest
from matplotlib.figure import Figure

from cachelab import lab

CELLS = {
    "added": {"new code": "lie", "old code": "value"},
    "renamed": {"new code": "miss", "old code": "miss"},
}


def test_each_cell_in_words() -> None:
    """Row by row, with the names of the columns."""
    picture = lab.plot_matrix(CELLS, "title")
    assert picture.words == "added: new code lie, old code value; renamed: new code miss, old code miss."
    assert picture.title == "title"


def test_an_outcome_has_a_mark_of_its_own_and_its_word(drawn: list[Figure]) -> None:
    """No cell is told by its colour alone: value, miss and lie have three markers, and each cell has its word."""
    lab.plot_matrix(CELLS, "title")
    (ax,) = drawn[0].axes
    words = [text.get_text() for text in ax.texts]
    marks = dict(zip(words, [line.get_marker() for line in ax.lines], strict=True))
    assert words == ["lie", "value", "miss", "miss"]
    assert len(set(marks.values())) == 3


def test_a_word_stands_in_its_cell(drawn: list[Figure]) -> None:
    """Cells and words are in the same order, and each word lies inside."""
    lab.plot_matrix(CELLS, "title")
    drawn[0].draw_without_rendering()
    (ax,) = drawn[0].axes
    for cell, text in zip(ax.patches, ax.texts, strict=True):
        outer, inner = cell.get_window_extent(), text.get_window_extent()
        assert outer.x0 < inner.x0 < inner.x1 < outer.x1
        assert outer.y0 < inner.y0 < inner.y1 < outer.y1


def test_another_outcome_is_refused() -> None:
    """It would have no colour."""
    with pytest.raises(ValueError, match="value, miss, lie, not hit"):
        lab.plot_matrix({"added": {"new code": "hit"}}, "title")
