"""TTL caches for exercises 1.1 and 1.3, and for the tests of `lab.check`: right ones, and many wrong ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cachetools

from cachelab import Cache, MemoryStore

Clock = Callable[[], float]


class Right:
    """A TTL cache as the exercises want it; the classes below differ from it in one point each."""

    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        self.load, self.ttl, self.clock = load, ttl, clock
        self.entries: dict[int, tuple[Any, float]] = {}

    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = await self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value

    async def delete(self, key: int) -> None:
        self.entries.pop(key, None)


# Right ones


class NotesTheLoad(Right):
    """It keeps the moment of the load's start, and not that of expiry; its delete returns what it has deleted."""

    async def get(self, key: int) -> Any:
        now = self.clock()
        if key not in self.entries or now - self.entries[key][1] >= self.ttl:
            self.entries.pop(key, None)
            self.entries[key] = (await self.load(key), now)
        return self.entries[key][0]

    async def delete(self, key: int) -> Any:
        return self.entries.pop(key, None)


class TriesFirst(Right):
    async def get(self, key: int) -> Any:
        try:
            value, expires = self.entries[key]
            if expires <= self.clock():
                raise KeyError(key)
        except KeyError:
            value = await self.load(key)
            self.entries[key] = value, self.clock() + self.ttl
        return value


class SweepsOnEachRead(Right):
    async def get(self, key: int) -> Any:
        now = self.clock()
        self.entries = {other: entry for other, entry in self.entries.items() if now < entry[1]}
        return await super().get(key)


class Locked(Right):
    async def get(self, key: int) -> Any:
        self.lock = getattr(self, "lock", None) or asyncio.Lock()
        async with self.lock:
            return await super().get(key)


class OnCachetools(Right):
    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        self.load = load
        self.values: Any = cachetools.TTLCache(1_000, ttl, timer=clock)

    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        value = self.values[key] = await self.load(key)
        return value

    async def delete(self, key: int) -> None:
        self.values.pop(key, None)


def the_packages_own(load: Any, ttl: float, clock: Clock) -> Any:
    return Cache(MemoryStore(100, clock=clock), load, ttl=ttl, clock=clock)


def in_closures(load: Any, ttl: float, clock: Clock) -> Any:
    values: dict[int, Any] = {}
    until: dict[int, float] = {}

    async def get(key: int) -> Any:
        if until.get(key, float("-inf")) <= clock():
            values[key] = await load(key)
            until[key] = clock() + ttl
        return values[key]

    async def delete(key: int) -> bool:
        return until.pop(key, None) is not None

    return SimpleNamespace(get=get, delete=delete)


RIGHT = [Right, NotesTheLoad, TriesFirst, SweepsOnEachRead, Locked, OnCachetools, the_packages_own, in_closures]


# Wrong ones


class WriteOnly(Right):
    async def get(self, key: int) -> Any:
        value = await self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class Forever(Right):
    async def get(self, key: int) -> Any:
        if key not in self.entries:
            self.entries[key] = (await self.load(key), 0.0)
        return self.entries[key][0]


class ServesAll(Right):
    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() >= 0:
            return self.entries[key][0]
        return await super().get(key)


class Sliding(Right):
    async def get(self, key: int) -> Any:
        value = await super().get(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class FlushesAll(Right):
    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() >= self.entries[key][1]:
            self.entries.clear()
        return await super().get(key)


class NoneIsNothing(Right):
    async def get(self, key: int) -> Any:
        value, expires = self.entries.get(key, (None, 0.0))
        if value is not None and self.clock() < expires:
            return value
        self.entries.pop(key, None)
        return await super().get(key)


class RemembersErrors(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError as error:
            self.entries[key] = (str(error), self.clock() + self.ttl)
            raise


class DeleteRaises(Right):
    async def delete(self, key: int) -> None:
        del self.entries[key]


class DeletesNothing(Right):
    async def delete(self, key: int) -> None:
        self.entries.get(key, None)


class Milliseconds(Right):
    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        super().__init__(load, ttl / 1000, clock)


class TooManyKeysAreDropped(Right):
    async def get(self, key: int) -> Any:
        if len(self.entries) > 2:
            self.entries.clear()
        return await super().get(key)


class ServesTheOldOnError(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            if key not in self.entries:
                raise
            return self.entries[key][0]


class KeepsTheOldAfterAnError(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            if key in self.entries:
                self.entries[key] = (self.entries[key][0], self.clock() + self.ttl)
            raise


class SwallowsErrors(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            return None


class TriesAgain(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            return await super().get(key)


class RaisesAnotherError(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError as error:
            raise LookupError(key) from error


class Shared(Right):
    all_entries: dict[int, tuple[Any, float]] = {}  # noqa: RUF012 - the mistake that the check must name

    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        super().__init__(load, ttl, clock)
        self.entries = self.all_entries


class StoresTheTtl(Right):
    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = await self.load(key)
        self.entries[key] = (value, self.ttl)
        return value


class OnAnotherClock(Right):
    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        super().__init__(load, ttl, time.monotonic)


class KeepsOne(Right):
    async def get(self, key: int) -> Any:
        if key not in self.entries:
            self.entries.clear()
        return await super().get(key)


class AnswersForAnother(Right):
    async def get(self, key: int) -> Any:
        await super().get(key)
        return next(iter(self.entries.values()))[0]


class ReturnsThePair(Right):
    async def get(self, key: int) -> Any:
        await super().get(key)
        return self.entries[key]


class ReturnsNothing(Right):
    async def get(self, key: int) -> Any:
        await super().get(key)


class LoadsNothing(Right):
    async def get(self, key: int) -> Any:
        return self.entries.get(key)


class LoadsTwice(Right):
    async def get(self, key: int) -> Any:
        if key not in self.entries:
            await self.load(key)
        return await super().get(key)


class ForgetsTheAwait(Right):
    async def get(self, key: int) -> Any:
        return self.load(key)


class PlainGet(Right):
    def get(self, key: int) -> Any:
        return self.entries.get(key, "nothing")


class PlainDelete(Right):
    def delete(self, key: int) -> None:  # type: ignore[override]
        self.entries.pop(key, None)


class DeleteWithoutAwait(Right):
    async def delete(self, key: int) -> Any:
        return super().delete(key)


class DeletesAll(Right):
    async def delete(self, key: int) -> None:
        self.entries.clear()


class DeleteLoads(Right):
    async def delete(self, key: int) -> None:
        self.entries[key] = (await self.load(key), self.clock() + self.ttl)


class HasATypo(Right):
    async def get(self, key: int) -> Any:
        return self.entires[key]  # type: ignore[attr-defined]


class Stub:
    """What exercise 1.3 shows."""

    def __init__(self, load: Any, ttl: float, clock: Clock) -> None: ...

    async def get(self, key: int) -> Any: ...

    async def delete(self, key: int) -> None: ...


class DeleteIsAStub(Right):
    async def delete(self, key: int) -> None: ...
