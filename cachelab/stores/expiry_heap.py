"""When entries expire, kept in a heap. It knows nothing of policies and bounds, so it is not a part of `MemoryStore`.

Problem: an entry that is never read again expires unnoticed and keeps its place. To search all entries for those that
    have expired would cost more than the write that needs the room.
Idea: each write adds its moment of expiry to a heap, which has the earliest at its front. A purge looks only there, and
    stops at the first moment that has not yet come. An entry that is overwritten or removed leaves its item in the
    heap; the purge skips such an item when it comes to the front.
Guarantee: a purge expires no entry before its time. It looks only at items whose moment has come, unless the heap has
    more than a hundred items and two for each entry: then it drops the items of entries that are no longer there.
Not guaranteed: that every expired entry is gone after a purge, which stops at its limit. An entry that never expires
    has no item. A key that is written again and again with the same `expires` keeps an item for each of these writes.
Cost: O(log n) for each write and for each item that is skipped or expired; dropping items is one pass over the heap.
Source: the TLRUCache of cachetools does the same; skipping stale items is described in the documentation of heapq.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from cachelab.entry import Entry

__all__ = ["ExpiryHeap"]


class ExpiryHeap:
    """The moments at which `entries` expire. `entries` is the store's own mapping, which the heap only reads.

    `expire`  is called with the key of each entry that has expired, and must remove it from `entries`
    """

    def __init__(self, entries: Mapping[Hashable, Entry[Any]], expire: Callable[[Hashable], None]) -> None:
        self._entries = entries
        self._expire = expire
        self._heap: list[tuple[float, int, Hashable]] = []
        self._added = 0  # stands between moment and key, so that keys are never compared

    def add(self, key: Hashable, expires: float) -> None:
        """An entry that expires at `expires`, in seconds, has been stored for this key."""
        if expires < inf:
            self._added += 1
            heappush(self._heap, (expires, self._added, key))

    def purge(self, limit: int, now: float) -> None:
        """Expire up to `limit` of the entries whose moment has come by `now`."""
        heap, entries = self._heap, self._entries
        while limit and heap and heap[0][0] <= now:
            _, _, key = heappop(heap)
            entry = entries.get(key)
            if entry is not None and entry.expires <= now:  # otherwise it was overwritten or removed
                self._expire(key)
                limit -= 1
        if len(heap) > 2 * len(entries) + 100:  # most of the items belong to entries that are no longer there
            heap[:] = [item for item in heap if item[2] in entries and entries[item[2]].expires == item[0]]
            heapify(heap)

    def clear(self) -> None:
        """Forget every moment: the store is empty."""
        self._heap.clear()
