"""OPT: the key that will not be needed for the longest time is evicted. It must know the future, so it is a yardstick.

Problem: a hit ratio says little without the best one possible for the same requests with the same room.
Idea: look ahead. The key whose next request comes last, or never, is the one to evict.
Guarantee: no policy that admits every requested key has more hits on that trace with that bound.
Not guaranteed: that any policy that does not know the future comes near.
Cost: the whole trace in memory, with the next use of each request, and a heap: O(log n) for each request.
Source: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 5(2), 1966, the
    rule MIN; that it is optimal: Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2), 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["OPT"]

K = TypeVar("K")


class OPT(Policy[K]):
    """For a cache whose requests are the keys of `future`, in that order, and no others.

    So each of them takes one call of `hit` or `add`, as `count_hits` makes it; any other key raises ValueError.
    """

    def __init__(self, bound: int, future: Sequence[K]) -> None:
        super().__init__(bound)
        self.resident: dict[K, int] = {}  # the moment at which each is needed next
        self._heap: list[int] = []  # the same moments, negative, so that the last is first
        self._future = future
        self._next = _next_uses(future)
        self._now = 0

    def hit(self, key: K) -> None:
        """Note when the key is needed next."""
        if self._now == len(self._future) or self._future[self._now] != key:
            raise ValueError(f"Request {self._now} is for {key!r}, but OPT was given another sequence of requests.")
        self.resident[key] = when = self._next[self._now]
        heappush(self._heap, -when)
        self._now += 1

    def add(self, key: K) -> None:
        """As `hit`: note when the key is needed next."""
        self.hit(key)

    def evict(self) -> K:
        """Evict the key that is needed last of all."""
        if not self.resident:
            raise KeyError("no key is resident")
        while True:
            when = -heappop(self._heap)
            key = self._future[when % len(self._future)]
            if self.resident.get(key) == when:  # otherwise this note is out of date: the key was removed
                del self.resident[key]
                return key

    def remove(self, key: K) -> None:
        """Forget the key. The note about it in the heap is skipped later."""
        del self.resident[key]


def _next_uses(keys: Sequence[K]) -> list[int]:
    """For each of the n requests, the number of the next request for the same key; n + its own number if there is none.

    So no two moments are equal, even for keys that are not needed again, and modulo n each tells which key it is for.
    """
    n = len(keys)
    next_use: dict[K, int] = {}
    moments = [0] * n
    for now in range(n - 1, -1, -1):
        moments[now] = next_use.get(keys[now], n + now)
        next_use[keys[now]] = now
    return moments
