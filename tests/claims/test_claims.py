"""What the notebooks say of random samples is true of several samples, and still stands in them."""

import importlib
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cachelab import lab
from tests.claims.claim import SAMPLES, Chapter, Claim, needed_cells, shuffled
from tests.support.notebooks import chapters

CHAPTERS: list[Chapter] = [
    importlib.import_module(f"tests.claims.{path.stem}").claim for path in sorted(Path(__file__).parent.glob("ch*.py"))
]
IN_CI = 2
"""The long tests look at the notebook's own sample and at one more; the soak tier looks at all."""
CASES = [
    pytest.param(
        claim,
        number,
        id=f"{chapter.number}-{claim.check.__name__}-{number}",
        marks=pytest.mark.long if number < IN_CI else pytest.mark.soak,
    )
    for chapter in CHAPTERS
    for number in range(SAMPLES)
    for claim in chapter.claims
]


def test_each_chapter_has_its_claims() -> None:
    """A chapter without random samples has a module that says so."""
    numbers = [path.stem[:2] for path in chapters()]
    assert [chapter.number for chapter in CHAPTERS] == numbers


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.number)
def test_each_sentence_stands_in_its_notebook(chapter: Chapter) -> None:
    """A sentence that was rewritten needs a check of what it says now."""
    notebook = chapter.notebook()
    assert [claim.sentence for claim in chapter.claims if not claim.stands_in(notebook)] == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.number)
def test_each_check_looks_at_names_of_the_notebook(chapter: Chapter) -> None:
    """A name that has gone is found here, and not only by the long tests."""
    needed_cells(chapter.notebook(), chapter.names())


@pytest.mark.timeout(400)  # the first of a sample runs the cells, which takes up to half a minute on an idle machine
@pytest.mark.parametrize(("claim", "number"), CASES)
def test_sentence_is_true_of_several_samples(claim: Claim, number: int) -> None:
    """The check passes on the notebook's own sample, and on others of the same size."""
    claim.check_on(number)


def notebook_of(*sources: str) -> NotebookNode:
    """A notebook with these code cells."""
    notebook: NotebookNode = new_notebook(
        cells=[new_markdown_cell("# Text\n\nOf 4 requests **2**\nhit."), *map(new_code_cell, sources)]
    )
    return notebook


@pytest.mark.parametrize(
    ("sentence", "stands"), [("requests 2 hit.", True), ("requests 3 hit.", False), ("y = 1", True)]
)
def test_a_sentence_is_found_word_for_word(sentence: str, stands: bool) -> None:
    """Line breaks and stars do not count; another number does. A title in a code cell is found as well."""
    assert Claim(Chapter("00"), sentence, print).stands_in(notebook_of("y = 1")) == stands


def test_only_the_cells_that_are_needed_run() -> None:
    """Those that a name depends on, through functions and through what was there before, and no others."""
    cells = ["x = 1", "def f():\n    return [x for _ in range(y)]", "y = 2", "z = 3", "y = y + 1", "r = f()"]
    assert [cell.source for cell in needed_cells(notebook_of(*cells), {"r", "y"})] == [
        "x = 1",
        cells[1],
        "y = 2",
        "y = y + 1",
        "r = f()",
    ]


def test_a_name_that_is_not_there_is_an_error() -> None:
    """It is named."""
    with pytest.raises(AssertionError, match="gone"):
        needed_cells(notebook_of("x = 1"), {"gone"})


def test_another_sample_has_other_requests() -> None:
    """Sample 0 is the notebook's own; the others differ from it and from each other, and come again."""
    workload = lab.Workload(rate=10, seconds=2, keys=5, seed=3)
    own = workload.requests()
    seen = []
    for number in (0, 1, 2, 1):
        with shuffled(number):
            seen.append((workload.requests(), lab.zipf_trace(20, 9)))
    assert seen[0] == (own, lab.zipf_trace(20, 9))
    assert seen[0] != seen[1] != seen[2] != seen[0]
    assert seen[1] == seen[3]
    assert workload.requests() == own


def test_a_false_sentence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that holds for the notebook's own sample only fails on another."""
    cells = "from cachelab import lab\nkeys = lab.zipf_trace(30, 100)"
    chapter = Chapter("made up")
    monkeypatch.setattr(chapter, "notebook", lambda: notebook_of(cells))
    with shuffled(0):
        own = lab.zipf_trace(30, 100)

    @chapter("The keys are these.")
    def these(keys: list[int]) -> None:
        assert keys == own

    chapter.claims[0].check_on(0)
    with pytest.raises(AssertionError):
        chapter.claims[0].check_on(1)
