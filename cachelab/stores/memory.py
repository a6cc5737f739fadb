"""A store in this process: bounded, with a lifetime for each entry, and a policy that says which entry is evicted.

Problem: a dict remembers everything for ever. It grows without a bound and serves values that are long out of date.
Idea: the entries are in a dict, the order of their keys is in a policy (least recently used by default), and the
    moments at which they expire are in a heap, so that a write finds expired entries without a search.
Guarantee: the store never has more than `max_entries` entries, nor more than `max_bytes` bytes where that is given. It
    never returns an entry at or after its `expires`. A read returns in one step and never waits. Every write purges two
    expired entries, if there are any, so expired entries are gone long before live ones must be evicted.
Not guaranteed: that an expired entry is gone at once: while there are no writes, it keeps its place. There is no
    protection between threads (`Locked` adds it). Every reader gets the same object, so values should be immutable.
Cost: a hit takes a dict look-up, a reading of the clock and the policy's `hit`; a write also adds an item to the heap.
    `clear` takes time in proportion to the number of entries.
Source: the policies are in cachelab.eviction, the heap is in cachelab.stores.expiry_heap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any, TypeVar

from cachelab.clock import Clock, running_clock
from cachelab.entry import MISS, Entry, Miss, checked_max_entries
from cachelab.events import Fact, FactKind, Listener, notify
from cachelab.eviction.lru import LRU
from cachelab.eviction.policy import Policy
from cachelab.stores.expiry_heap import ExpiryHeap
from cachelab.stores.in_process import InProcessStore

__all__ = ["MemoryStore"]

V = TypeVar("V")


class MemoryStore(InProcessStore[V]):
    """At most `max_entries` entries. `len(store)` counts the entries it holds, also those that have expired.

    `peek(key)`  the entry if it need not be refreshed yet, otherwise `MISS`: the path of a hit; it counts as a use
    `policy`     builds the policy from the bound: a class of cachelab.eviction
    `max_bytes`  the most bytes that all values together may have; a larger value is not kept at all
    `size_of`    measures a value, in bytes; `max_bytes` and `size_of` are given together or not at all
    `listen`     called with a `Fact`, which has this `name`, for each entry that is evicted, found expired or refused
    `clock`      for tests; by default it is the running loop's clock, bound at the first use

    The store counts the entries it `evicted` for lack of room, those it found `expired`, and those it `refused` because
    they were too large. `bytes` is how many bytes all values together have now.

    Raises ValueError if `max_entries` is not a whole number of at least 1, or if only one of `max_bytes` and `size_of`
    is given.
    """

    def __init__(
        self,
        max_entries: int,
        *,
        policy: Callable[[int], Policy[Any]] = LRU,
        max_bytes: int | None = None,
        size_of: Callable[[V], int] | None = None,
        name: str = "store",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        if (max_bytes is None) != (size_of is None):
            raise ValueError("A bound in bytes needs both: max_bytes=, and size_of=, a function that measures a value.")
        self.name = name
        self.evicted = self.expired = self.refused = self.bytes = 0
        self._listen = listen
        self._entries: dict[Hashable, Entry[V]] = {}
        self._expiries = ExpiryHeap(self._entries, self._expire)
        self._policy = policy(checked_max_entries(max_entries))
        self._max_bytes = inf if max_bytes is None else max_bytes
        self._size_of = size_of
        self._sizes: dict[Hashable, int] = {}
        self.peek = self._make_peek(clock)

    def _make_peek(self, given: Clock | None) -> Callable[[Hashable], Entry[V] | Miss]:
        """The path of a hit, as a function with its parts at hand: it is a tenth quicker than a method."""
        entries, hit = self._entries, self._policy.hit
        clock: Clock

        def bind() -> float:  # the first reading finds the running loop's clock; after that, the clock is read directly
            nonlocal clock
            clock = self._clock = running_clock()
            return clock()

        clock = self._clock = given or bind

        def peek(key: Hashable) -> Entry[V] | Miss:
            try:
                entry = entries[key]
            except KeyError:
                return MISS
            if entry.refresh_from <= clock():
                if entry.expires <= clock():
                    self._expire(key)
                return MISS
            hit(key)
            return entry

        return peek

    def find(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, even if it is stale or should be refreshed; otherwise `MISS`.

        It counts as a use.
        """
        entry = self._entries.get(key, MISS)
        if entry is not MISS:
            if entry.expires <= self._clock():
                self._expire(key)
                return MISS
            self._policy.hit(key)
        return entry

    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`. Up to two expired entries are purged; if there is still no room, the policy names others."""
        size = self._size_of(entry.value) if self._size_of else 0
        now = self._clock()
        self._expiries.purge(2, now)
        if entry.expires <= now:  # it has expired already: no other entry is evicted for it
            self.remove(key)
            return
        if size > self._max_bytes:
            self.remove(key)  # the old value must not stay in its place
            self.refused += 1
            self._notify(key, "refused")
            return
        if key in self._entries:
            self._policy.hit(key)  # a write is a use
            self.bytes -= self._sizes[key]
        else:
            self._evict_to_fit(now, new_entries=1, new_bytes=size)
            self._policy.add(key)
        self._entries[key] = entry
        self._sizes[key] = size
        self.bytes += size
        if self.bytes > self._max_bytes:  # the key was there with a smaller value
            self._evict_to_fit(now)
        if key in self._entries:  # otherwise this very entry was the one to evict
            self._expiries.add(key, entry.expires)

    def _evict_to_fit(self, now: float, new_entries: int = 0, new_bytes: int = 0) -> None:
        policy = self._policy
        while len(policy) + new_entries > policy.bound or self.bytes + new_bytes > self._max_bytes:
            key = policy.evict()
            has_expired = self._entries[key].expires <= now
            self._drop(key)
            self.expired += has_expired
            self.evicted += not has_expired
            self._notify(key, "expired" if has_expired else "evicted")

    def remove(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there."""
        if key in self._entries:
            self._policy.remove(key)
            self._drop(key)

    def clear(self) -> None:
        """Forget every entry. None of them counts as evicted, and the listener is not called."""
        for key in list(self._entries):
            self.remove(key)
        self._expiries.clear()

    def _expire(self, key: Hashable) -> None:
        self.remove(key)
        self.expired += 1
        self._notify(key, "expired")

    def _drop(self, key: Hashable) -> None:
        del self._entries[key]
        self.bytes -= self._sizes.pop(key)

    def _notify(self, key: Hashable, kind: FactKind) -> None:
        if self._listen is not None:
            notify(self._listen, Fact(self.name, key, kind))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self)} of {self._policy.bound} entries)"
