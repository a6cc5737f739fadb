"""A plug-in of pytest, `-p tests.support.eager_tasks`: every task of every loop is eager, from Python 3.12 on.

An eager task runs until its first wait inside the call that makes it.
"""

import asyncio
from typing import Any, cast

from cachelab.lab.sim.virtual_loop import VirtualLoop

__all__: list[str] = []

initialise = asyncio.BaseEventLoop.__init__
create_lazily = VirtualLoop.create_task


def make_eager(loop: Any, *arguments: Any) -> None:
    """Initialise a loop of asyncio and give it the factory."""
    initialise(loop, *arguments)
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]


def create_eagerly(loop: VirtualLoop, coro: Any, *, name: object = None, context: Any = None, **options: Any) -> Any:
    """As `VirtualLoop.create_task`, but the task begins at once if the loop is running."""
    if asyncio._get_running_loop() is not loop:
        return create_lazily(loop, coro, name=name, context=context)
    loop._tasks_made += 1
    name = str(name or f"task {loop._tasks_made:06d}")
    return asyncio.Task(coro, loop=loop, name=name, context=context, eager_start=True)  # type: ignore[call-arg,unused-ignore]


asyncio.BaseEventLoop.__init__ = cast(Any, make_eager)  # type: ignore[method-assign]
VirtualLoop.create_task = cast(Any, create_eagerly)  # type: ignore[method-assign]
