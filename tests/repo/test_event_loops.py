"""The tests of the core under eager tasks, in asyncio's debug mode, on uvloop, and with `python -O`.

Each runs in a process of its own, with the plugin `tests.support.event_loops`, and every warning is an error.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.environments import Environment, python_since
from tests.support.event_loops import LOOP_VARIABLE
from tests.support.requirements import required_by

ROOT = Path(__file__).parents[2]
RUN_THE_TESTS = ["pytest", "pytest-xdist", "pytest-timeout", "nbval", "hypothesis"]
NEEDED_BY_THE_CORE = [
    *RUN_THE_TESTS,
    "redis",
    "fakeredis[lua]",
    "msgspec",
    "cachetools",
    "prometheus-client",
    "opentelemetry-api",
]
WITHOUT_ASSERTS = [sys.executable, "-O"]
ANNOUNCED = ["-W", "ignore:assertions not in test modules"]  # of this pytest warns


def run_tests(python: Sequence[str], tests: Sequence[str], loop: str = "") -> subprocess.CompletedProcess[str]:
    """Run these tests with this Python, and on this kind of loop."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), LOOP_VARIABLE: loop, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("CI", None)  # tests of a real server may be skipped here: they run in the other tiers
    if loop == "debug":
        environment["PYTHONASYNCIODEBUG"] = "1"
    command = [*python, "-m", "pytest", "-q", "--numprocesses=0", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    command += ["-p", "tests.support.event_loops", "-W", "error", *tests]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def assert_passed(ran: subprocess.CompletedProcess[str], at_least: int) -> None:
    """So many tests have passed and none failed. Otherwise this shows the end of what pytest says."""
    last = ran.stdout.strip().rpartition("\n")[2]
    passed = int(last.partition(" passed")[0]) if " passed" in last and " failed" not in last else 0
    assert (ran.returncode, passed >= at_least) == (0, True), ran.stdout[-3_000:] + ran.stderr[-1_000:]


def environment_with_eager_tasks(folder: Path) -> Environment:
    """One with a Python that has eager tasks, and with what the tests of the core need. Without such a Python, skip."""
    python = python_since((3, 12))
    if python is None:
        pytest.skip("no Python 3.12 or later was found, and older ones have no eager tasks")
    environment, wanted = Environment(folder, python), required_by("test")
    environment.install(
        "--only-binary=:all:", *(f"{name}{wanted[name.partition('[')[0]]}" for name in NEEDED_BY_THE_CORE)
    )
    return environment


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_core_passes_under_eager_tasks(tmp_path: Path) -> None:
    """Every task of every loop begins at once, inside the code that creates it."""
    python = environment_with_eager_tasks(tmp_path / "environment").python
    assert_passed(run_tests([str(python)], ["tests/core"], "eager"), 800)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_core_passes_in_the_debug_mode() -> None:
    """asyncio checks more, in simulations too, and it warns of coroutines that nobody awaits."""
    assert_passed(run_tests([sys.executable, "-X", "dev"], ["tests/core"], "debug"), 800)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_core_and_the_stores_pass_on_uvloop() -> None:
    """Above all those that speak to a Redis, since simulations bring their own loop."""
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed: it is in the extra `bench`, and there is none for Windows")
    assert_passed(run_tests([sys.executable], ["tests/core", "tests/stores"], "uvloop"), 1_500)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_core_passes_without_the_asserts_of_the_package() -> None:
    """`python -O` strips them. Those of the tests stay: see the next test."""
    assert_passed(run_tests(WITHOUT_ASSERTS, [*ANNOUNCED, "tests/core"]), 800)


@pytest.mark.long
def test_under_python_o_a_failing_test_fails(tmp_path: Path) -> None:
    """Both its own assert and one in a helper of the tests count, so that the test above can fail."""
    (tmp_path / "test_it.py").write_text(FAILING_TESTS, encoding="utf-8")
    ran = run_tests(WITHOUT_ASSERTS, [*ANNOUNCED, str(tmp_path), "-k", "stripped or own_assert or empty_store"])
    assert (ran.returncode, "2 failed, 1 passed" in ran.stdout) == (1, True), ran.stdout + ran.stderr


FAILING_TESTS = """
from tests.support.contract import StoreContract

def test_asserts_are_stripped():
    if __debug__:
        raise ValueError

def test_own_assert():
    assert False

class TestHelper(StoreContract):
    def make(self):
        return ()
"""
