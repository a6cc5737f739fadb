"""Single flight for threads: the same rule as `cachelab.flight`, for synchronous code.

Problem: the threads of a pool miss the same key at the same moment, and each of them queries the origin.
Idea: a table of the loads in flight, under a lock. A thread that finds its key there waits for that load. Any other
    thread loads, without holding the lock, so that other keys do not wait.
Guarantee: there is one load per key in flight. A failed load gives its error to every waiter and is forgotten. None is
    an answer like any other. If KeyboardInterrupt or SystemExit ends a load, the caller that runs it gets that, and the
    waiters get `LoadAbandoned`; an interrupt of a waiter ends its wait only. After `forget(key)` no new caller joins
    the old load, and when the old load ends it leaves a newer one alone. Nothing is kept for keys that are not being
    loaded.
Not guaranteed: anything in another process. The load runs in its first caller's thread and ends with that thread. A
    waiter waits as long as the load takes. A load that asks for its own key gets a RuntimeError, also by way of a
    second key in the same thread; but one that comes back to its own key by way of another thread waits for itself.
    All waiters get the same error object, without what one of them was handling (`__context__`), so do not change it.
    A second interrupt, within the few lines that clean up after a load, can leave its waiters waiting.
Cost: an event for each caller, and the lock twice.
Source: golang.org/x/sync/singleflight, nearly line by line.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from cachelab.events import LoadAbandoned, SharedError, answer_or_raise, drop_context

__all__ = ["ThreadFlight"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Call:
    """One load in flight. Until the load has an answer, the answer is the error that there is none."""

    __slots__ = ("answer", "finished", "thread")

    def __init__(self, key: Hashable) -> None:
        self.thread = threading.get_ident()
        self.finished = threading.Event()
        none = LoadAbandoned(f"The load of {key!r} was interrupted before it had an answer.")
        self.answer: Any = SharedError(none)


class ThreadFlight:
    """The loads in flight in this process, for threads. A flight is true, even when it has no loads.

    `len(flight)`    how many keys are in flight
    `key in flight`  whether there is a load to join; while other threads run, it may have ended a moment later
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[Any, _Call] = {}

    def do(self, key: K, load: Callable[[K], V]) -> V:
        """The answer of `load(key)`: of the load in flight for this key, or else of one that this thread runs now.

        Raises what the load raises; `LoadAbandoned` if the load it waited for was interrupted; RuntimeError if the load
        asks for its own key.
        """
        call = mine = _Call(key)
        handled = sys.exception()  # by this caller, if it is in an `except` block
        try:  # once the call is in the table, it must be finished whatever happens
            with self._lock:
                call = self._calls.setdefault(key, mine)
            if call is mine:
                mine.answer = load(key)
            elif call.thread == mine.thread:
                raise RuntimeError(f"The load of {key!r} asks for {key!r} itself: it would wait for its own end.")
            else:
                call.finished.wait()
            answer: V | SharedError = call.answer
        except Exception as error:
            drop_context(error, handled)
            mine.answer = SharedError(error)
            raise
        except BaseException as interrupt:
            drop_context(interrupt, handled)
            if isinstance(mine.answer, SharedError):
                mine.answer.error.__cause__ = interrupt
            raise
        finally:
            self._finish_load(key, mine)
            del call, mine, handled  # they hold the error, whose traceback holds this frame: a reference cycle
        try:
            return answer_or_raise(answer)
        finally:
            del answer

    def _finish_load(self, key: Hashable, call: _Call) -> None:
        with self._lock:
            if self._calls.get(key) is call:  # otherwise it was forgotten, and another load may be in its place
                del self._calls[key]
        call.finished.set()

    def forget(self, key: Hashable) -> None:
        """Let the next caller start a new load. The callers that already wait get the old load's answer."""
        with self._lock:
            self._calls.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._calls

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls)

    def __bool__(self) -> bool:
        return True  # `__len__` alone would make a flight without loads false
