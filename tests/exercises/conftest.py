"""What the tests of all exercises start with."""

import pytest

from cachelab.lab.exercises import solved


@pytest.fixture(autouse=True)
def nothing_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a kernel does, so that no verdict ends with what another test has solved."""
    monkeypatch.setattr(solved, "_in_this_kernel", set())
