"""Single flight for threads: the same rule as `cachelab.flight`, for synchronous code.

Problem: a pool of threads misses the same key in the same moment, and each thread asks the origin.
Idea: a table of the loads that are in the air, under a lock. Who finds his key there waits for that load; who does not
    loads in his own thread, and without the lock, so that other keys do not wait.
Guarantee: one load per key in flight. A failed load gives every waiter its error and is forgotten; None is an answer
    like any other. If the load is ended by KeyboardInterrupt or SystemExit, that goes to the caller who runs it, and
    the waiters get `LoadAbandoned`. After `forget(key)` nobody joins the old load, and the old one's clean-up leaves a
    newer one alone. Nothing is kept for keys that nobody loads.
Not guaranteed: anything in another process. The load runs in its first caller's thread and dies with it; a waiter
    waits as long as the load does. A load that asks for its own key gets a RuntimeError, but by way of another thread
    or a second key it waits for itself. All waiters get the same error object: do not change it. A second interrupt
    within the few lines that clean up after a load can leave its waiters waiting.
Cost: an event and the lock twice for each caller.
Source: golang.org/x/sync/singleflight, nearly line by line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any, TypeVar

from cachelab.events import LoadAbandoned

__all__ = ["ThreadFlight"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Call:
    """One load in the air. Until it has finished with an answer, its answer is that there is none."""

    __slots__ = ("error", "finished", "thread", "traceback", "value")

    def __init__(self, key: Hashable) -> None:
        self.thread = threading.get_ident()
        self.finished = threading.Event()
        self.value: Any = None
        self.error: Exception | None = LoadAbandoned(f"The load of {key!r} was interrupted before it had an answer.")
        self.traceback: TracebackType | None = None

    def answer(self) -> Any:
        """The value, or the error, to each with the traceback it came with: else it would grow with every waiter."""
        if self.error is not None:
            raise self.error.with_traceback(self.traceback)
        return self.value


class ThreadFlight:
    """The loads in flight in this process, for threads.

    `len(flight)`    keys in flight
    `key in flight`  whether there is a load to join; with other threads about, it may have finished a moment later
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[Any, _Call] = {}

    def do(self, key: K, load: Callable[[K], V]) -> V:
        """The answer of `load(key)`: of the one in flight for this key, else of one that this thread runs now.

        Raises what the load raises; `LoadAbandoned` if the load it waited for was interrupted; RuntimeError if the load
        asks for its own key.
        """
        mine = _Call(key)
        try:  # from the moment when it stands in the table somebody has to land it
            with self._lock:
                call = self._calls.setdefault(key, mine)
            if call is mine:
                mine.value = load(key)
                mine.error = None
            elif call.thread == mine.thread:
                raise RuntimeError(f"The load of {key!r} asks for {key!r} itself: it would wait for its own end.")
            else:
                call.finished.wait()
        except Exception as error:
            mine.error, mine.traceback = error, error.__traceback__
            raise
        finally:
            self._finish_load(key, mine)
        answer: V = call.answer()
        return answer

    def _finish_load(self, key: Hashable, call: _Call) -> None:
        with self._lock:
            if self._calls.get(key) is call:  # else it was forgotten, and another load may fly in its place
                del self._calls[key]
        call.finished.set()

    def forget(self, key: Hashable) -> None:
        """Let callers from now on start a new load. Those who wait already get the old one's answer."""
        with self._lock:
            self._calls.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._calls

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)
