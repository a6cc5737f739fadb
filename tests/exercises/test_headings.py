"""Every exercise of the notebooks has a module of its own that is named as its heading, and the other way round."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from cachelab.lab import exercises
from cachelab.lab.exercises.checking import exercise_modules
from cachelab.lab.exercises.exercise import Exercise
from tests.support.notebooks import chapters, load, markdown_cells, paths, tagged

HEADING = re.compile(r"^### +(\d+\.\d+) +(.+?) *$", re.MULTILINE)
NUMBER_IN_CODE = re.compile(r'lab\.(?:check|hint)\("([^"]*)"')

every_chapter = pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)


def headings() -> dict[str, str]:
    """The number of each exercise and its heading, from all notebooks."""
    found = [match for path in paths() for cell in markdown_cells(load(path)) for match in HEADING.findall(cell.source)]
    assert len(dict(found)) == len(found), "two exercises have the same number"
    return dict(found)


def test_each_exercise_has_a_heading_a_cell_and_a_module() -> None:
    """The numbers of the headings, of the cells tagged `exercise:` and of the modules are the same, in this order."""
    tags = [number for path in paths() for number in tagged(load(path), "exercise")]
    assert list(headings()) == tags == list(exercise_modules())


@every_chapter
def test_each_number_begins_with_that_of_its_chapter(path: Path) -> None:
    """A chapter's exercises, and the checks and hints that its cells name, begin with the chapter's number."""
    notebook = load(path)
    chapter = str(int(path.stem[:2]))
    named = {number for cell in notebook.cells for number in NUMBER_IN_CODE.findall(cell.source)}
    assert {number.partition(".")[0] for number in {*tagged(notebook, "exercise"), *named}} <= {chapter}
    assert named <= set(exercise_modules())


@every_chapter
def test_each_check_cell_checks_its_own_exercise(path: Path) -> None:
    """The cell tagged `check:5.1` calls `lab.check("5.1", …)`."""
    for number, cell in tagged(load(path), "check").items():
        assert NUMBER_IN_CODE.findall(cell.source) == [number]


@pytest.mark.parametrize(("number", "module"), exercise_modules().items())
def test_each_module_is_named_as_its_heading(number: str, module: str) -> None:
    """The name of the module after the number stands in the heading: ch05_1_survive in "5.1 Survive the callers"."""
    chapter, exercise, words = re.fullmatch(r"ch(\d\d)_(\d+)_(\w+)", module).groups()  # type: ignore[union-attr]
    assert f"{int(chapter)}.{int(exercise)}" == number
    assert words.replace("_", " ") in headings()[number].lower()


@pytest.mark.parametrize("module", exercise_modules().values())
def test_each_module_holds_an_exercise_with_hints(module: str) -> None:
    """The module's `EXERCISE` has three hints, from a nudge to nearly the answer."""
    exercise = import_module(f"{exercises.__name__}.{module}").EXERCISE
    assert isinstance(exercise, Exercise)
    assert len(exercise.hints) == 3
