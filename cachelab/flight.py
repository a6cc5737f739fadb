"""Single flight: however many callers want a key at once, it is loaded once, and all of them get that answer.

Problem: a popular key is missing, a thousand callers notice it at the same moment, and the origin gets a thousand
    queries for one value (a cache stampede).
Idea: a table of the loads in flight. A caller that finds its key there waits for that load; any other caller starts
    one.
Guarantee: there is one load per key in flight. It runs in a task of its own, so it outlives all of its callers, even
    the first: cancelling one caller harms no other, and when all have gone the load still runs to its end. A failed
    load gives its error to every waiter and is forgotten. One that is cancelled, or interrupted by KeyboardInterrupt or
    SystemExit, gives them `LoadAbandoned`; the interrupt leaves the event loop, once. None is an answer like any other.
    After `forget(key)` no new caller joins the old load, and when the old load ends it leaves a newer one alone.
    Nothing is kept for keys that are not being loaded. A load sees none of its first caller's context variables (a
    tenant, a database session of the request), since other callers get its answer too. A load that would wait for its
    own end gets a RuntimeError: directly, in a task that it started, or by way of other keys and other flights of the
    same loop.
Not guaranteed: anything across processes, threads or event loops; that a load ends (give it a time-out of its own). All
    waiters get the same error object, without what one of them was handling (`__context__`), so do not change it. A
    flight does not bound how many keys are loaded at once. Since loads outlive their callers, an attack with distinct
    unknown ids builds a backlog at the origin that stays when the attack has ended. A time-out is the wrong cure: once
    each load waits longer than the time-out, all fail, and the callers that try again keep it so (metastable). A
    bulkhead in the loader, under the flight, is the right one: it refuses what is over the bound, and the rest is fast.
Cost: a task for each load and a future for each caller.
Source: golang.org/x/sync/singleflight. There the load runs in its first caller's goroutine, which cannot be cancelled.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, TypeVar

from cachelab.entry import checked_instance
from cachelab.events import SharedError, abandoned, answer_or_raise, drop_context

__all__ = ["Flight", "carry"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Call:
    """One load in flight, in one of the flights.

    `waiters`    the futures of the callers that wait for it, in the order in which they came
    `waits_for`  the loads whose answers its own code waits for now
    """

    __slots__ = ("key", "waiters", "waits_for")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.waiters: dict[asyncio.Future[Any], None] = {}
        self.waits_for: list[_Call] = []

    def begin_wait(self, other: _Call) -> None:
        """Note that this load waits for another one. Raises RuntimeError if that one waits for this one."""
        seen, to_visit = set[_Call](), [other]
        while to_visit:
            call = to_visit.pop()
            if call is self:
                by_way = "itself" if other is self else f"by way of {other.key!r}"
                raise RuntimeError(
                    f"The load of {self.key!r} asks for {self.key!r} {by_way}: it would wait for its own end."
                )
            if call not in seen:
                seen.add(call)
                to_visit += call.waits_for
        self.waits_for.append(other)


_carried: list[ContextVar[Any]] = []
_loading: ContextVar[_Call | None] = ContextVar("_loading", default=None)  # the load that the running code is part of


def carry(variable: ContextVar[V]) -> ContextVar[V]:
    """From now on each load, of every flight, sees what this variable is for its first caller. Returns the variable.

    It is for what no answer depends on, such as the number of the request under which events are filed.
    """
    _carried.append(variable)
    return variable


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What the task raised, if anything. Unlike `task.exception()` it returns a CancelledError too."""
    try:
        return task.exception()
    except asyncio.CancelledError as error:
        return error


class Flight:
    """The loads in flight on one event loop. A flight is true, even when it has no loads.

    `len(flight)`    how many keys are in flight
    `key in flight`  whether `do` would join a load now: test it just before the call, without an `await` in between
    `async with`     at the end of the block, cancels the loads that still run and waits for them: see `aclose`
    `context`        the context variables with which each load starts, in a copy; by default none is set
    """

    def __init__(self, *, context: Context | None = None) -> None:
        self._context = Context() if context is None else context
        checked_instance("context", self._context, Context)
        self._owner: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[Any, _Call] = {}  # the loads that a caller can join
        self._tasks: dict[asyncio.Task[Any], None] = {}  # even of forgotten loads: a loop holds its tasks only weakly
        self._closed = False

    async def do(self, key: K, load: Callable[[K], Awaitable[V]]) -> V:
        """The answer of `load(key)`: of the load in flight for this key, or else of one that starts now.

        Raises what the load raises; `LoadAbandoned` if the load was cancelled; RuntimeError if a load would wait for
        its own end, if the flight is closed, or if it has loads on another event loop.
        """
        loop = self._running_loop()
        call = self._calls.get(key)
        if call is None:
            call = self._start_load(key, load)
        inside = _loading.get()
        if inside is not None:
            inside.begin_wait(call)  # raises RuntimeError if that load waits for this one
        waiter: asyncio.Future[V | SharedError] = loop.create_future()
        call.waiters[waiter] = None
        try:
            return answer_or_raise(await waiter)  # this caller's own future: cancelling the caller cancels nothing else
        except asyncio.CancelledError:
            call.waiters.pop(waiter, None)
            raise
        finally:
            if inside is not None:
                inside.waits_for.remove(call)
            del waiter  # it may hold an error, whose traceback holds this frame: a reference cycle

    def start(self, key: K, load: Callable[[K], Awaitable[V]]) -> None:
        """Start `load(key)` and do not wait for it; if it fails, its error is dropped.

        Nothing happens if a load is in flight for this key, or if the flight is closed.
        """
        self._running_loop()
        if key not in self._calls and not self._closed:
            self._start_load(key, load)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. If the flight has loads on another one, that is a RuntimeError, or they ended with it."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._tasks and self._loop is not None and not self._loop.is_closed():
                raise RuntimeError("This flight has loads on another event loop: build one inside each loop.")
            self._calls.clear()  # a closed loop runs no load to its end
            self._tasks.clear()
            self._loop = loop
        return loop

    def _start_load(self, key: K, load: Callable[[K], Awaitable[V]]) -> _Call:
        if self._closed:
            raise RuntimeError("This flight is closed: it starts no more loads.")
        call = self._calls[key] = _Call(key)
        context = self._context.copy()
        for variable in _carried:
            value = variable.get(call)  # `call` stands for: not set
            if value is not call:
                context.run(variable.set, value)
        task = context.run(asyncio.get_running_loop().create_task, self._run_load(key, load, call))
        self._tasks[task] = None
        task.add_done_callback(partial(self._finish_load, key, call))
        return call

    async def _run_load(self, key: K, load: Callable[[K], Awaitable[V]], call: _Call) -> V:
        _loading.set(call)  # in the context of this task and of the tasks that it starts
        handled = sys.exception()  # None, unless the task is eager: then it begins inside its first caller
        try:
            return await load(key)
        except BaseException as error:
            drop_context(error, handled)
            raise
        finally:
            del handled
            self._clear(key, call)  # now, and not only in `_finish_load`: the next caller must load anew

    def _clear(self, key: Hashable, call: _Call) -> None:
        if self._calls.get(key) is call:  # otherwise it was forgotten, and a newer load may be in its place
            del self._calls[key]

    def _finish_load(self, key: Hashable, call: _Call, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task)
        self._clear(key, call)  # a task that was cancelled before its first step has not cleared it
        error = _error_of(task)
        if error is not None and not isinstance(error, Exception):  # the waiters were not cancelled
            error = abandoned(key, error)
        answer = task.result() if error is None else SharedError(error)
        for waiter in call.waiters:
            if not waiter.done():  # otherwise its caller was cancelled
                waiter.set_result(answer)
        call.waiters.clear()  # they hold the error, whose traceback holds the call: another reference cycle

    def reserve(self, owner: str) -> None:
        """A cache calls this with its name. Raises ValueError the second time: two caches would share their keys."""
        if self._owner is not None:
            raise ValueError(f"This flight belongs to the cache {self._owner!r}: build another one for {owner!r}.")
        self._owner = owner

    def forget(self, key: Hashable) -> None:
        """Let the next caller start a new load. The callers that already wait get the old load's answer."""
        self._calls.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._calls

    def __len__(self) -> int:
        return len(self._calls)

    def __bool__(self) -> bool:
        return True  # `__len__` alone would make a flight without loads false

    async def aclose(self) -> None:
        """Cancel every load, even the forgotten ones, and wait until all have ended. Their waiters get `LoadAbandoned`.

        A closed flight starts no more loads. If a load refuses to be cancelled, this waits until it ends.
        """
        self._running_loop()
        if not self._closed:  # a second cancellation would end what a load does to clean up
            self._closed = True
            for task in self._tasks:
                task.cancel("The flight was closed.")
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> Flight:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
