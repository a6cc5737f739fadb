"""Chapter 14 sends its readers to other chapters: each heading that it names is there, and each number it quotes, too.

A link such as `[7: Five pods](07_redis.ipynb)` names the heading "Five pods" of that notebook.
"""

import re
from pathlib import Path

import pytest

from tests.support.notebooks import NOTEBOOKS, load, output_text, tags

CHAPTER = NOTEBOOKS / "14_choosing.ipynb"
LINK = re.compile(r"\[(\d+): ([^\]]+)\]\((\d\d_\w+\.ipynb)\)")
QUOTED = re.compile(r"(?<![*\w])\*(\d[\d.,]*(?: ms| s|%|/s)?)\*(?!\*)")
CELLS = {cell.id: cell for cell in load(CHAPTER).cells}
LINKS = [link for cell in CELLS.values() if cell.cell_type == "markdown" for link in LINK.findall(cell.source)]
ITEMS = [f"S{number}" for number in range(1, 57)]


def headings(path: Path) -> set[str]:
    """The headings of a notebook's Markdown cells, without their `#`."""
    cells = [cell.source for cell in load(path).cells if cell.cell_type == "markdown"]
    return {found.strip() for source in cells for found in re.findall(r"^#{1,6} +(.+)$", source, re.MULTILINE)}


def outputs_under(path: Path, heading: str) -> str:
    """The outputs that are compared, from a heading to the next one of the same level or a higher one."""
    text, level = "", 0
    for cell in load(path).cells:
        if cell.cell_type == "markdown":
            for marks, title in re.findall(r"^(#{1,6}) +(.+)$", cell.source, re.MULTILINE):
                if title.strip() == heading:
                    level = len(marks)
                elif level and len(marks) <= level:
                    level = 0
        elif level and "nbval-ignore-output" not in tags(cell):
            text += output_text(cell)
    return text


@pytest.mark.parametrize(("chapter", "heading", "file"), sorted(set(LINKS)), ids=lambda part: part[:30])
def test_the_heading_is_there(chapter: str, heading: str, file: str) -> None:
    """In the notebook of that number."""
    assert int(file[:2]) == int(chapter)
    assert heading in headings(NOTEBOOKS / file)


def test_every_item_of_the_article_leads_somewhere() -> None:
    """56 rows in their order, each with a link."""
    rows = [row.split("|") for row in CELLS["c14-items"].source.splitlines() if row.startswith("| S")]
    assert [row[1].strip() for row in rows] == ITEMS
    assert [row[1] for row in rows if not LINK.search(row[3]) and "(glossary.ipynb)" not in row[3]] == []


ROWS = ["speed", "persistence", "consistency", "complexity", "eviction", "best for"]
MEASURED = {
    f"{row[1].strip()}, {column}": text
    for row in (line.split("|") for line in CELLS["c14-table"].source.splitlines() if line.startswith("| "))
    for column, text in zip(("the three", "the hybrid"), row[3:5], strict=True)
    if row[1].strip()
}
"""The measured cells of the comparison, by row and column."""


def test_the_comparison_has_all_its_cells() -> None:
    """The six lines of the article's table, each for its three stores and for the hybrid."""
    assert list(MEASURED) == [f"{row}, {column}" for row in ROWS for column in ("the three", "the hybrid")]


@pytest.mark.parametrize("cell", MEASURED)
def test_every_cell_of_the_comparison_has_its_measurement(cell: str) -> None:
    """It has a number of this notebook in bold, or a link; what is quoted stands in a compared output there."""
    links = list(LINK.finditer(MEASURED[cell]))
    assert links or re.search(r"\*\*\d", MEASURED[cell])
    for number in QUOTED.finditer(MEASURED[cell]):
        link = next(link for link in links if link.start() > number.start())
        whole = rf"(?<![\d.,]){re.escape(number[1])}(?![\d%]|[.,]\d)"
        assert re.search(whole, outputs_under(NOTEBOOKS / link[3], link[2])), number[1]


def test_numbers_are_quoted() -> None:
    """The gate above finds those that it has to follow."""
    assert sum(len(QUOTED.findall(text)) for text in MEASURED.values()) == 11


def test_every_sentence_of_the_conclusion_has_a_verdict_and_a_link() -> None:
    """Nine rows."""
    rows = [row for row in CELLS["c14-conclusion"].source.splitlines() if row.startswith("| ") and "**" in row]
    assert len(rows) == 9
    assert [row for row in rows if not LINK.search(row)] == []
