"""The single-flight exam: each broken flight fails what it should and nothing else, and a report always comes back."""

import asyncio
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


def ours() -> Any:
    """Our flight under the names that the exam uses."""
    flight = Flight()
    return lab.Subject(flight.do, flight.forget)


def ours_for_threads() -> Any:
    """The same for threads."""
    flight = ThreadFlight()
    return lab.Subject(flight.do, flight.forget)


def test_our_flight_passes_all_eight() -> None:
    """The shipped one is right about everything that is asked."""
    assert lab.exam(ours).passed == ALL


def test_our_flight_for_threads_passes_what_threads_can_be_asked() -> None:
    """A thread cannot be cancelled; the rest is right."""
    report = lab.exam(ours_for_threads)
    assert (report.passed, report.failed) == (ALL - CANCELLING, set())


@pytest.mark.parametrize("subject", zoo.ASYNC_ZOO, ids=lambda subject: subject.__name__)
def test_a_broken_flight_fails_what_it_should_and_nothing_else(subject: type[zoo.Right]) -> None:
    """One point is wrong, and the exam finds exactly that one."""
    assert lab.exam(subject).failed == zoo.ASYNC_ZOO[subject]


@pytest.mark.parametrize("subject", zoo.THREAD_ZOO, ids=lambda subject: subject.__name__)
def test_a_broken_flight_for_threads_fails_what_it_should(subject: type[zoo.ThreadNoFlight]) -> None:
    """The same on real threads."""
    assert lab.exam(subject).failed == zoo.THREAD_ZOO[subject]


@pytest.mark.parametrize("subject", [zoo.NoFlight, zoo.LockAcrossTheLoad, zoo.Raises])
def test_a_report_is_the_same_twice(subject: type[zoo.Right]) -> None:
    """Table, traces and words are exact: no times, addresses or numbers of keys."""
    first, second = lab.exam(subject), lab.exam(subject)
    assert str(first) == str(second)
    assert [result.steps for result in first.results] == [result.steps for result in second.results]
    assert not re.search(r"0x|key \d", str(first))


def test_a_cache_is_examined_as_it_is() -> None:
    """What takes its loader when it is built goes through `with_loader`; a cache without a flight fails item 1 only."""
    assert lab.exam(lab.with_loader(lambda load: Cache(MemoryStore(100), load, ttl=60))).failed == {1}


def test_a_store_that_tidies_up_lazily_keeps_nothing() -> None:
    """MemoryStore forgets the expiry of a deleted key some writes later; that is not keeping it."""
    make = lab.with_loader(lambda load: Cache(MemoryStore(100), load, ttl=60))
    assert 8 in lab.exam(make).passed


def test_a_function_alone_can_be_examined() -> None:
    """Without a delete, what needs one is not applicable."""
    report = lab.exam(lambda: Flight().do)
    assert (report.passed, report.failed) == (ALL - {6}, set())


def test_hanging_has_a_verdict_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Waiting for ever is not just failing, and the trace ends with who waits."""
    report = lab.exam(zoo.TellsNobodyOfErrors)
    assert report.results[1].verdict == "hangs"
    report.print_steps(2)
    assert "wait for ever (×9)" in capsys.readouterr().out


def test_what_blocks_the_loop_is_ended_within_seconds() -> None:
    """A thread's lock across an `await` stops everything; the exam goes on, and says where it stood."""
    start = time.perf_counter()
    report = lab.exam(zoo.Blocks)
    assert time.perf_counter() - start < 20  # two on an idle machine; this is against hanging, not about speed
    assert report.failed == ALL
    assert "with self.lock" in report.results[0].why


def test_what_polls_without_a_pause_is_examined_in_real_time() -> None:
    """Virtual time does not go on there, but the flight is right."""
    assert lab.exam(zoo.Polls).failed == set()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (None, "exam() needs a function that builds a fresh subject"),
        (lambda: 42, "make() built a int, which has no get(key, load)"),
        (lambda: lambda: None, "its get does not take (key, load)"),
        (lambda: 1 / 0, "make() raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_subject_gets_a_sentence(make: Any, says: str) -> None:
    """One sentence for people, no traceback, and nothing passed."""
    report = lab.exam(make)
    assert says in " ".join(str(report).split())
    assert (report.passed, report.failed) == (set(), ALL)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_raised_by_the_subject_is_a_failure_like_others(interrupt: type[BaseException]) -> None:
    """The notebook lives on."""

    async def get(key: Any, load: Any) -> Any:
        raise interrupt

    assert 1 in lab.exam(lambda: get).failed


def test_the_report_shows_a_line_for_each_item(capsys: pytest.CaptureFixture[str]) -> None:
    """Item, verdict and a sentence, and a last line that counts."""
    lab.exam(zoo.NoFlight).show()
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines if line[:1].isdigit()][:8] == list("12345678")
    assert lines[0] == f"{'1  many callers, one load':<30}{'fail':<16}100 concurrent callers caused 100 loads."
    assert lines[-1] == "6 passed, 1 failed."
    assert max(map(len, lines)) <= 92


def test_the_counter_example_tells_who_did_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The steps that lead to the failure, in order, and the verdict below them."""
    lab.exam(zoo.LoadsInItsFirstCaller).print_steps(3)
    lines = [line.split(maxsplit=1)[-1] for line in capsys.readouterr().out.splitlines()]
    assert [" ".join(line.split()) for line in lines[1:-1]] == [
        "caller 1 calls",
        "load 1 begins, reads 1",
        "caller 2 calls",
        "caller 3 calls",
        "caller 1 leaves",
        "load 1 is cancelled",
        "caller 2 is cancelled",
        "caller 3 is cancelled",
    ]


def test_every_item_can_be_drawn() -> None:
    """A picture, with the same steps and the verdict in words."""
    report = lab.exam(zoo.LockAcrossTheLoad)
    pictures = [report.plot(number) for number in sorted(ALL)]
    assert all(picture.png.startswith(b"\x89PNG") for picture in pictures)
    assert all("begins, reads" in picture.words for picture in pictures)


def test_there_is_no_trace_of_an_item_that_does_not_exist() -> None:
    """An error says so."""
    with pytest.raises(ValueError, match="no record of an item 9"):
        lab.exam(zoo.Right).print_steps(9)


def test_it_works_where_a_loop_is_running() -> None:
    """As in a notebook's cell."""

    async def cell() -> set[int]:
        return lab.exam(ours).passed

    assert asyncio.run(cell()) == ALL


@pytest.mark.parametrize("make", [ours, ours_for_threads])
def test_an_exam_takes_no_longer_than_a_learner_waits(make: Callable[[], Any]) -> None:
    """Of one implementation, on a loop or on threads: a tenth and two thirds of a second, if the machine is idle."""
    start = time.perf_counter()
    lab.exam(make)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("subject", [zoo.ClearsTheNewer, zoo.TellsNobodyOfErrors, zoo.Raises, zoo.CountsFailures])
def test_a_broken_flight_leaves_the_page_clean(
    subject: type[zoo.Right], capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    """No warning and no complaint of a loop reaches the notebook, in which such things are compared."""
    lab.exam(subject)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_threads_leave_no_thread_behind() -> None:
    """Unless they hang, the exam's threads end with it."""
    before = threading.active_count()
    lab.exam(ours_for_threads)
    assert threading.active_count() <= before


@pytest.mark.parametrize("name", lab.installed_subjects())
def test_what_is_installed_gets_a_whole_table(name: str) -> None:
    """Whatever it is worth, every item has a verdict and a sentence."""
    report = lab.exam(lab.installed_subjects()[name])
    assert report.problem == ""
    assert [result.item.number for result in report.results] == sorted(ALL)
    assert all(result.why for result in report.results)
    assert 1 in report.passed


def test_libraries_are_never_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed is not in the list, and its module is not touched."""

    def nothing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("cachelab.lab.flight_exam.subjects.import_module", nothing)
    assert lab.installed_subjects() == {}
