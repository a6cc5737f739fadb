"""Run a learner's code so that nothing it does can hang or kill the notebook.

The code runs in a thread of its own, on virtual time. If it is not back in time, the thread is told to stop (that ends
an endless loop) or left behind (a blocked lock cannot be ended from outside, and costs nothing), and the learner is
told where it was.
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

_OURS = (str(Path(__file__).resolve().parent.parent), sysconfig.get_path("stdlib"))


class Stuck(Exception):
    """The code did not come back in time; the text says where it was."""


class _Stop(BaseException):
    """Raised inside the thread that has to end."""


def run_sandboxed(work: Callable[[], str], seconds: float = 10.0) -> str:
    """`work()` in a thread of its own. Raises what it raises, or `Stuck` after so many real seconds."""
    outcome: list[str | BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # also SystemExit and KeyboardInterrupt: the notebook must live on
            outcome.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(target,), daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise Stuck(_position(thread))
    finally:
        _end(thread)
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _end(thread: threading.Thread) -> None:
    for _ in range(20):  # code that catches everything needs telling more than once
        if not thread.is_alive() or thread.ident is None:
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop))
        thread.join(0.05)


def _position(thread: threading.Thread) -> str:
    """Where the learner's code is. In a loop that awaits it is at moments the event loop's turn: look again, then."""
    for _ in range(100):
        frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
        while frame is not None:
            if _is_learners(frame.f_code.co_filename):
                return _line(frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        time.sleep(0.001)
    return ""


def explain_failure(error: BaseException) -> str:
    """One sentence for what the learner's code did: raised, waited for ever, did not come back."""
    if isinstance(error, Stuck):
        where = f" It was at {error}." if str(error) else ""
        return (
            f"Your code did not come back: an endless loop, a lock that is never released, or a blocking call.{where}"
        )
    if isinstance(error, Deadlock):
        return f"Your code waits for something that never comes. {error}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_learners(frame.filename)]
    where = f", at {_line(lines[-1].filename, lines[-1].lineno or 0)}" if lines else ""
    name = "CancelledError" if isinstance(error, asyncio.CancelledError) else type(error).__name__
    return f"Your code raised {name}: {error}{where}."


def _is_learners(filename: str) -> bool:
    return not filename.startswith((*_OURS, "<frozen")) and "site-packages" not in filename


def _line(filename: str, number: int) -> str:
    return f"line {number}: `{linecache.getline(filename, number).strip()}`"
