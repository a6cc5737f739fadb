"""A store in this process: bounded, with a time to live, the least recently used entry leaves first.

Problem: a dict remembers everything for ever: it grows without a bound and serves what is long out of date.
Idea: keep the entries in the order of their last use; when there is no room, the first in that order leaves. Each
    entry carries the moment it expires, and is not served from then on.
Guarantee: never more than `max_entries`; never an entry at or after its `expires`; a read returns in one step and
    never waits.
Not guaranteed: an expired entry nobody asks for keeps its place until room is needed; no protection between threads;
    every reader gets the same object, so values should be immutable.
Cost: a dict look-up, a clock reading and a move in a linked list for each hit.
Source: LRU is older than its names, e.g. Mattson et al., IBM Systems Journal 9(2), 1970.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachelab.entry import MISS, Clock, Entry, Miss, checked_bound, running_clock

__all__ = ["MemoryStore"]

V = TypeVar("V")


class MemoryStore(Generic[V]):
    """At most `max_entries` entries, least recently used out first. `len(store)` counts those it holds, dead or alive.

    `peek(key)`  the live entry or `MISS`, at once; it counts as a use
    `evicted`    counts entries that left for want of room, `expired` those that were found too old
    `clock`      for tests; by default it is the running loop's, bound at first use

    Raises ValueError if `max_entries` is not a whole number of at least 1.
    """

    def __init__(self, max_entries: int, *, clock: Clock | None = None) -> None:
        self._entries: OrderedDict[Hashable, Entry[V]] = OrderedDict()  # the least recently used stands first
        self._max_entries = checked_bound(max_entries)
        self.evicted = 0
        self.expired = 0
        self.peek = self._make_peek(clock)

    def _make_peek(self, given: Clock | None) -> Callable[[Hashable], Entry[V] | Miss]:
        """The hit path as a function with its parts at hand: a tenth quicker than a method that fetches them."""
        entries, touch = self._entries, self._entries.move_to_end

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
                touch(key)
            except KeyError:
                return MISS
            entry = entries[key]
            if entry.expires <= clock():
                del entries[key]
                self.expired += 1
                return MISS
            return entry

        return peek

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """As `peek`."""
        return self.peek(key)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep `entry` as the most recently used; if there is no room, the least recently used leaves."""
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            _, victim = self._entries.popitem(last=False)
            if victim.expires <= self._clock():
                self.expired += 1
            else:
                self.evicted += 1

    async def delete(self, key: Hashable) -> None:
        """Forget the key; nothing happens if it is not there."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"MemoryStore({len(self)} of {self._max_entries} entries)"
