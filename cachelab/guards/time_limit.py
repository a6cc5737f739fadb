"""Time limit: the end of a call that takes too long.

Problem: an origin or a store that hangs holds each of its callers, and what they hold, for as long as it hangs.
Idea: cancel the call after some seconds, and raise TimeoutError.
Guarantee: a call that can be cancelled ends after `seconds` at the latest. What ends in time is passed on unchanged.
Not guaranteed: an end, if the call catches its cancellation. That the origin stops working: it may not learn that
    nobody waits any more. So a limit that is shorter than what a busy origin needs throws its work away, and each try
    again adds to it; a `Bulkhead` bounds the number of callers instead. Nor does it cover a `delete` or a `claim`: the
    client of the store has a time-out for each command.
Cost: a timer for each call.
Source: Nygard, "Release It!"; AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from cachelab.entry import Store, checked_number
from cachelab.guards.guard import Guard

__all__ = ["TimeLimit"]

K = TypeVar("K")
V = TypeVar("V")


class TimeLimit(Guard[K, V]):
    """The loader or store `inside`, whose calls end after `seconds` with a TimeoutError.

    Raises ValueError for a limit that is not longer than 0, and TypeError for what is no number, loader or store.
    """

    @overload
    def __init__(self, inside: Callable[[K], Awaitable[V]], seconds: float) -> None: ...
    @overload
    def __init__(self: TimeLimit[Any, V], inside: Store[V], seconds: float) -> None: ...
    def __init__(self, inside: Any, seconds: float) -> None:
        super().__init__(inside)
        self._seconds = checked_number("seconds", seconds)
        if not self._seconds > 0:
            raise ValueError(f"seconds must be more than 0, not {seconds!r}.")

    async def _call(self, verb: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        async with asyncio.timeout(self._seconds):
            return await verb(*arguments)
