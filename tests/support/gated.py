"""A store and an origin that stop at a named gate in place of an `await`, so that a test can cancel a call there."""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any

import pytest

from cachelab import MISS, Entry, Miss
from tests.support.caches import make_cache
from tests.support.fakes import Heard

__all__ = ["EVERY_AWAIT_OF_A_READ", "Gate", "GatedCache", "GatedLocalStore", "GatedOrigin", "GatedStore"]


class Gate:
    """Calls stop at the place `name` until `opened` is set. They pass every other place at once.

    `reached` is set when the first call has come to the gate.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def at(self, name: str) -> None:
        """Say that the caller is at the place `name`."""
        if name == self.name:
            self.reached.set()
            await self.opened.wait()


class GatedStore:
    """A store in another process. A command has a gate before it is sent, and one before its reply."""

    def __init__(self, gate: Gate, prefix: str = "") -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.gate = gate
        self.prefix = prefix

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        await self.gate.at(f"{self.prefix}read")
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.gate.at(f"{self.prefix}fill, not sent")
        self.entries[key] = entry
        await self.gate.at(f"{self.prefix}fill, sent")

    async def delete(self, key: Hashable) -> None:
        await self.gate.at(f"{self.prefix}delete, not sent")
        self.entries.pop(key, None)
        await self.gate.at(f"{self.prefix}delete, sent")


class GatedLocalStore(GatedStore):
    """The same store in this process: `peek` finds an entry without `await`."""

    def peek(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)


class GatedOrigin:
    """An origin with a delete of its own. A load reads the value when it begins.

    Callers that come in the same turn of the loop can join it, even where tasks are eager.
    """

    def __init__(self, gate: Gate) -> None:
        self.value = "value"
        self.gate = gate

    async def __call__(self, key: int) -> str:
        value = self.value
        await asyncio.sleep(0)
        await self.gate.at("load")
        return value

    async def delete(self, key: int) -> None:
        await self.gate.at("delete below")


class GatedCache:
    """A cache over a store and an origin that share one closed gate. `heard` holds its records and facts."""

    def __init__(self, make_store: type[GatedStore], gate: str, *, shared: bool = False) -> None:
        self.gate = Gate(gate)
        self.store = make_store(self.gate)
        self.origin = GatedOrigin(self.gate)
        self.heard: Heard = []
        self.cache = make_cache(self.origin, self.store, shared=shared, listen=self.heard.append)

    async def cancel(self, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start the call, cancel it when it has come to the gate, and open the gate for later calls."""
        task = asyncio.create_task(call)
        await self.gate.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        self.gate.opened.set()
        return task


EVERY_AWAIT_OF_A_READ = pytest.mark.parametrize(
    ("make_store", "gate"),
    [(GatedStore, gate) for gate in ("read", "load", "fill, not sent", "fill, sent")]
    + [(GatedLocalStore, gate) for gate in ("load", "fill, not sent", "fill, sent")],
)
"""A test with this mark runs with the gate at each `await` of the read path in turn. A local store has no read."""
