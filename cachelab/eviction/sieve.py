"""SIEVE: a queue, a mark on the keys that were used, and a hand that picks out the first key without a mark.

Problem: LRU moves a key on every hit; most new keys are never used again, and yet pass through its whole queue.
Idea: a hit only sets a mark. To evict, a hand moves from the oldest key towards the newest. A key with a mark loses it
    and stays *where it is*; the first key without a mark is evicted, and the hand stops there. After the newest key the
    hand starts again at the oldest. New keys come in at the newest end, so the hand soon reaches the ones not used.
Guarantee: a key that was used since the hand last passed it survives the next pass.
Not guaranteed: resistance to scans: a long one clears all marks and then displaces the popular keys too. A key may be
    evicted long after a younger one was.
Cost: setting a mark for each hit. An eviction may pass many marked keys, but each mark was set by a hit: constant time
    on average.
Source: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU", NSDI'24.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["SIEVE"]

K = TypeVar("K")


class SIEVE(Policy[K]):
    """One queue, one mark for each key, one hand."""

    def __init__(self, bound: int) -> None:
        self.resident: dict[K, _Node[K]] = {}  # in the order of the queue: a key that survives keeps its place
        self._end: _Node[K] = _Node()  # makes a ring of the queue: after the newest, before the oldest
        self._end.newer = self._end.older = self._hand = self._end
        super().__init__(bound)  # last, since `__del__` runs even if the bound is refused

    def __del__(self) -> None:
        """Break the ring. Otherwise its keys would be kept until the garbage collector runs."""
        for node in (self._end, *self.resident.values()):
            del node.newer, node.older

    def hit(self, key: K) -> None:
        """Set the mark. Nothing moves."""
        self.resident[key].visited = True

    def add(self, key: K) -> None:
        """Put the key at the newest end of the queue, without a mark."""
        node: _Node[K] = _Node()
        self.resident[key] = node
        node.key, node.visited = key, False
        newest, end = self._end.older, self._end
        node.older, node.newer = newest, end
        newest.newer = end.older = node

    def evict(self) -> K:
        """Evict the first key without a mark that the hand reaches."""
        if not self.resident:
            raise KeyError("no key is resident")
        hand, end = self._hand, self._end
        while hand is end or hand.visited:
            hand.visited = False
            hand = hand.newer
        self._hand = hand.newer
        hand.older.newer, hand.newer.older = hand.newer, hand.older
        del self.resident[hand.key]
        return hand.key

    def remove(self, key: K) -> None:
        """Take the key out of the queue. If the hand is at it, the hand moves on by one."""
        node = self.resident.pop(key)
        node.older.newer, node.newer.older = node.newer, node.older
        if self._hand is node:
            self._hand = node.newer


class _Node(Generic[K]):
    """A place in the queue. It has no `__init__`, which would take longer than all the rest of `add`."""

    __slots__ = ("key", "newer", "older", "visited")

    key: K
    visited: bool
    newer: _Node[K]
    older: _Node[K]
