"""The breakers of installed libraries, under the exam. What is not installed is skipped, and says so."""

from __future__ import annotations

import pytest

from cachelab import lab

FAILED = {"purgatory": {4}, "aiobreaker": {4, 7}, "circuitbreaker": {4, 7}, "hyx": {4}}
"""What each library fails: chapter 13 shows it."""


@pytest.mark.long
@pytest.mark.parametrize("library", FAILED)
def test_a_library_fails_what_the_chapter_says(library: str) -> None:
    """In real time, since none of them can be given a clock."""
    builds = {name.split()[0]: build for name, build in lab.installed_breakers().items()}
    if library not in builds:
        pytest.skip(f"{library} is not installed: it comes with the extra bench")
    report = lab.breaker_exam(builds[library], real_time=True)
    assert report.failed == FAILED[library], str(report)


def test_the_names_have_the_versions() -> None:
    """Each is the name of a library and its version, as in a table of the chapter."""
    assert all(len(name.split()) == 2 for name in lab.installed_breakers())
