"""What `MemoryStore` and `Locked` have in common: plain calls that return at once, and the awaited calls of a store.

Problem: a `Cache` awaits its store, since that may be in another process. A store in this process answers at once, and
    code without an event loop must be able to call it.
Idea: the work is in three plain methods, `find`, `put` and `remove`. The three that a `Cache` awaits call them.
Guarantee: `get`, `set` and `delete` end in the turn of the event loop in which they begin, so no other task runs
    meanwhile. A store is true, even when it is empty: `store or other` and `if store:` tell whether there is a store.
Not guaranteed: protection between threads: `Locked` adds it, and its calls may block the thread until the lock is free.
Cost: a coroutine for each call that is awaited. A hit has none: a `Cache` calls `peek`.
Source: the interface is that of `cachelab.entry.Store`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Generic, TypeVar

from cachelab.entry import Entry, Miss

__all__ = ["InProcessStore"]

V = TypeVar("V")


class InProcessStore(ABC, Generic[V]):
    """A store whose `get`, `set` and `delete` are its `find`, `put` and `remove`, for callers that await."""

    @abstractmethod
    def find(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, even if it is stale or should be refreshed; otherwise `MISS`."""

    @abstractmethod
    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry` in place of whatever was stored for the key."""

    @abstractmethod
    def remove(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there."""

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """As `find`."""
        return self.find(key)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """As `put`."""
        self.put(key, entry)

    async def delete(self, key: Hashable) -> None:
        """As `remove`."""
        self.remove(key)

    def __bool__(self) -> bool:
        return True  # `__len__` alone would make an empty store false
