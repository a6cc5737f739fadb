"""The caching libraries that the exam finds installed."""

from typing import Any

import pytest

from cachelab import lab
from cachelab.lab.flight_exam.items import ITEMS


@pytest.mark.parametrize("name", lab.installed_subjects())
def test_an_installed_library_gets_a_whole_table(name: str) -> None:
    """Every item has a verdict and a sentence, however good the library is."""
    report = lab.exam(lab.installed_subjects()[name])
    assert report.problem == ""
    assert [result.item.number for result in report.results] == [item.number for item in ITEMS]
    assert all(result.why for result in report.results)
    assert 1 in report.passed


def test_libraries_are_never_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed is not in the list, and its module is not used."""

    def not_installed(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("cachelab.lab.flight_exam.subjects.import_module", not_installed)
    assert lab.installed_subjects() == {}
