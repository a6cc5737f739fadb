"""The solutions pass their checks, and in a notebook nobody has worked in none is correct.

nbval runs the notebooks as they are stored; here each runs once more with every stub replaced by its solution.
"""

from pathlib import Path

import pytest
from nbformat import NotebookNode

from tests.support.notebooks import load, output_text, paths, run, solution, tagged

with_exercises = pytest.mark.parametrize(
    "path", [path for path in paths() if tagged(load(path), "exercise")], ids=lambda path: path.stem
)


def assert_checks_say(notebook: NotebookNode, *beginnings: str) -> None:
    """The output of every check begins with one of these words."""
    for name, cell in tagged(notebook, "check").items():
        assert output_text(cell).startswith(beginnings), f"check:{name} says\n{output_text(cell)}"


@with_exercises
def test_untouched_exercises_are_not_solved(path: Path) -> None:
    """As stored, each check finds nothing to check yet, or the flaw that is to be found."""
    assert_checks_say(load(path), "Nothing to check yet", "Not yet.")


@with_exercises
def test_solutions_are_correct(path: Path) -> None:
    """With the solutions in place the whole notebook runs and each check says Correct."""
    notebook = load(path)
    solutions = tagged(notebook, "solution")
    for name, cell in tagged(notebook, "exercise").items():
        cell.source = solution(solutions[name])
    run(notebook, path.parent)
    assert_checks_say(notebook, "Correct")
