"""A store and an origin whose every `await` is a gate with a name, so that a test can stop a call exactly there."""

import asyncio
from collections.abc import Hashable
from typing import Any

from cachelab import MISS, Entry, Miss

__all__ = ["Gate", "GatedOrigin", "GatedStore", "GatedStoreHere"]


class Gate:
    """The one place where calls stop until `opened` is set. They pass every other place at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def at(self, name: str) -> None:
        if name == self.name:
            self.reached.set()
            await self.opened.wait()


class GatedStore:
    """A store in another process: a request may be cancelled before it is sent, or when only the reply is missing."""

    def __init__(self, gate: Gate, prefix: str = "") -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.gate = gate
        self.prefix = prefix

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        await self.gate.at(f"{self.prefix}look")
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.gate.at(f"{self.prefix}fill, not sent")
        self.entries[key] = entry
        await self.gate.at(f"{self.prefix}fill, sent")

    async def delete(self, key: Hashable) -> None:
        await self.gate.at(f"{self.prefix}delete, not sent")
        self.entries.pop(key, None)
        await self.gate.at(f"{self.prefix}delete, sent")


class GatedStoreHere(GatedStore):
    """The same in this process: `peek` finds an entry without `await`."""

    def peek(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)


class GatedOrigin:
    """An origin that reads its value when the load begins, and that has a delete of its own."""

    def __init__(self, gate: Gate) -> None:
        self.value = "value"
        self.gate = gate

    async def __call__(self, key: int) -> str:
        value = self.value
        await self.gate.at("load")
        return value

    async def delete(self, key: int) -> None:
        await self.gate.at("delete below")
