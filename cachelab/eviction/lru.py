"""Least recently used: the key that has not been used for the longest time is evicted.

Problem: a key that was used lately is likely to be used again soon, and first in, first out evicts it all the same.
Idea: a key that is used goes to the end of the queue, so the first in the queue is the one unused for longest.
Guarantee: the inclusion property: a larger cache holds every key that a smaller one would hold. So more room never
    hurts, and one pass over a trace gives the hit ratio at every size (`lru_curve`).
Not guaranteed: anything in a scan: `bound` keys that are each used once displace all others. In a loop over one key
    more than there is room for, every request misses.
Cost: a move in a linked list for each hit, which in a threaded cache needs a lock even to read.
Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2),
    1970.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["LRU"]

K = TypeVar("K")


class LRU(Policy[K]):
    """A queue in the order of the last use."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: OrderedDict[K, None] = OrderedDict()  # the least recently used is first
        self.hit = self.resident.move_to_end  # to the end, where the most recently used is

    def add(self, key: K) -> None:
        """Put the key at the end of the queue: its arrival counts as a use."""
        self.resident[key] = None

    def evict(self) -> K:
        """Evict the least recently used key."""
        key, _ = self.resident.popitem(last=False)
        return key

    def remove(self, key: K) -> None:
        """Take the key out of the queue. The others keep their order."""
        del self.resident[key]
