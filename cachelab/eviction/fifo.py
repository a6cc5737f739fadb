"""First in, first out: the key that came first is evicted first, whether it is used or not.

Problem: a full cache must evict a key, and a record of every use costs time.
Idea: keep no record. The keys are in a queue in the order in which they came, and the first is evicted.
Guarantee: a key stays until `bound` others have come after it, or longer if some of them are removed.
Not guaranteed: that a popular key stays: it is evicted in its turn, to be loaded again at once.
Cost: nothing for a hit, one dict entry for each key.
Source: Belady, IBM Systems Journal 5(2), 1966, where it is one of the rules compared.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["FIFO"]

K = TypeVar("K")


class FIFO(Policy[K]):
    """A queue: in at one end, out at the other."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: OrderedDict[K, None] = OrderedDict()  # the oldest is first

    def hit(self, key: K) -> None:
        """A use changes nothing."""

    def add(self, key: K) -> None:
        """Put the key at the end of the queue."""
        self.resident[key] = None

    def evict(self) -> K:
        """Evict the oldest key."""
        key, _ = self.resident.popitem(last=False)
        return key

    def remove(self, key: K) -> None:
        """Take the key out of the queue. The others keep their order."""
        del self.resident[key]
