"""Run a learner's code so that nothing it does can hang or end the notebook, or fill it with printed lines.

The code runs in a thread of its own. If it does not return in time, an exception is raised in the thread, which ends an
endless loop. A blocked thread does not notice the exception: it is left behind, where it costs nothing. Code that
catches the exception again and again is left behind as well, and takes the processor from what runs later:
`left_running` tells where it is. The learner is told at which line the code was.

One thing cannot be ended from inside the process: a single call that holds the interpreter, such as a regular
expression that explodes or `sum(range(10**11))`. No other thread runs until it is over. A process of its own could be
ended, but a learner's code lives in its notebook and cannot be sent to one, and to fork a notebook's kernel, with its
threads and sockets, is not safe. Chapter 0 says what to do then.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import io
import linecache
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from cachelab.lab.sim.virtual_loop import Deadlock

__all__ = [
    "Stuck",
    "explain_failure",
    "is_learner_code",
    "left_running",
    "raised_at",
    "raised_by_learner",
    "run_sandboxed",
]

_NOT_LEARNER_CODE = (str(Path(__file__).resolve().parent.parent), sysconfig.get_path("stdlib"))  # folders

MAX_PRINTED = 5_000
"""Characters that the code may print: some eighty lines."""
_left_behind: list[threading.Thread] = []  # they did not end when they were told to


class Stuck(Exception):
    """The code did not return in time. The text is the line where it was."""


class _StopThread(SystemExit):
    """Raised inside the thread that has to end. It ends an event loop, too, which keeps other errors in their tasks."""


def run_sandboxed(work: Callable[[], str], seconds: float = 10.0) -> str:
    """Return `work()`, run in a thread of its own. Raises what it raises, or `Stuck` after so many real seconds.

    Of what it prints, the beginning is shown.
    """
    outcome: list[str | BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # also SystemExit and KeyboardInterrupt: the notebook must go on
            outcome.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(target,), daemon=True)
    with _only_the_beginning_is_printed():
        thread.start()
        try:
            thread.join(seconds)
            if thread.is_alive():
                raise Stuck(_learners_line(thread))
        finally:
            _stop(thread)
            if thread.is_alive():
                _left_behind.append(thread)
                _calm_the_other_threads()
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _stop(thread: threading.Thread) -> None:
    for _ in range(20):  # code that catches every exception does not end at the first
        if not thread.is_alive() or thread.ident is None:
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_StopThread))
        thread.join(0.05)


def _calm_the_other_threads() -> None:
    """Let a thread of our own take an exception such as the one that waits in a thread that is blocked.

    Up to Python 3.12, an exception that waits in any thread makes all of them look for it at each step, and one that
    has a profile function gets no further (3.11). The first thread that takes one ends the search. A blocked thread
    finds its own all the same when it goes on.
    """

    def wait_for_it() -> None:
        with suppress(_StopThread):
            while True:
                time.sleep(0.001)

    thread = threading.Thread(target=wait_for_it, daemon=True)
    thread.start()
    _stop(thread)


def left_running() -> str | None:
    """Where an earlier learner's code still runs, which nothing could end: its line, or "" if no line could be found.

    None if nothing of the kind runs. Code that is blocked does not run.
    """
    moving = [thread for thread in _left_behind if _moves(thread)]
    for thread in moving:
        thread.join(2.0)  # it may have been blocked until now, and be about to end
    _left_behind[:] = [thread for thread in _left_behind if thread.is_alive()]
    running = [thread for thread in moving if thread.is_alive() and _moves(thread)]
    return _learners_line(running[0]) if running else None


def _moves(thread: threading.Thread) -> bool:
    """Whether a thread runs, and is not blocked: it comes to other places in its code within some milliseconds."""
    places = set()
    for _ in range(20):
        frame = sys._current_frames().get(thread.ident or 0)
        places.add((id(frame), frame and frame.f_lasti))
        time.sleep(0.002)
    return len(places) > 1


@contextmanager
def _only_the_beginning_is_printed() -> Iterator[None]:
    with redirect_stdout(_Beginning(sys.stdout)), redirect_stderr(_Beginning(sys.stderr)):
        yield


class _Beginning(io.TextIOBase):
    """Pass on the first `MAX_PRINTED` characters, and then say once that the rest is left out."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._left = MAX_PRINTED

    def write(self, text: str) -> int:
        if len(text) <= self._left:
            self._target.write(text)
            self._left -= len(text)
        elif self._left >= 0:
            self._target.write(f"{text[: self._left]}\n… (your code prints more: the rest is left out)\n")
            self._left = -1
        return len(text)

    def flush(self) -> None:
        self._target.flush()


def _learners_line(thread: threading.Thread) -> str:
    """The line of the learner's code that the thread runs now, or "" if it could not be found."""
    for _ in range(100):  # code that awaits lets the event loop run now and then: at such a moment no line of it runs
        frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
        while frame is not None:
            if is_learner_code(frame.f_code.co_filename):
                return _line(frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        time.sleep(0.001)
    return ""


def explain_failure(error: BaseException) -> str:
    """Say in a sentence how the learner's code failed: it raised an error, waits for ever, or did not return."""
    if isinstance(error, Stuck):
        where = f" It was at {error}." if str(error) else ""
        return (
            f"Your code did not come back: an endless loop, a lock that is never released, or a blocking call.{where}"
        )
    if isinstance(error, Deadlock):
        return f"Your code waits for something that never comes. {error}"
    name = "CancelledError" if isinstance(error, asyncio.CancelledError) else type(error).__name__
    said = ": ".join(filter(None, [name, str(error).rstrip(".")]))
    return f"Your code raised {said}{raised_at(error)}."


def raised_at(error: BaseException) -> str:
    """The innermost line of a learner's code that an error has passed: ", at line 7: `…`", or "" if there is none."""
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if is_learner_code(frame.filename)]
    return f", at {_line(lines[-1].filename, lines[-1].lineno or 0)}" if lines else ""


def raised_by_learner(error: BaseException | None) -> bool:
    """Whether there is an exception, and it comes from a learner's code or a library that it calls."""
    frames = traceback.extract_tb(error.__traceback__) if isinstance(error, Exception) else []
    return bool(frames) and not frames[-1].filename.startswith(_NOT_LEARNER_CODE[0])


def is_learner_code(filename: str) -> bool:
    """Whether a file is a learner's: it belongs neither to this package, nor to Python, nor to a library."""
    return not filename.startswith((*_NOT_LEARNER_CODE, "<frozen")) and "site-packages" not in filename


def _line(filename: str, number: int) -> str:
    return f"line {number}: `{linecache.getline(filename, number).strip()}`"
