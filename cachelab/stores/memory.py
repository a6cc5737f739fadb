"""A store in this process: bounded, with a time to live for each entry, and a policy that says who has to leave.

Problem: a dict remembers everything for ever: it grows without a bound and serves what is long out of date.
Idea: entries in a dict; the keys' order in a policy of its own (least recently used by default); the moments of expiry
    in a heap, so that writing finds what is dead without asking for each key.
Guarantee: never more than `max_entries` entries, nor more than `max_bytes` where that is given; never an entry at or
    after its `expires`; a read returns in one step and never waits. Every write buries two of the dead, if there are
    any, so that they are gone long before the living have to leave.
Not guaranteed: that the dead are gone at once: where nobody writes, they keep their place; no protection between
    threads (`Locked` adds it); every reader gets the same object, so values should be immutable.
Cost: a dict look-up, a clock reading and the policy's `hit` for each hit; a heap entry for each write.
Source: the policies are in cachelab.eviction; a heap of expiries is what cachetools' TLRUCache does, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

from cachelab.clock import Clock, running_clock
from cachelab.entry import MISS, Entry, Miss, checked_max_entries
from cachelab.events import Fact, FactKind, Listener, notify
from cachelab.eviction.lru import LRU
from cachelab.eviction.policy import Policy

__all__ = ["MemoryStore"]

V = TypeVar("V")


class MemoryStore(Generic[V]):
    """At most `max_entries` entries. `len(store)` counts those it holds, dead or alive.

    `peek(key)`  the entry if it is not yet due, else `MISS`: the way of a hit; it counts as a use
    `policy`     makes the policy from the bound: a class of cachelab.eviction
    `max_bytes`  with `size_of(value)`, in bytes: their sum stays at or below it; a larger value is not kept at all
    `listen`     called with a `Fact`, with this `name`, for each entry that is evicted, found expired or refused
    `clock`      for tests; by default it is the running loop's, bound at first use
    `evicted`    counts who left for want of room, `expired` who was found too old, and `refused` who was too large

    `get`, `set` and `delete` are `find`, `put` and `remove` for whoever awaits; none of them ever waits.

    Raises ValueError if `max_entries` is no whole number of at least 1, or `max_bytes` comes without `size_of`.
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
        self._policy = policy(checked_max_entries(max_entries))
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._sizes: dict[Hashable, int] = {}
        self._expiries: list[tuple[float, int, Hashable]] = []  # the number keeps keys from being compared
        self._written = 0
        self.peek = self._make_peek(clock)

    def _make_peek(self, given: Clock | None) -> Callable[[Hashable], Entry[V] | Miss]:
        """The hit path as a function with its parts at hand: a tenth quicker than a method that fetches them."""
        entries, hit = self._entries, self._policy.hit
        clock: Clock = given or time.monotonic

        def bind() -> float:
            nonlocal clock
            clock = self._clock = running_clock()
            return clock()

        if given is None:
            clock = bind
        self._clock = clock

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
        """The live entry, also one that is due or stale, or `MISS`; it counts as a use."""
        entry = self._entries.get(key, MISS)
        if entry is MISS:
            return MISS
        if entry.expires <= self._clock():
            self._expire(key)
            return MISS
        self._policy.hit(key)
        return entry

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """As `find`."""
        return self.find(key)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """As `put`."""
        self.put(key, entry)

    async def delete(self, key: Hashable) -> None:
        """As `remove`."""
        self.remove(key)

    def put(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry`. Where there is no room, the dead leave first, and then whom the policy names."""
        size = self._size_of(entry.value) if self._size_of else 0
        now = self._clock()
        self._purge(2, now)
        if entry.expires <= now:  # dead on arrival: nobody has to leave for it
            self.remove(key)
            return
        if self._max_bytes is not None and size > self._max_bytes:
            self.remove(key)  # the old value must not stay in its place
            self.refused += 1
            self._notify(key, "refused")
            return
        if key in self._entries:
            self._policy.hit(key)  # writing is a use
            self.bytes -= self._sizes[key]
        else:
            self._make_room(now, newcomers=1, size=size)
            self._policy.add(key)
        self._entries[key] = entry
        self._sizes[key] = size
        self.bytes += size
        self._make_room(now)  # for an overwrite that has grown; it may be the one to leave
        if key in self._entries and entry.expires < math.inf:
            self._written += 1
            heappush(self._expiries, (entry.expires, self._written, key))

    def _make_room(self, now: float, newcomers: int = 0, size: int = 0) -> None:
        policy, most = self._policy, self._max_bytes
        while len(policy) + newcomers > policy.bound or (most is not None and self.bytes + size > most):
            victim = policy.evict()
            dead = self._entries[victim].expires <= now
            self._drop(victim)
            if dead:
                self.expired += 1
            else:
                self.evicted += 1
            self._notify(victim, "expired" if dead else "evicted")

    def _purge(self, most: int, now: float) -> None:
        """Forget up to `most` entries that have expired."""
        heap = self._expiries
        while most and heap and heap[0][0] <= now:
            _, _, key = heappop(heap)
            entry = self._entries.get(key)
            if entry is not None and entry.expires <= now:  # else it was overwritten or has left
                self._expire(key)
                most -= 1
        if len(heap) > 2 * len(self._entries) + 100:  # mostly of entries that have left
            heap[:] = [item for item in heap if item[2] in self._entries and self._entries[item[2]].expires == item[0]]
            heapify(heap)

    def _expire(self, key: Hashable) -> None:
        self.remove(key)
        self.expired += 1
        self._notify(key, "expired")

    def _drop(self, key: Hashable) -> None:
        del self._entries[key]
        self.bytes -= self._sizes.pop(key)

    def remove(self, key: Hashable) -> None:
        """Forget the key; nothing happens if it is not there."""
        if key in self._entries:
            self._policy.remove(key)
            self._drop(key)

    def _notify(self, key: Hashable, kind: FactKind) -> None:
        if self._listen is not None:
            notify(self._listen, Fact(self.name, key, kind))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self)} of {self._policy.bound} entries)"
