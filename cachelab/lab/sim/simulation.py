"""Two ways to run a scenario in virtual time: `simulate` from a notebook, `run` from plain code.

A notebook already has a running event loop, and that loop must still be able to stop the cell. So `simulate` runs the
virtual loop in short slices. Each slice runs in a plain callback of the notebook's loop: no task is current there, and
every Python version accepts that. During a slice an interrupt raises KeyboardInterrupt at once, in an endless loop too.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from cachelab.lab.sim.virtual_loop import VirtualLoop

__all__ = ["run", "simulate"]

T = TypeVar("T")
for _name in ("cachelab.bus", "cachelab.store"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # the lab breaks stores and connections on purpose
SLICE_S = 0.05  # real seconds for which a simulation runs before the notebook's own loop gets its turn


def run(scenario: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run `scenario(*args)` in virtual time from plain code, where no event loop is running, and return its result."""
    _refuse_a_call(scenario)
    loop = VirtualLoop()
    task = loop.create_task(scenario(*args))
    task.add_done_callback(lambda _: loop.stop())
    try:
        while not task.done():
            _run_slice(loop)
    finally:
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # the caller knows that it was interrupted
    return task.result()


async def simulate(scenario: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run `scenario(*args)` in virtual time from a notebook's `await`, and return its result.

    Raises what the scenario raises, `Deadlock`, CancelledError when interrupted, or TypeError if `scenario` is called
    already.
    """
    _refuse_a_call(scenario)
    outer = asyncio.get_running_loop()
    result: asyncio.Future[T] = outer.create_future()
    loop = VirtualLoop()
    task = loop.create_task(scenario(*args))
    task.add_done_callback(lambda _: loop.stop())

    def next_slice() -> None:
        error: BaseException | None = None
        interrupted = False
        try:
            if not result.cancelled():
                _run_slice(loop)
                if not task.done():
                    outer.call_soon(next_slice)
                    return
        except KeyboardInterrupt:
            interrupted = True
        except BaseException as raised:
            error = raised
        at = loop.time()
        loop.close()
        if interrupted:
            result.cancel(f"interrupted at {at:.3f} s of virtual time")
            signal.raise_signal(signal.SIGINT)  # for the notebook's own handler
        elif error is not None:
            result.set_exception(error)
        elif task.cancelled():
            result.cancel()
        elif not result.done():
            failed = task.exception()
            if failed is None:
                result.set_result(task.result())
            else:
                result.set_exception(failed)

    outer.call_soon(next_slice)
    return await result  # if this is cancelled, `next_slice` is already queued and closes the loop before the wake-up


def _refuse_a_call(scenario: object) -> None:
    """Raises TypeError for `scenario()` in place of `scenario`: the call must be made on the virtual loop."""
    if inspect.iscoroutine(scenario):
        scenario.close()  # or Python would warn that it was never awaited
        raise TypeError(
            "Give the function without the parentheses that call it; its arguments follow after a comma: "
            f"lab.simulate({scenario.__name__}), not lab.simulate({scenario.__name__}())."
        )


def _run_slice(loop: VirtualLoop) -> None:
    """Run one slice, in which an interrupt raises KeyboardInterrupt. Jupyter's handler would wait for the slice to end.

    KeyboardInterrupt is raised inside a task's own code, so that its `finally` blocks run. Raised between two tasks, it
    would make the loop lose one of them. So there the first interrupt only ends the slice, and the second one raises.
    """
    if threading.current_thread() is not threading.main_thread():
        loop.run_slice(SLICE_S)
        return
    interrupts = 0

    def interrupt(_signal: int, frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        loop.stop()
        while frame is not None and frame.f_code is not VirtualLoop.run_slice.__code__:
            if interrupts > 1 or frame.f_code.co_flags & inspect.CO_COROUTINE:
                raise KeyboardInterrupt
            frame = frame.f_back

    handler = signal.signal(signal.SIGINT, interrupt)
    try:
        loop.run_slice(SLICE_S)
    finally:
        signal.signal(signal.SIGINT, handler)
    if interrupts:
        raise KeyboardInterrupt
