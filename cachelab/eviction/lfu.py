"""Least frequently used: who was used the fewest times since it came leaves; among equals, the least recently used.

Problem: a scan uses each key once and pushes the popular ones out of an LRU cache.
Idea: count the uses. The keys of each count stand in a queue of their own; a use moves a key on to the next queue.
Guarantee: a key leaves only if no resident key has been used fewer times. Every call takes a constant time on average.
Not guaranteed: that it forgets: what was popular yesterday stays for as long as it takes the new keys to overtake its
    count, and a newcomer starts at 1, so it is usually the next to leave. A key that leaves loses its count.
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
        self.resident: dict[K, int] = {}  # how many times each was used, its coming included
        self._queues: defaultdict[int, OrderedDict[K, None]] = defaultdict(OrderedDict)  # by that number
        self._fewest = 1  # nobody was used fewer times than this

    def hit(self, key: K) -> None:
        """One use more: from its queue to the end of the next."""
        uses = self.resident[key]
        self._leave_queue(uses, key)
        self.resident[key] = uses + 1
        self._queues[uses + 1][key] = None

    def add(self, key: K) -> None:
        """Coming is the first use."""
        self.resident[key] = self._fewest = 1
        self._queues[1][key] = None

    def evict(self) -> K:
        """The first in the queue of the fewest uses leaves."""
        if not self.resident:
            raise KeyError("nobody is there to leave")
        while self._fewest not in self._queues:
            self._fewest += 1
        key = next(iter(self._queues[self._fewest]))
        self.remove(key)
        return key

    def remove(self, key: K) -> None:
        """Out of its queue, and its count is forgotten."""
        self._leave_queue(self.resident.pop(key), key)

    def _leave_queue(self, uses: int, key: K) -> None:
        queue = self._queues[uses]
        del queue[key]
        if not queue:
            del self._queues[uses]
