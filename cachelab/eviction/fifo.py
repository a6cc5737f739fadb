"""First in, first out: who came first leaves first, used or not.

Problem: a full cache must let somebody go, and keeping books on every use costs time.
Idea: keep no books. The keys stand in the order in which they came, and the first leaves.
Guarantee: a key stays until `bound` others have come after it, or longer if some of them are removed.
Not guaranteed: that a popular key stays: it leaves on its turn, to be loaded again at once.
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
        self.resident: OrderedDict[K, None] = OrderedDict()  # the oldest stands first

    def hit(self, key: K) -> None:
        """Being used changes nothing."""

    def add(self, key: K) -> None:
        """To the end of the queue."""
        self.resident[key] = None

    def evict(self) -> K:
        """The oldest leaves."""
        key, _ = self.resident.popitem(last=False)
        return key

    def remove(self, key: K) -> None:
        """Out of the queue; the others keep their order."""
        del self.resident[key]
