"""The breaker exam: each broken breaker fails what it should and nothing else, and a report always comes back."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import pytest

from cachelab import Breaker, lab
from cachelab.lab.breakers.items import ITEMS
from tests.support import breaker_zoo as zoo

ALL = {item.number for item in ITEMS}


@pytest.mark.parametrize("build", [Breaker, zoo.Correct])
def test_a_correct_breaker_passes_all_eleven(build: Any) -> None:
    """The package's own, and the one of the zoo."""
    report = lab.breaker_exam(build)
    assert (report.passed, report.failed) == (ALL, set()), str(report)


@pytest.mark.parametrize("build", zoo.ZOO, ids=lambda build: build.__name__)
def test_a_broken_breaker_fails_what_it_should_and_nothing_else(build: type[zoo.Correct]) -> None:
    """It is wrong in one point, and the exam finds exactly this point."""
    report = lab.breaker_exam(build)
    assert report.failed == zoo.ZOO[build], str(report)


def test_every_item_is_failed_by_a_breaker_of_the_zoo() -> None:
    """So no item passes whatever it is given."""
    assert set().union(*zoo.ZOO.values()) == ALL


def test_the_exam_in_real_time_finds_the_same() -> None:
    """The items are played side by side there, each with a breaker of its own."""
    assert lab.breaker_exam(zoo.Correct, real_time=True).passed == ALL
    assert lab.breaker_exam(zoo.AdmitsACrowd, real_time=True).failed == {4}


def test_a_report_is_the_same_twice() -> None:
    """Verdicts, sentences and steps hold no times and no addresses."""
    first, second = lab.breaker_exam(zoo.AdmitsACrowd), lab.breaker_exam(zoo.AdmitsACrowd)
    assert str(first) == str(second)
    assert [result.steps for result in first.results] == [result.steps for result in second.results]
    assert not re.search("0x", str(first))


def test_the_steps_of_an_item_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Who called, what the origin did, and how much time passed."""
    lab.breaker_exam(zoo.AdmitsACrowd).print_steps(4)
    printed = capsys.readouterr().out
    for words in ("passes, 1.2 × open_s", "call (×20)", "fail: Half open, it let 20 of 20 callers through at once."):
        assert words in printed


def test_a_breaker_whose_callers_wait_for_ever_hangs() -> None:
    """The verdict says so, and the exam ends."""
    report = lab.breaker_exam(zoo.HangsWhenOpen)
    assert report.results[0].verdict == "hangs"
    assert "The next caller waits for ever." in str(report)


def test_a_mistake_in_the_breakers_own_code_is_no_refusal() -> None:
    """Its error goes into the result, with its place; every item that meets it fails."""
    results = {result.item.number: result for result in lab.breaker_exam(zoo.ReadsWhatIsNotThere).results}
    assert (results[3].verdict, results[2].verdict) == ("fail", "pass")
    assert "AttributeError: 'ReadsWhatIsNotThere' object has no attribute 'nothing'" in results[3].error


@pytest.mark.long
def test_a_breaker_that_blocks_the_loop_is_ended_within_seconds() -> None:
    """The exam does not try the other items, and says in which line it was."""
    start = time.perf_counter()
    report = lab.breaker_exam(zoo.BlocksTheLoop)
    assert time.perf_counter() - start < 20  # one on an idle machine: the limit is there to catch a hang
    assert report.failed == ALL
    assert "while True" in report.results[0].why or "pass" in report.results[0].why


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (None, "breaker_exam() needs a function that builds a breaker around a loader"),
        (lambda load, failures, open_s: 42, "build() has built a int, which cannot be called"),
        (lambda load: load, "build() raised TypeError"),
        (lambda load, failures, open_s: 1 / 0, "build() raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_breaker_gets_a_sentence(build: Any, sentence: str) -> None:
    """No item passes, and there is no traceback."""
    report = lab.breaker_exam(build)
    assert sentence in " ".join(str(report).split())
    assert (report.passed, report.failed) == (set(), ALL)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_the_breaker_raises_ends_nothing(interrupt: type[BaseException]) -> None:
    """It is a failure of the item, and the notebook goes on."""

    class Interrupts(zoo.Correct):
        async def refuse(self) -> Any:
            raise interrupt

    assert 3 in lab.breaker_exam(Interrupts).failed


def test_the_exam_works_where_a_loop_is_running() -> None:
    """A notebook's cell runs on a loop."""

    async def cell() -> set[int]:
        return lab.breaker_exam(Breaker).passed

    assert asyncio.run(cell()) == ALL
