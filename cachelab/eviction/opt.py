"""OPT: who will not be needed for longest leaves. It must know the future, so it is a yardstick and not a cache.

Problem: a hit ratio says little without the best that was possible on the same requests with the same room.
Idea: look ahead. Whoever is asked for again last, or never, can be spared best.
Guarantee: no policy that takes in every key it is asked for has more hits on that trace with that bound.
Not guaranteed: that any policy which does not know the future comes near.
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
    """For a cache that will be asked for the keys of `future`, in that order, and for nothing else.

    So each of them must be told by one `hit` or `add`, as `count_hits` does; any other key raises ValueError.
    """

    def __init__(self, bound: int, future: Sequence[K]) -> None:
        super().__init__(bound)
        self.resident: dict[K, int] = {}  # when each is needed next
        self._heap: list[int] = []  # the same moments, negative: the farthest stands first
        self._future = future
        self._next = _next_uses(future)
        self._now = 0

    def hit(self, key: K) -> None:
        """Look up when the key is needed next."""
        if self._now == len(self._future) or self._future[self._now] != key:
            raise ValueError(f"request {self._now} for {key!r} is not what OPT was told of the future")
        self.resident[key] = when = self._next[self._now]
        heappush(self._heap, -when)
        self._now += 1

    def add(self, key: K) -> None:
        """As `hit`."""
        self.hit(key)

    def evict(self) -> K:
        """The one that is needed last of all leaves."""
        if not self.resident:
            raise KeyError("nobody is there to leave")
        while True:
            when = -heappop(self._heap)
            key = self._future[when % len(self._future)]
            if self.resident.get(key) == when:  # else it was removed, and the note about it is out of date
                del self.resident[key]
                return key

    def remove(self, key: K) -> None:
        """The note about it in the heap is skipped later."""
        del self.resident[key]


def _next_uses(keys: Sequence[K]) -> list[int]:
    """For each request, the number of the next one for the same key; n + its own number if there is none among n.

    So all moments differ, those of keys that are not needed again too, and modulo n each says which key it is about.
    """
    n = len(keys)
    seen: dict[K, int] = {}
    moments = [0] * n
    for now in range(n - 1, -1, -1):
        moments[now] = seen.get(keys[now], n + now)
        seen[keys[now]] = now
    return moments
