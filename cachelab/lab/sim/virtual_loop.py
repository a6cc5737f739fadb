"""Virtual time: an event loop whose clock jumps to the next timer, so that an hour takes about a second.

Problem: an experiment with real sleeps takes as long as what it models, and each run gives other results.
Idea: run the experiment on a loop of its own. When nothing can run now, set its clock to the next timer and go on.
Guarantee: the same program with the same seeds gives the same events in the same order in every process. If every task
    waits for something that can no longer happen, `Deadlock` is raised.
Not guaranteed: anything about code that blocks, reads a real clock, opens a socket or starts a thread.
Cost: a few microseconds of real time for each callback.
Source: trio's MockClock with autojump; the interface is asyncio.AbstractEventLoop.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import time
from asyncio import TimerHandle
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from typing import Any, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Deadlock", "VirtualLoop"]

T = TypeVar("T")
Callback = Callable[..., object]
_Base: Any = asyncio.AbstractEventLoop  # Any, or a type checker would demand all the methods that need I/O


class Deadlock(RuntimeError):
    """Every task waits, and no timer is left that could wake one of them."""


class VirtualLoop(_Base):  # type: ignore[misc]
    """An event loop without I/O. Its time starts at 0 and moves only when nothing can run at the present moment."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, TimerHandle]] = []  # a heap; the number keeps equal times in order
        self._timers_made = self._tasks_made = 0
        self._generators = _AsyncGenerators()
        self._stopping = self._closed = False

    def time(self) -> float:
        """Seconds since the start of the simulation."""
        if self._closed:
            raise RuntimeError("This simulation has ended: build caches and stores inside the scenario that uses them.")
        return self._now

    def call_soon(self, callback: Callback, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Run `callback` at the present moment, after the callbacks that are already queued for it."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callback, *args: Any, context: Context | None = None) -> TimerHandle:
        """Run `callback` at virtual second `when`. Timers of equal times fire in the order in which they were set."""
        handle = TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, handle))
        return handle

    def call_later(self, delay: float, callback: Callback, *args: Any, context: Context | None = None) -> TimerHandle:
        """Run `callback` in `delay` virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **_: Any,  # Python 3.14 passes more options
    ) -> asyncio.Task[T]:
        """A task of this loop. By default its name is its number in this simulation."""
        self._tasks_made += 1
        return asyncio.Task(coro, loop=self, name=str(name or f"task {self._tasks_made:06d}"), context=context)

    def get_task_factory(self) -> None:
        """Always None: tasks are made by `create_task`. anyio asks, and with it Starlette."""

    def run_slice(self, seconds: float) -> None:
        """Run until `stop`, or for about `seconds` of real time. Raises `Deadlock` when nothing is left to run."""
        until = time.perf_counter() + seconds
        ready = self._ready
        self._stopping = False
        with self._as_the_running_loop():
            while not self._stopping and time.perf_counter() < until:
                for _ in range(100):  # callbacks between two readings of the real clock
                    if not ready:
                        self._jump()
                    handle = ready.popleft()
                    if not handle.cancelled():
                        handle._run()  # private, but every event loop calls it
                        if self._stopping:
                            break

    def _jump(self) -> None:
        """Set the clock to the next timer, and queue all timers of that time."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers or timers[0][0] == float("inf"):
            raise _deadlock(asyncio.all_tasks(self))
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    def stop(self) -> None:
        """End the slice after the callback that is running now."""
        self._stopping = True

    def close(self) -> None:
        """Cancel the tasks that are still running, give them a second of real time to clean up, and end for good."""
        if not self._closed:
            until = time.perf_counter() + 1
            cancelled: set[asyncio.Task[Any]] = set()
            with suppress(Deadlock):
                while self._cancel_all(cancelled) and time.perf_counter() < until:
                    self.run_slice(0.1)
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def _cancel_all(self, cancelled: set[asyncio.Task[Any]]) -> bool:
        """Cancel each task once, and when none is left, close the generators. True if there is a task to wait for."""
        tasks = asyncio.all_tasks(self)
        if not tasks:
            self._generators.close_all(self)
            tasks = asyncio.all_tasks(self)
        for task in sorted(tasks - cancelled, key=asyncio.Task.get_name):
            task.add_done_callback(lambda _: self.stop())
            if task not in self._generators.closers:
                task.cancel()
        cancelled |= tasks
        return bool(tasks)

    def is_running(self) -> bool:
        """Whether this loop is the running one."""
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        """Whether the simulation has ended."""
        return self._closed

    def get_debug(self) -> bool:
        """Always False."""
        return False

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        pass  # the handle stays in the heap until its time comes

    def run_in_executor(self, *_: Any) -> Any:
        """Raises NotImplementedError: there are no threads in virtual time."""
        raise NotImplementedError("There are no threads in virtual time: call the function directly.")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Print to stderr an error that no caller receives.

        An error that ends the simulation, such as KeyboardInterrupt, is raised from `run_slice` and is not printed.
        """
        error = context.get("exception")
        if error is None or isinstance(error, Exception):
            reason = "" if error is None else f" {type(error).__name__}: {error}"
            print(f"In the simulation: {context['message']}{reason}", file=sys.stderr)

    @contextmanager
    def _as_the_running_loop(self) -> Iterator[None]:
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            with self._generators.watched(self):
                yield
        finally:
            asyncio._set_running_loop(outer)


class _AsyncGenerators:
    """The async generators that a simulation has begun. Those that have not run out are closed at its end.

    `closers`  the tasks that are closing one now
    """

    def __init__(self) -> None:
        self.closers: set[asyncio.Task[Any]] = set()
        self._count = 0
        self._open: WeakValueDictionary[int, AsyncGenerator[Any, None]] = WeakValueDictionary()  # in order of beginning

    @contextmanager
    def watched(self, loop: VirtualLoop) -> Iterator[None]:
        """Within this block, register each generator that begins, and close each one that is garbage collected."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._begin, finalizer=lambda generator: self._close(generator, loop))
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)

    def close_all(self, loop: VirtualLoop) -> None:
        """Start a task for each open generator that closes it."""
        for generator in list(self._open.values()):
            self._close(generator, loop)
        self._open.clear()

    def _begin(self, generator: AsyncGenerator[Any, None]) -> None:
        self._count += 1
        self._open[self._count] = generator

    def _close(self, generator: AsyncGenerator[Any, None], loop: VirtualLoop) -> None:
        closer = loop.create_task(generator.aclose())
        self.closers.add(closer)
        closer.add_done_callback(self.closers.discard)


def _deadlock(tasks: Iterable[asyncio.Task[Any]]) -> Deadlock:
    """The error that names each of these tasks and the line where it waits."""
    waiting = ", ".join(sorted(_where(task) for task in tasks))
    return Deadlock(f"Nothing can happen any more: every task waits and no timer runs ({waiting or 'no task'}).")


def _where(task: asyncio.Task[Any]) -> str:
    """The task's name, and the innermost line of its code that belongs neither to asyncio nor to cachelab."""
    where = task.get_name()
    coroutine: Any = task.get_coro()
    while frame := getattr(coroutine, "cr_frame", None):
        if frame.f_globals.get("__name__", "").partition(".")[0] not in ("asyncio", "cachelab"):
            where = f"{task.get_name()} in {frame.f_code.co_name}, line {frame.f_lineno}"
        coroutine = coroutine.cr_await
    return where
