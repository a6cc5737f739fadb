"""Stores that grant leases, as a test tells them to."""

import asyncio
from collections.abc import Hashable
from typing import Any

from cachelab.entry import Entry, Lease, Miss
from tests.support.fakes import RemoteStore

__all__ = ["LeasingStore", "SettableLease"]


class LeasingStore(RemoteStore):
    """A remote store with `claim`. Each claim takes `claim_s` seconds; a delete takes the right to fill away.

    `found`     what a claim answers if it is set: an entry that another process has just filled, or an error to raise
    `settled`   how leases ended, in order: "set", "refused", "dropped" or "released"
    `claims`    what each claim was told: the key, and the entry that its caller had seen
    """

    def __init__(self, latency_s: float = 0.0, claim_s: float = 0.0) -> None:
        super().__init__(latency_s)
        self.claim_s = claim_s
        self.found: Entry[Any] | Exception | None = None
        self.granted: set[Hashable] = set()
        self.settled: list[str] = []
        self.claims: list[tuple[Hashable, Entry[Any] | Miss]] = []

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss) -> Entry[Any] | Lease[Any]:
        self.claims.append((key, seen))
        await asyncio.sleep(self.claim_s)
        if isinstance(self.found, Exception):
            raise self.found
        if self.found is not None:
            return self.found
        self.granted.add(key)
        return SettableLease(self, key)

    async def delete(self, key: Hashable) -> None:
        self.granted.discard(key)
        await super().delete(key)


class SettableLease:
    """The right to fill `key`, until a delete has taken it away."""

    def __init__(self, store: LeasingStore, key: Hashable) -> None:
        self.store, self.key = store, key

    async def set(self, entry: Entry[Any]) -> bool:
        await self.arrive()
        if self.key not in self.store.granted:
            self.store.settled.append("refused")
            return False
        self.store.granted.discard(self.key)
        self.store.settled.append("set")
        self.store.entries[self.key] = entry
        return True

    async def drop(self) -> None:
        await self.arrive()
        self.store.settled.append("dropped")
        if self.key in self.store.granted:
            self.store.granted.discard(self.key)
            self.store.entries.pop(self.key, None)

    async def release(self) -> None:
        await self.arrive()
        self.store.settled.append("released")
        self.store.granted.discard(self.key)

    async def arrive(self) -> None:
        """Take the way to the store."""
        await asyncio.sleep(self.store.latency_s)
