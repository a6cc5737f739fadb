"""Run a learner's code so that nothing it does can hang or end the notebook.

The code runs in a thread of its own. If it does not return in time, an exception is raised in the thread, which ends an
endless loop. A blocked thread does not notice the exception: it is left behind, where it costs nothing. The learner is
told at which line the code was.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import linecache
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from cachelab.lab.sim.virtual_loop import Deadlock

__all__ = ["Stuck", "explain_failure", "run_sandboxed"]

_NOT_LEARNER_CODE = (str(Path(__file__).resolve().parent.parent), sysconfig.get_path("stdlib"))  # folders


class Stuck(Exception):
    """The code did not return in time. The text is the line where it was."""


class _StopThread(BaseException):
    """Raised inside the thread that has to end."""


def run_sandboxed(work: Callable[[], str], seconds: float = 10.0) -> str:
    """Return `work()`, run in a thread of its own. Raises what it raises, or `Stuck` after so many real seconds."""
    outcome: list[str | BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # also SystemExit and KeyboardInterrupt: the notebook must go on
            outcome.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(target,), daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise Stuck(_learners_line(thread))
    finally:
        _stop(thread)
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


def _learners_line(thread: threading.Thread) -> str:
    """The line of the learner's code that the thread runs now, or "" if it could not be found."""
    for _ in range(100):  # code that awaits lets the event loop run now and then: at such a moment no line of it runs
        frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
        while frame is not None:
            if _is_learner_code(frame.f_code.co_filename):
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
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_learner_code(frame.filename)]
    where = f", at {_line(lines[-1].filename, lines[-1].lineno or 0)}" if lines else ""
    name = "CancelledError" if isinstance(error, asyncio.CancelledError) else type(error).__name__
    return f"Your code raised {name}: {error}{where}."


def _is_learner_code(filename: str) -> bool:
    return not filename.startswith((*_NOT_LEARNER_CODE, "<frozen")) and "site-packages" not in filename


def _line(filename: str, number: int) -> str:
    return f"line {number}: `{linecache.getline(filename, number).strip()}`"
