"""TTL caches for exercises 1.1 and 1.2, and for the tests of `lab.check`: a right one, and many wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        pass


class Milliseconds(Right):
    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        super().__init__(load, ttl / 1000, clock)


class TooManyKeysAreDropped(Right):
    async def get(self, key: int) -> Any:
        if len(self.entries) > 2:
            self.entries.clear()
        return await super().get(key)
