"""The tests of the strategies again: with eager tasks, on uvloop, in asyncio's debug mode, and with Python's -O."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.environments import Environment, python_since
from tests.support.notebooks import ROOT
from tests.support.requirements import required_by

PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses=2"]
WAYS: dict[str, tuple[list[str], list[str], dict[str, str]]] = {
    "uvloop": ([], ["-p", "tests.support.on_uvloop", "tests/core", "tests/stores"], {}),
    "debug": ([], ["tests/core"], {"PYTHONASYNCIODEBUG": "1"}),  # it is too slow for the time-outs of a real server
    "-O": (["-O"], ["-W", "ignore:assertions not in test modules", "tests/core", "tests/stores"], {}),
}
"""Options of Python, arguments of pytest, and variables of the environment."""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_core_passes_with_eager_tasks(tmp_path: Path) -> None:
    """Every task begins inside the call that makes it, and a warning is an error. This takes a Python from 3.12 on."""
    python = python_since((3, 12))
    if python is None:
        pytest.skip("no Python 3.12 or later was found, and older ones have no eager tasks")
    environment = Environment(tmp_path / "environment", python)
    names = (
        "pytest",
        "pytest-xdist",
        "pytest-timeout",
        "nbval",
        "hypothesis",
        "redis",
        "fakeredis",
        "msgspec",
        "cachetools",
    )
    wanted = required_by("test")
    environment.install("--only-binary=:all:", *(f"{name}{wanted[name]}" for name in names))
    environment.run("-W", "error", *PYTEST, "-p", "tests.support.eager_tasks", "tests/core", cwd=ROOT)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", WAYS)
def test_strategies_and_stores_pass(way: str) -> None:
    """On another loop, under asyncio's own checks, and without the asserts of the package."""
    of_python, of_pytest, variables = WAYS[way]
    command = [sys.executable, *of_python, *PYTEST, *of_pytest]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6_000:]
