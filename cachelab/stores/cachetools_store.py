"""A store over cachetools, for services that already use that library.

Problem: the policy and the bound exist already, in a library that is well kept.
Idea: `TLRUCache` calls a function to learn how long each item may live. Here the entry says it.
Guarantee: as `MemoryStore`: the bound, the expiry to the instant, and that the least recently used entry is evicted.
Not guaranteed: as `MemoryStore`. It is the slower of the two, since cachetools keeps the moments of all items in order.
Cost: the package cachetools, which purges expired items at every write.
Source: cachetools, https://cachetools.readthedocs.io, class TLRUCache.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from cachelab.clock import Clock, lazy_clock
from cachelab.entry import MISS, Entry, Miss, checked_count, checked_functions

__all__ = ["CachetoolsStore"]

V = TypeVar("V")


class CachetoolsStore(Generic[V]):
    """At most `max_entries` entries in a `cachetools.TLRUCache`; the clock is the running loop's, bound at first use.

    Raises ValueError if `max_entries` is not a whole number of at least 1, and ImportError without cachetools.
    """

    def __init__(self, max_entries: int, *, clock: Clock | None = None) -> None:
        try:
            from cachetools import TLRUCache  # not at the top: `import cachelab` must be quick, and work without it
        except ModuleNotFoundError as error:
            sentence = "CachetoolsStore needs cachetools, which is not installed: pip install cachetools"
            raise ImportError(sentence, name=error.name) from error

        checked_functions(clock=clock)
        self._clock = clock or lazy_clock()
        self._cache: Any = TLRUCache(
            checked_count("max_entries", max_entries), ttu=lambda _key, entry, _now: entry.expires, timer=self._clock
        )

    def peek(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it need not be refreshed yet, otherwise `MISS`, without waiting. It counts as a use."""
        entry: Entry[V] | Miss = self._cache.get(key, MISS)
        return MISS if entry is MISS or entry.refresh_from <= self._clock() else entry

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, even if it is stale or should be refreshed; otherwise `MISS`.

        It counts as a use.
        """
        entry: Entry[V] | Miss = self._cache.get(key, MISS)
        return entry

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`. If there is no room, the least recently used entry is evicted."""
        if self._clock() < entry.expires:
            self._cache[key] = entry
        else:
            self._cache.pop(key, None)  # before version 7.3, TLRUCache would keep the old entry

    async def delete(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there."""
        self._cache.pop(key, None)

    def clear(self) -> None:
        """Forget every entry."""
        self._cache.clear()

    def __len__(self) -> int:
        return len(self._cache)

    def __bool__(self) -> bool:
        return True  # `__len__` alone would make an empty store false
