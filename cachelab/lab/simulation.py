"""Two ways to run a scenario in virtual time: `simulate` from a notebook, `run` from plain code.

A notebook already has a running event loop, and it must stay able to stop the cell. So `simulate` runs the virtual
loop in short slices, each from a plain callback of the notebook's loop (where no task is current, which every Python
version accepts), and while a slice runs an interrupt raises at once, in an endless loop too.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from cachelab.lab.virtual import VirtualLoop

__all__ = ["run", "simulate"]

T = TypeVar("T")
SLICE_S = 0.05  # real seconds a simulation runs before the notebook's own loop gets its turn


def run(scenario: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run `scenario(*args)` in virtual time and return its result; for plain code, where no loop is running."""
    loop = VirtualLoop()
    task = loop.create_task(scenario(*args))
    task.add_done_callback(lambda _: loop.stop())
    try:
        while not task.done():
            loop.run_slice(1.0)
    finally:
        loop.close()
    return task.result()


async def simulate(scenario: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    """Run `scenario(*args)` in virtual time from a notebook's `await`, and return its result.

    Raises what the scenario raises, `Deadlock`, or CancelledError when interrupted.
    """
    outer = asyncio.get_running_loop()
    result: asyncio.Future[T] = outer.create_future()
    ended = outer.create_future()
    loop = VirtualLoop()
    task = loop.create_task(scenario(*args))
    task.add_done_callback(lambda _: loop.stop())

    def drive() -> None:
        error: BaseException | None = None
        interrupted = False
        try:
            if not result.cancelled():
                with _interrupts_raise():
                    loop.run_slice(SLICE_S)
                if not task.done():
                    outer.call_soon(drive)
                    return
        except KeyboardInterrupt:
            interrupted = True
        except BaseException as raised:
            error = raised
        at = loop._now
        loop.close()
        ended.cancel()
        if interrupted:
            result.cancel(f"interrupted at {at:.3f} s of virtual time")
            signal.raise_signal(signal.SIGINT)  # the notebook's own handler has its say as well
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

    outer.call_soon(drive)
    try:
        return await result
    finally:
        while not ended.done():
            with suppress(asyncio.CancelledError):
                await ended


@contextmanager
def _interrupts_raise() -> Iterator[None]:
    """While a slice runs, Ctrl-C raises at once; Jupyter's own handler would wait for the slice to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
