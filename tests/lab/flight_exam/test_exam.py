"""The single-flight exam: each broken flight fails what it should and nothing else, and a report always comes back."""

import asyncio
import gc
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import Cache, Flight, MemoryStore, ThreadFlight, lab
from cachelab.lab.flight_exam.items import ITEMS
from tests.support import flight_zoo as zoo

ALL = {item.number for item in ITEMS}
CANCELLING = {3, 4}
"""The items that cancel a caller."""


def flight() -> Any:
    """A subject that is the package's flight, whose methods have other names."""
    flight = Flight()
    return lab.Subject(flight.do, flight.forget)


def thread_flight() -> Any:
    """A subject that is the package's flight for threads."""
    flight = ThreadFlight()
    return lab.Subject(flight.do, flight.forget)


def test_flight_passes_all_eight() -> None:
    """The package's flight is right in each item."""
    assert lab.exam(flight).passed == ALL


def test_thread_flight_passes_all_that_apply_to_threads() -> None:
    """A thread cannot be cancelled; in all other items the flight for threads is right."""
    report = lab.exam(thread_flight)
    assert (report.passed, report.failed) == (ALL - CANCELLING, set())


@pytest.mark.parametrize("subject", zoo.ASYNC_ZOO, ids=lambda subject: subject.__name__)
def test_a_broken_flight_fails_what_it_should_and_nothing_else(subject: type[zoo.CorrectFlight]) -> None:
    """The subject is wrong in one point, and the exam finds exactly this point."""
    report = lab.exam(subject)
    assert report.failed == zoo.ASYNC_ZOO[subject], str(report)


@pytest.mark.parametrize("subject", zoo.THREAD_ZOO, ids=lambda subject: subject.__name__)
def test_a_broken_flight_for_threads_fails_what_it_should(subject: type[zoo.ThreadNoFlight]) -> None:
    """The exam finds the same on real threads."""
    assert lab.exam(subject).failed == zoo.THREAD_ZOO[subject]


@pytest.mark.parametrize("subject", [zoo.NoFlight, zoo.LockAcrossTheLoad, zoo.Raises])
def test_a_report_is_the_same_twice(subject: type[zoo.CorrectFlight]) -> None:
    """Table, steps and sentences are exact: they hold no times, addresses or numbers of keys."""
    first, second = lab.exam(subject), lab.exam(subject)
    assert str(first) == str(second)
    assert [result.steps for result in first.results] == [result.steps for result in second.results]
    assert not re.search(r"0x|key \d", str(first))


def test_a_cache_without_a_flight_fails_item_1_only() -> None:
    """A cache takes its loader when it is built, so it is wrapped by `with_loader`."""
    assert lab.exam(lab.with_loader(lambda load: Cache(MemoryStore(100), load, ttl=60))).failed == {1}


def test_a_store_that_cleans_up_with_a_delay_passes_item_8() -> None:
    """MemoryStore forgets when a deleted key would have expired only some writes later; that counts as clean."""
    make = lab.with_loader(lambda load: Cache(MemoryStore(100), load, ttl=60))
    assert 8 in lab.exam(make).passed


def test_a_function_alone_can_be_examined() -> None:
    """Without a delete, the item that needs one is not applicable."""
    report = lab.exam(lambda: Flight().do)
    assert (report.passed, report.failed) == (ALL - {6}, set())


def test_hanging_has_a_verdict_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """If callers wait for ever the verdict is "hangs" and not "fail", and the last step names these callers."""
    report = lab.exam(zoo.FollowersNeverGetErrors)
    assert report.results[1].verdict == "hangs"
    report.print_steps(2)
    assert "wait for ever (×9)" in capsys.readouterr().out


@pytest.mark.long
def test_a_subject_that_blocks_the_loop_is_ended_within_seconds() -> None:
    """A thread's lock across an `await` stops the whole loop. The exam goes on, and says in which line that was."""
    start = time.perf_counter()
    report = lab.exam(zoo.Blocks)
    assert time.perf_counter() - start < 20  # two on an idle machine: the limit is there to catch a hang
    assert report.failed == ALL
    assert "with self.lock" in report.results[0].why


def test_what_a_notebook_holds_does_not_slow_the_exam_down() -> None:
    """Item 8 collects garbage within the time limit, which would take long if a notebook holds millions of objects."""
    frozen = []

    def make() -> zoo.CorrectFlight:
        frozen.append(gc.get_freeze_count())
        return zoo.CorrectFlight()

    assert lab.exam(make).failed == set()
    assert min(frozen) > 1_000
    assert gc.get_freeze_count() == 0


@pytest.mark.long
def test_a_subject_that_polls_without_a_pause_is_examined_in_real_time() -> None:
    """Virtual time stands still for such a subject, but it is right."""
    assert lab.exam(zoo.Polls).failed == set()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (None, "exam() needs a function that builds a fresh subject"),
        (lambda: 42, "make() built a int, which has no get(key, load)"),
        (lambda: lambda: None, "its get does not take (key, load)"),
        (lambda: 1 / 0, "make() raised ZeroDivisionError: division by zero"),
    ],
)
def test_an_object_that_is_no_subject_gets_a_sentence(make: Any, sentence: str) -> None:
    """The report is one sentence without a traceback, and no item passed."""
    report = lab.exam(make)
    assert sentence in " ".join(str(report).split())
    assert (report.passed, report.failed) == (set(), ALL)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_the_subject_raises_is_a_failure(interrupt: type[BaseException]) -> None:
    """It ends neither the exam nor the notebook."""

    async def get(key: Any, load: Any) -> Any:
        raise interrupt

    assert 1 in lab.exam(lambda: get).failed


def test_the_exam_works_where_a_loop_is_running() -> None:
    """A notebook's cell runs on a loop."""

    async def cell() -> set[int]:
        return lab.exam(flight).passed

    assert asyncio.run(cell()) == ALL


@pytest.mark.parametrize("make", [flight, thread_flight])
def test_an_exam_takes_no_longer_than_a_learner_waits(make: Callable[[], Any]) -> None:
    """On an idle machine, a tenth of a second on a loop, and two thirds of a second on threads."""
    start = time.perf_counter()
    lab.exam(make)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "subject", [zoo.ClearsTheNewerLoad, zoo.FollowersNeverGetErrors, zoo.Raises, zoo.CountsFailures]
)
def test_a_broken_flight_prints_nothing(
    subject: type[zoo.CorrectFlight], capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """No warning and no complaint of a loop reaches the notebook, where it would be compared."""
    lab.exam(subject)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_no_thread_is_left_behind() -> None:
    """Unless a subject hangs, the exam's threads end with the exam."""
    before = threading.active_count()
    lab.exam(thread_flight)
    assert threading.active_count() <= before
