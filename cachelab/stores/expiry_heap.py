"""When entries expire, kept in a heap. It knows nothing of policies and bounds, so it is not a part of `MemoryStore`.

Problem: an entry that is never read again expires unnoticed and keeps its place. To search all entries for those that
    have expired would cost more than the write that needs the room.
Idea: an entry that is evicted or overwritten before its time needs no place in an order. So a write only notes the
    moment of expiry, unsorted, with the earliest of these moments beside it. When that one comes, the moments that were
    noted go into a heap, which has the earliest at its front. A purge looks only there, and stops at the first moment
    that has not yet come. An entry that is overwritten or removed may leave its item in the heap; the purge skips such
    an item when it comes to the front.
Guarantee: a purge expires no entry before its time. There is at most one note for each entry, and at most three items
    in the heap for each entry, and a hundred, whatever is written: with more than two for each entry, it begins anew
    with the entries that are there.
Not guaranteed: that every expired entry is gone after a purge, which stops at its limit. That each write takes equally
    long: one that sorts the notes, or begins anew, takes time in proportion to the number of entries.
Cost: O(log n) on average for each write and for each item that is skipped or expired. An entry that never expires has
    no item.
Source: the TLRUCache of cachetools has a heap too; skipping stale items is described in the documentation of heapq.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from heapq import heappop, heappush
from math import inf
from typing import Any

from cachelab.entry import Entry

__all__ = ["ExpiryHeap"]


class ExpiryHeap:
    """The moments at which `entries` expire. `entries` is the store's own mapping, which the heap only reads.

    `expire`  is called with the key of each entry that has expired, and must remove it from `entries`
    `due`     before this moment, a purge would find nothing
    """

    def __init__(self, entries: Mapping[Hashable, Entry[Any]], expire: Callable[[Hashable], None]) -> None:
        self._entries = entries
        self._expire = expire
        self.due = inf
        self._notes: dict[Hashable, float] = {}  # not in order, and not in the heap
        self._earliest_note = inf  # no note is for a moment before this one
        self._heap: list[tuple[float, int, Hashable]] = []
        self._sorted = 0  # stands between moment and key, so that keys are never compared

    def add(self, key: Hashable, expires: float) -> None:
        """An entry that expires at `expires`, in seconds, has been stored for this key."""
        if expires < inf:
            self._notes[key] = expires
            if expires < self._earliest_note:
                self._earliest_note = expires
                self.due = min(expires, self.due)

    def discard(self, key: Hashable) -> None:
        """The entry has been removed from `entries`. An item in the heap stays there for the purge to skip."""
        self._notes.pop(key, None)
        if self._heap:
            self._bound_heap()

    def purge(self, limit: int, now: float) -> None:
        """Expire up to `limit` of the entries whose moment has come by `now`."""
        heap, entries = self._heap, self._entries
        if self._earliest_note <= now:
            self._sort_notes()
        while limit and heap and heap[0][0] <= now:
            _, _, key = heappop(heap)
            entry = entries.get(key)
            if entry is not None and entry.expires <= now:  # otherwise it was overwritten or removed
                self._expire(key)
                limit -= 1
                if self._earliest_note <= now:  # the heap has just begun anew
                    self._sort_notes()
        self.due = min(self._earliest_note, heap[0][0] if heap else inf)

    def _sort_notes(self) -> None:
        self._bound_heap()
        for key, expires in self._notes.items():
            self._sorted += 1
            heappush(self._heap, (expires, self._sorted, key))
        self._notes.clear()
        self._earliest_note = inf

    def _bound_heap(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + 100:  # most items are of entries that are no longer there
            self.begin_anew()

    def begin_anew(self) -> None:
        """Forget every moment but those of the entries that are there now."""
        self.clear()
        for key, entry in self._entries.items():
            self.add(key, entry.expires)

    def clear(self) -> None:
        """Forget every moment: the store is empty."""
        self._heap.clear()
        self._notes.clear()
        self._earliest_note = self.due = inf
