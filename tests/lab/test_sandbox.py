"""The sandbox for a learner's code: an endless loop is ended, and a thread that waits for a lock is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cachelab.lab.sandbox import run_sandboxed


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
