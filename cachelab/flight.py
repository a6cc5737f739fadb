"""Single flight: however many callers ask for a key at once, it is loaded once, and all of them get that answer.

Problem: a popular key is missing, a thousand callers notice in the same moment, and the origin is asked a thousand
    times for one thing (a cache stampede).
Idea: a table of the loads that are in the air. Who finds his key there waits for that load; who does not starts it.
Guarantee: one load per key in flight, in a task of its own, so that it outlives every one of its callers, also the
    first: to cancel one harms no other, and when all have left it still goes on to its end. A failed load gives every
    waiter its error and is forgotten; None is an answer like any other. After `forget(key)` nobody joins the old load,
    and the old one's clean-up leaves a newer one alone. Nothing is kept for keys that nobody loads.
Not guaranteed: anything in another process, thread or event loop; an end to a load that never ends (give it a time-out
    of its own). A load that asks for its own key, itself or in a task that it started, gets a RuntimeError, but by way
    of a second key it waits for itself. All waiters get the same error object: do not change it.
Cost: a task for each load and a future for each caller.
Source: golang.org/x/sync/singleflight. There the load runs in its first caller's goroutine, which nobody can cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

from cachelab.events import LoadAbandoned

__all__ = ["Flight"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Call:
    """One load in the air: those who wait for it, in the order in which they came."""

    __slots__ = ("waiters",)

    def __init__(self) -> None:
        self.waiters: dict[asyncio.Future[Any], None] = {}


_loading: ContextVar[_Call | None] = ContextVar("_loading", default=None)  # the load that this code is a part of


class Flight:
    """The loads in flight on one event loop.

    `len(flight)`    keys in flight
    `key in flight`  whether `do` would join a load now: ask it just before, without an `await` between
    `async with`     cancels what still flies at its end, and waits for it: see `aclose`
    """

    def __init__(self) -> None:
        self._calls: dict[Any, _Call] = {}  # what a caller may join
        self._tasks: dict[asyncio.Task[Any], None] = {}  # all, the forgotten too: a loop holds its tasks only weakly
        self._closed = False

    async def do(self, key: K, load: Callable[[K], Awaitable[V]]) -> V:
        """The answer of `load(key)`: of the one in flight for this key, else of one that starts now.

        The load runs in a copy of its first caller's context. Raises what the load raises; `LoadAbandoned` if it was
        cancelled; RuntimeError if it asks for its own key, or if the flight is closed.
        """
        call = self._calls.get(key)
        if call is None:
            call = self._start_load(key, load)
        elif call is _loading.get():
            raise RuntimeError(f"The load of {key!r} asks for {key!r} itself: it would wait for its own end.")
        waiter: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        call.waiters[waiter] = None
        try:
            return await waiter  # to cancel this caller cancels only this
        except asyncio.CancelledError:
            call.waiters.pop(waiter, None)
            raise
        finally:
            del waiter  # it holds the error, whose traceback holds this frame: a circle

    def start(self, key: K, load: Callable[[K], Awaitable[V]]) -> None:
        """Begin `load(key)` and do not wait for it; its error is nobody's. Nothing happens if one is in flight for this
        key, or if the flight is closed.
        """
        if key not in self._calls and not self._closed:
            self._start_load(key, load)

    def _start_load(self, key: K, load: Callable[[K], Awaitable[V]]) -> _Call:
        if self._closed:
            raise RuntimeError("This flight is closed: it starts no more loads.")
        call = self._calls[key] = _Call()
        task = asyncio.get_running_loop().create_task(self._run_load(key, load, call))
        self._tasks[task] = None
        task.add_done_callback(partial(self._finish_load, key, call))
        return call

    async def _run_load(self, key: K, load: Callable[[K], Awaitable[V]], call: _Call) -> V:
        _loading.set(call)  # in the context of this task and of those that it starts
        try:
            return await load(key)
        finally:
            self._clear(key, call)  # now, not when `_finish_load` gets its turn: who calls from here on loads anew

    def _clear(self, key: Hashable, call: _Call) -> None:
        if self._calls.get(key) is call:  # else it was forgotten, and a newer load may fly in its place
            del self._calls[key]

    def _finish_load(self, key: Hashable, call: _Call, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task)
        self._clear(key, call)  # a task that is cancelled before its first step has not
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or not isinstance(error, Exception | None):
            # its waiters are neither cancelled nor interrupted themselves
            error = LoadAbandoned(f"The load of {key!r} was cancelled before it had an answer.")
        for waiter in call.waiters:
            if waiter.done():  # its caller has left
                continue
            if error is None:
                waiter.set_result(task.result())
            else:
                waiter.set_exception(error)
        call.waiters.clear()  # they hold the error, whose traceback holds the call: another circle

    def forget(self, key: Hashable) -> None:
        """Let callers from now on start a new load. Those who wait already get the old one's answer."""
        self._calls.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._calls

    def __len__(self) -> int:
        return len(self._calls)

    async def aclose(self) -> None:
        """Cancel every load, also the forgotten ones, and wait until they have ended; their waiters are told.

        A closed flight starts no more loads. As long as a load refuses to be cancelled, this waits for it.
        """
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Flight:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
