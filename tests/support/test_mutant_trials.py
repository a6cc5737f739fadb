"""The trial of a mutant: what is read of an exercise, and what becomes of each verdict."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.mutant_trials import Listed, material, verdict_on
from tests.support.mutants import Mutant
from tests.support.notebooks import ROOT

ALLOWED = Listed(equivalent={"another": "It is as right."}, tolerated={"a trifle": "It is understood."})


@pytest.mark.parametrize(
    ("code", "words", "verdict"),
    [
        ("any", "Not yet. It is wrong.", "killed"),
        ("any", "Nothing to check yet: write it.", "killed"),
        ("any", "Correct. It is right.", "survives"),
        ("another", "Correct. It is right.", "equivalent"),
        ("a trifle", "Correct. It is right.", "tolerated"),
        ("another", "Not yet. It is wrong.", "listed, but killed"),
        ("a trifle", "Not yet. It is wrong.", "listed, but killed"),
        ("another", None, "hangs"),
    ],
)
def test_a_mutant_that_is_called_correct_has_to_be_listed(code: str, words: str | None, verdict: str) -> None:
    """One that is not listed survives, and one that is listed must not be killed: both are faults."""
    assert verdict_on(Mutant(code, ""), words, ALLOWED) == verdict


def test_the_material_of_an_exercise_is_read_from_its_notebook() -> None:
    """The imports of the chapter, the solution as Python, and the cell that checks it."""
    found = material("5.2")
    assert "import asyncio" in found.imports.splitlines()
    assert found.solution.startswith("fails = {")
    assert found.check.strip() == 'lab.check("5.2", fails)'


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant runs in a fork of one process")
def test_the_command_prints_a_row_for_each_exercise() -> None:
    """Nine mutants of a set of four numbers are killed, and with --words each is told why."""
    command = [sys.executable, "-m", "tests.tools.try_mutants", "--words", "5.2"]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=100)
    lines = tried.stdout.splitlines()
    assert tried.returncode == 0
    assert lines[0].split()[:3] == ["exercise", "mutants", "killed"]
    assert lines[1].split()[:6] == ["5.2", "9", "9", "0", "0", "0"]
    assert "    killed: fails = {3, 6, 8}" in lines
    assert sum("Not yet." in line for line in lines) == 9
