"""What the tests of guards share: callers whose errors are answers, and a loader that does as it is told.

A random schedule has few distinct moments and many turns of the event loop, so that calls end, begin and are cancelled
together.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.support.fakes import now

__all__ = ["Worker", "ask", "at_some_moment", "start"]


async def ask(call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
    """What the call returns, or the type of its error."""
    try:
        return await call(*arguments)
    except Exception as error:
        return type(error)


def start(call: Callable[..., Awaitable[Any]], *arguments: Any) -> asyncio.Task[Any]:
    """`ask` in a task."""
    return asyncio.create_task(ask(call, *arguments))


async def at_some_moment(chance: Random, moments: int) -> None:
    """Sleep until one of so many moments, and then for some turns of the loop."""
    await asyncio.sleep(chance.randrange(moments))
    for _ in range(chance.randrange(4)):
        await asyncio.sleep(0)


class Worker:
    """A loader. `work` says how long the call takes, and what it returns or raises then; by default "value" at once.

    `calls`    the keys of all calls, in the order in which they began
    `at_once`  how many have not ended, and `most` is the largest number so far
    `ended`    when each call ended
    """

    def __init__(self, work: Callable[[Any], tuple[float, Any]] = lambda _: (0.0, "value")) -> None:
        self.work = work
        self.calls: list[Any] = []
        self.ended: list[float] = []
        self.at_once = self.most = 0

    async def __call__(self, key: Any) -> Any:
        seconds, answer = self.work(key)
        self.calls.append(key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.at_once -= 1
            self.ended.append(now())
        if isinstance(answer, BaseException):
            raise answer
        return answer
