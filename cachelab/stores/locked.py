"""A lock around a store, for threads that share one cache.

Problem: a hit is also a write, since the policy moves the key or counts the use. Two threads that do so at once can
    lose a use, evict twice, or leave a queue broken.
Idea: one lock, held during a single call on the store. No thread loads, waits or awaits while it holds the lock.
Guarantee: every `peek`, `find`, `put`, `remove` and `clear` happens at one moment, before or after any other of them,
    in whichever threads they are. So the bounds hold at each of these moments, and every `peek` that begins after a
    `put` has returned sees that `put`. No event loop is needed.
Not guaranteed: anything across two calls. A thread that peeks, misses and puts may put an older value over a newer one,
    and a thousand threads that miss together load a thousand times. The threads share the value itself, not copies. A
    signal handler or a finalizer that calls the store in the middle of a call of the same thread is not kept out.
Cost: taking a free lock, which costs more than the hit itself. Threads that hit at the same time wait for each other.
Source: Python's `threading.RLock`; functools.lru_cache and cachetools lock in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import TypeVar

from cachelab.entry import Entry, Miss, checked_instance
from cachelab.stores.in_process import InProcessStore
from cachelab.stores.memory import MemoryStore

__all__ = ["Locked"]

V = TypeVar("V")


class Locked(InProcessStore[V]):
    """`store`, for many threads: `Locked(MemoryStore(10_000))`. The counters stay in `store`.

    A thread with an event loop builds a `Cache` of its own over it; a thread without one calls `peek`, `put` and
    `remove`. The clock is bound at the first use: all loops that share a store must tell the same time, as the usual
    ones do. A listener of the store is called while the lock is held.
    """

    def __init__(self, store: MemoryStore[V]) -> None:
        checked_instance("store", store, MemoryStore)
        self.store = store
        self._lock = RLock()  # a finalizer that runs in the middle of a call and calls again must not wait for itself
        self.peek = self._make_peek()

    def _make_peek(self) -> Callable[[Hashable], Entry[V] | Miss]:
        lock, unlocked_peek = self._lock, self.store.peek

        def peek(key: Hashable) -> Entry[V] | Miss:
            with lock:
                return unlocked_peek(key)

        return peek

    def find(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, even if it is stale or should be refreshed; otherwise `MISS`."""
        with self._lock:
            return self.store.find(key)

    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`, as the store does."""
        with self._lock:
            self.store.put(key, entry)

    def remove(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there."""
        with self._lock:
            self.store.remove(key)

    def clear(self) -> None:
        """Forget every entry. The other threads wait until that is done."""
        with self._lock:
            self.store.clear()

    def __len__(self) -> int:
        return len(self.store)
