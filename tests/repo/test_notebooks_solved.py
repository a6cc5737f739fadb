"""The solutions pass their checks, and the stubs do not.

nbval runs the notebooks as they are stored. Here each of them runs once more, with every stub replaced by its solution.
"""

from pathlib import Path

import pytest
from nbformat import NotebookNode

from tests.support.notebooks import load, output_text, paths, run, solution, tagged

with_exercises = pytest.mark.parametrize(
    "path", [path for path in paths() if tagged(load(path), "exercise")], ids=lambda path: path.stem
)


def assert_checks_say(notebook: NotebookNode, *beginnings: str) -> None:
    """The output of every check begins with one of these texts."""
    for number, cell in tagged(notebook, "check").items():
        assert output_text(cell).startswith(beginnings), f"check:{number} says\n{output_text(cell)}"


@with_exercises
def test_untouched_exercises_are_not_solved(path: Path) -> None:
    """In the stored outputs each check has nothing to check yet, or finds the flaw of the code that is to be mended."""
    assert_checks_say(load(path), "Nothing to check yet", "Not yet.")


@pytest.mark.long
@with_exercises
def test_solutions_are_correct(path: Path) -> None:
    """With the solutions in place the whole notebook runs, and each check says Correct."""
    notebook = load(path)
    solutions = tagged(notebook, "solution")
    for number, cell in tagged(notebook, "exercise").items():
        cell.source = solution(solutions[number])
    run(notebook, path.parent)
    assert_checks_say(notebook, "Correct")
