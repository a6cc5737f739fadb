"""Each check refuses the small mutants of its exercise's solution, but for those that are listed with a reason.

A mutant is the solution with one change: an operator, a constant, a dropped statement, a dropped `await`. Each is tried
in a process of its own. `python -m tests.tools.try_mutants` prints the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.mutant_trials import LISTS, listed, material, numbers
from tests.support.mutants import derive
from tests.support.notebooks import ROOT

MAX_TOLERATED = 2
TIME_LIMIT_S = 900
"""For all mutants of an exercise. Most exercises take a second or two."""

each_exercise = pytest.mark.parametrize("number", numbers())
each_exercise_in_its_tier = pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=pytest.mark.soak if place % 3 else pytest.mark.long)
        for place, number in enumerate(numbers())
    ],
)
"""The long tests try the mutants of a third of the exercises, the soak tier those of the others."""


@pytest.mark.timeout(TIME_LIMIT_S)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant runs in a fork of one process")
@each_exercise_in_its_tier
def test_all_mutants_are_judged_rightly(number: str) -> None:
    """Of all mutants of the solution, none is called correct without a reason."""
    command = [sys.executable, "-m", "tests.tools.try_mutants", number]  # a process with a single thread, to fork from
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert tried.returncode == 0, f"{' '.join(command[1:])}\n{tried.stdout}\n{tried.stderr}"


@each_exercise
def test_each_listed_mutant_is_derived(number: str) -> None:
    """A mutant that is listed is still one of the solution's, and stands in one list only."""
    codes = {mutant.code for mutant in derive(material(number).solution)}
    lists = listed(number)
    assert set(lists.equivalent) - codes == set()
    assert set(lists.tolerated) - codes == set()
    assert set(lists.equivalent) & set(lists.tolerated) == set()


@each_exercise
def test_few_mutants_are_tolerated_and_each_has_a_reason(number: str) -> None:
    """An exercise tolerates two wrong answers at most, and each reason is a sentence."""
    lists = listed(number)
    assert len(lists.tolerated) <= MAX_TOLERATED
    reasons = [*lists.equivalent.values(), *lists.tolerated.values()]
    assert [reason for reason in reasons if len(reason.split()) < 4 or not reason.endswith(".")] == []


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.toml")), ids=lambda path: path.stem)
def test_each_list_is_of_exercises_that_exist(path: Path) -> None:
    """A file of lists names exercises of its chapter, and for each of them the two kinds of mutants."""
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(lists) <= {number for number in numbers() if f"ch{int(number.partition('.')[0]):02}" == path.stem}
    assert {kind for lists_of_one in lists.values() for kind in lists_of_one} <= {"equivalent", "tolerated"}
