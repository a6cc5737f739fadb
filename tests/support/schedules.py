"""An origin and a remote store for random schedules: each operation takes a random time, and loads may fail."""

import asyncio
from random import Random
from typing import Any

from cachelab.entry import MISS, Entry, Miss
from tests.support.fakes import RemoteStore

__all__ = ["SlowStore", "VersionedOrigin", "stored_value"]


class VersionedOrigin:
    """A version number for each key. A load reads it at once, takes up to a second, and fails one time in ten."""

    def __init__(self, chance: Random) -> None:
        self.version: dict[int, int] = {}
        self.chance = chance

    async def load(self, key: int) -> int:
        version = self.version.get(key, 0)
        await asyncio.sleep(self.chance.random())
        if self.chance.random() < 0.1:
            raise ConnectionError
        return version

    async def write(self, key: int) -> None:
        await asyncio.sleep(self.chance.random())
        self.version[key] = self.version.get(key, 0) + 1


class SlowStore(RemoteStore):
    """A remote store whose operations take random times, so that a delete can overtake a fill."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance

    async def get(self, key: Any) -> Entry[Any] | Miss:
        self.latency_s = self.chance.random()
        return await super().get(key)

    async def set(self, key: Any, entry: Entry[Any]) -> None:
        await asyncio.sleep(self.chance.random())
        self.entries[key] = entry
        await asyncio.sleep(self.chance.random())

    async def delete(self, key: Any) -> None:
        await asyncio.sleep(self.chance.random())
        self.entries.pop(key, None)
        await asyncio.sleep(self.chance.random())


def stored_value(store: Any, key: int) -> Any:
    """The value that the store holds for `key`, fresh or stale, without the time that a read takes. None if none."""
    entry = store.entries.get(key, MISS) if isinstance(store, RemoteStore) else store.find(key)
    return None if entry is MISS else entry.value
