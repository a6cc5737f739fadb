"""The sandbox for a learner's code: an endless loop is ended, and a thread that waits for a lock is left behind."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable

import pytest

from cachelab.lab import sandbox
from cachelab.lab.sandbox import left_running, run_sandboxed


def _block_for_ever() -> str:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return ""


def _spin() -> str:
    while True:
        pass


def _swallow_everything() -> str:
    for _ in range(3):
        try:
            _spin()
        except BaseException:
            continue
    return ""


@pytest.mark.parametrize("work", [_spin, _swallow_everything])
def test_an_endless_loop_is_ended_not_left_behind(work: Callable[[], str]) -> None:
    """After the verdict no thread goes on using the processor, even if its code catches everything a few times."""
    before = set(threading.enumerate())
    with pytest.raises(Exception, match=r"line \d+: `(pass|while True:)`"):
        run_sandboxed(work, seconds=0.2)
    assert not [thread for thread in threading.enumerate() if thread not in before]


def test_a_thread_that_waits_for_a_lock_is_left_behind() -> None:
    """A wait for a lock that is never released cannot be ended from outside. The sandbox raises all the same."""
    with pytest.raises(Exception, match=r"lock\.acquire"):
        run_sandboxed(_block_for_ever, seconds=0.2)


@pytest.mark.long
def test_a_thread_that_is_left_behind_does_not_hold_up_others() -> None:
    """The exception that waits in a blocked thread concerns no other thread, not even one with a profile function."""

    def profiled() -> str:
        sys.setprofile(lambda *_: None)
        try:
            return "".join(_digit(number) for number in range(10))
        finally:
            sys.setprofile(None)

    with pytest.raises(sandbox.Stuck):
        run_sandboxed(_block_for_ever, seconds=0.2)
    assert run_sandboxed(profiled, seconds=5) == "0123456789"


def _digit(number: int) -> str:
    return str(number)


@pytest.mark.long
def test_code_that_nothing_can_end_is_reported_until_it_ends() -> None:
    """A thread that catches whatever is raised in it runs on, and its line is known; a blocked one does not run."""
    over = threading.Event()

    def catch_everything() -> str:
        while True:
            try:
                while not over.is_set():
                    pass
                return ""
            except BaseException:
                continue

    with pytest.raises(sandbox.Stuck):
        run_sandboxed(_block_for_ever, seconds=0.2)
    assert left_running() is None
    with pytest.raises(sandbox.Stuck):
        run_sandboxed(catch_everything, seconds=0.2)
    assert "line" in (left_running() or "")
    over.set()
    time.sleep(0.2)
    assert left_running() is None


def test_a_thread_that_wakes_while_it_is_looked_at_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was blocked a moment ago, so it is about to end."""
    monkeypatch.setattr(sandbox, "_left_behind", [])
    with pytest.raises(sandbox.Stuck):
        run_sandboxed(_block_for_ever, seconds=0.1)
    looks: dict[threading.Thread, int] = {}

    def moves_at_the_second_look(thread: threading.Thread) -> bool:
        looks[thread] = looks.get(thread, 0) + 1
        return looks[thread] > 1

    monkeypatch.setattr(sandbox, "_moves", moves_at_the_second_look)
    assert left_running() is None


def test_a_loop_full_of_tasks_that_never_wait_is_ended() -> None:
    """The loop does not keep what ends it in one task after the other, and go on with the next."""

    async def spin() -> None:
        while True:
            pass

    async def many() -> None:
        await asyncio.gather(*(spin() for _ in range(100)))

    before = set(threading.enumerate())
    with pytest.raises(sandbox.Stuck):
        run_sandboxed(lambda: asyncio.run(many()) or "", seconds=0.2)
    assert not [thread for thread in threading.enumerate() if thread not in before]


@pytest.mark.long
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_million_printed_lines_are_cut(stream: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The beginning is shown, and a line says once that there is more. Afterwards printing is as before."""

    def print_much() -> str:
        for number in range(1_000_000):
            print(number, file=getattr(sys, stream))
        return "done"

    assert run_sandboxed(print_much, seconds=60) == "done"
    printed = getattr(capsys.readouterr(), stream[3:])
    assert printed.startswith("0\n1\n2\n")
    assert len(printed) < sandbox.MAX_PRINTED + 100
    assert printed.count("the rest is left out") == 1
    print("as before", file=getattr(sys, stream))
    assert getattr(capsys.readouterr(), stream[3:]) == "as before\n"


def test_what_fits_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines pass unchanged."""

    def print_little() -> str:
        print("one", "two", flush=True)
        return ""

    run_sandboxed(print_little)
    assert capsys.readouterr().out == "one two\n"
