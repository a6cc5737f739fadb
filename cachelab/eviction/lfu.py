"""Least frequently used: the key with the fewest uses since it came is evicted; of several, the least recently used.

Problem: a scan uses each key once and displaces the popular ones from an LRU cache.
Idea: count the uses. The keys with the same count are in one queue; a use moves a key on to the next queue.
Guarantee: a key is evicted only if no resident key has been used fewer times. Every call takes a constant time on
    average.
Not guaranteed: that it forgets: a key that was popular yesterday stays until the new keys have overtaken its count. A
    new key starts at 1, so it is usually the next to be evicted. A key that is evicted loses its count.
Cost: a counter for each key, and a move between two queues for each hit.
Source: the queues are those of Ketan Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache eviction
    scheme", 2010, which settles ties in the same way.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["LFU"]

K = TypeVar("K")


class LFU(Policy[K]):
    """A queue for each number of uses."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: dict[K, int] = {}  # how many times each was used, its arrival included
        self._queues: defaultdict[int, OrderedDict[K, None]] = defaultdict(OrderedDict)  # for each such number
        self._fewest = 1  # no resident key was used fewer times than this

    def hit(self, key: K) -> None:
        """Count the use: the key moves from its queue to the end of the next."""
        uses = self.resident[key]
        self._take_from_queue(uses, key)
        self.resident[key] = uses + 1
        self._queues[uses + 1][key] = None

    def add(self, key: K) -> None:
        """Put the key in the first queue: its arrival is its first use."""
        self.resident[key] = self._fewest = 1
        self._queues[1][key] = None

    def evict(self) -> K:
        """Evict the first key in the queue of the fewest uses."""
        if not self.resident:
            raise KeyError("no key is resident")
        while self._fewest not in self._queues:
            self._fewest += 1
        key = next(iter(self._queues[self._fewest]))
        self.remove(key)
        return key

    def remove(self, key: K) -> None:
        """Take the key out of its queue, and forget its count."""
        self._take_from_queue(self.resident.pop(key), key)

    def _take_from_queue(self, uses: int, key: K) -> None:
        queue = self._queues[uses]
        del queue[key]
        if not queue:
            del self._queues[uses]
