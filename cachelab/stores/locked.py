"""A lock around a store, for threads that share one cache.

Problem: to hit is to write: the policy moves the key or counts the use. Two threads that do so at once can lose a
    use, evict twice or find a queue in pieces.
Idea: one lock, held for a single call on the store. Nobody loads, waits or awaits while holding it.
Guarantee: every `peek`, `find`, `put` and `remove` happens at one moment, before or after any other of them, whatever
    the threads; so the bounds hold at each of these moments, and a `put` that has returned is seen by every `peek` that
    begins after it. No event loop is needed.
Not guaranteed: anything across two calls: who peeks, misses and puts may put an older value over a newer one, and a
    thousand threads that miss together load a thousand times. The value is shared between threads as it is. A store
    that a signal handler or a finalizer calls in the middle of its own call on the same thread is not protected.
Cost: taking a free lock, which costs more than the hit itself. Threads that hit at once stand in line for that.
Source: Python's `threading.RLock`; functools.lru_cache and cachetools take the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Generic, TypeVar

from cachelab.entry import Entry, Miss
from cachelab.stores.memory import MemoryStore

__all__ = ["Locked"]

V = TypeVar("V")


class Locked(Generic[V]):
    """`store`, for many threads: `Locked(MemoryStore(10_000))`. Its counters stay where they are, in `store`.

    A thread with an event loop builds a `Cache` of its own over it; one without calls `peek`, `put` and `remove`. The
    clock is bound at the first use: all loops that share a store must tell the same time, as the usual ones do. A
    listener of the store is called while the lock is held.
    """

    def __init__(self, store: MemoryStore[V]) -> None:
        self.store = store
        self._lock = RLock()  # a finalizer that runs in the middle of a call and calls again must not wait for itself
        self.peek = self._make_peek()

    def _make_peek(self) -> Callable[[Hashable], Entry[V] | Miss]:
        lock, peek_alone = self._lock, self.store.peek

        def peek(key: Hashable) -> Entry[V] | Miss:
            with lock:
                return peek_alone(key)

        return peek

    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`, as the store does."""
        with self._lock:
            self.store.put(key, entry)

    def remove(self, key: Hashable) -> None:
        """Forget the key; nothing happens if it is not there."""
        with self._lock:
            self.store.remove(key)

    def find(self, key: Hashable) -> Entry[V] | Miss:
        """The live entry, also one that is due or stale, or `MISS`."""
        with self._lock:
            return self.store.find(key)

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """As `find`."""
        return self.find(key)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """As `put`."""
        self.put(key, entry)

    async def delete(self, key: Hashable) -> None:
        """As `remove`."""
        self.remove(key)

    def __len__(self) -> int:
        return len(self.store)
