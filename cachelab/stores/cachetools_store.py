"""The same store over cachetools, for those who already have it in their service.

Problem: the policy and the bound exist already, in a library that is well kept.
Idea: `TLRUCache` asks a function how long each item may live; the entry knows.
Guarantee: as `MemoryStore`: the bound, the expiry to the instant, least recently used out first.
Not guaranteed: as `MemoryStore`; it is the slower of the two, since cachetools keeps the times of all items in order.
Cost: needs the package cachetools; its expiry runs on every write.
Source: cachetools, https://cachetools.readthedocs.io, class TLRUCache.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from cachelab.clock import Clock, lazy_clock
from cachelab.entry import MISS, Entry, Miss, checked_max_entries

__all__ = ["CachetoolsStore"]


class CachetoolsStore:
    """At most `max_entries` entries in a `cachetools.TLRUCache`; the clock is the running loop's, bound at first use.

    Raises ValueError if `max_entries` is not a whole number of at least 1.
    """

    def __init__(self, max_entries: int, *, clock: Clock | None = None) -> None:
        from cachetools import TLRUCache  # loads when first used: `import cachelab` stays quick without it

        self._clock = clock or lazy_clock()
        self._cache: Any = TLRUCache(
            checked_max_entries(max_entries), ttu=lambda _key, entry, _now: entry.expires, timer=self._clock
        )

    def peek(self, key: Hashable) -> Entry[Any] | Miss:
        """The entry if it is not yet due, else `MISS`, at once. It counts as a use."""
        entry: Entry[Any] | Miss = self._cache.get(key, MISS)
        return MISS if entry is MISS or entry.refresh_from <= self._clock() else entry

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        """The live entry, also one that is due or stale, or `MISS`. It counts as a use."""
        entry: Entry[Any] | Miss = self._cache.get(key, MISS)
        return entry

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        """Keep `entry`; if there is no room, the least recently used leaves."""
        self._cache[key] = entry

    async def delete(self, key: Hashable) -> None:
        """Forget the key; nothing happens if it is not there."""
        self._cache.pop(key, None)

    def __len__(self) -> int:
        return len(self._cache)
