"""Bulkhead: few calls run, few wait in line, and the others are refused at once.

Problem: an origin gets more calls than it can do. The line grows, and soon each answer comes after its caller has lost
    patience. The origin is busy with work that is thrown away, also when the cause has gone (a metastable failure).
Idea: a bound on the calls that run, and a bound on the line. It bounds how many wait, and not how long.
Guarantee: at most `running` calls at once, and at most `waiting` in line. With a free place a call runs at once. With a
    full line there is a refusal at once, `Refused`, which costs the origin nothing: of the newest caller, or with
    `last_first` of the one that has waited longest. A caller that is cancelled gives its place back, wherever it is.
Not guaranteed: an end of the wait in line, if the calls that run do not end. A fair share for each key or caller. With
    `last_first`, that a caller in line has its turn before others that came later.
Cost: a future for each caller in line, and a look along the line for each that joins it.
Source: Nygard, "Release It!"; AWS Builders' Library, "Using load shedding to avoid overload". Last come, first served:
    Facebook's "Fail at Scale" (Maurer, ACM Queue 13(8), 2015), where it is called adaptive LIFO.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from cachelab.clock import LoopClock
from cachelab.entry import Store, checked_count, checked_instance
from cachelab.events import Refused
from cachelab.guards.guard import Guard

__all__ = ["Bulkhead"]

K = TypeVar("K")
V = TypeVar("V")


class Bulkhead(Guard[K, V]):
    """The loader or store `inside`, with at most `running` calls at once and `waiting` callers in line.

    `last_first`   whether the last to come is the first to be served; a full line then refuses the one that has waited
                   longest, because it will be the first to lose patience
    `refused`      how many callers were refused

    A bulkhead belongs to the event loop in which it is first used. Raises ValueError for numbers that are no counts,
    and TypeError for what is no loader or store.
    """

    @overload
    def __init__(
        self, inside: Callable[[K], Awaitable[V]], *, running: int, waiting: int = ..., last_first: bool = ...
    ) -> None: ...
    @overload
    def __init__(
        self: Bulkhead[Any, V], inside: Store[V], *, running: int, waiting: int = ..., last_first: bool = ...
    ) -> None: ...
    def __init__(self, inside: Any, *, running: int, waiting: int = 0, last_first: bool = False) -> None:
        super().__init__(inside)
        self._free = checked_count("running", running)
        self._waiting = checked_count("waiting", waiting, least=0)
        checked_instance("last_first", last_first, bool)
        self._last_first = last_first
        self._line: list[asyncio.Future[bool]] = []  # also of callers that have been cancelled in this moment
        self._loop = LoopClock("This bulkhead", None)
        self.refused = 0

    async def _call(self, verb: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        self._loop.check_loop()
        if self._free:
            self._free -= 1
        else:
            await self._wait_in_line()
        try:
            return await verb(*arguments)
        finally:
            self._pass_place_on()

    async def _wait_in_line(self) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()  # whether the caller gets a place
        self._line = [other for other in self._line if not other.done()]
        self._line.append(turn)
        if len(self._line) > self._waiting:
            self._line.pop(0 if self._last_first else -1).set_result(False)  # it may be this caller's own turn
        try:
            has_place = await turn
        except BaseException:
            turn.cancel()
            if not turn.cancelled() and turn.result():  # it was given a place in the moment of its cancellation
                self._pass_place_on()
            raise
        if not has_place:
            self.refused += 1
            raise Refused("Too many callers wait in line.")

    def _pass_place_on(self) -> None:
        while self._line:
            turn = self._line.pop(-1 if self._last_first else 0)
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1
