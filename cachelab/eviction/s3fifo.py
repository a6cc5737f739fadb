"""S3-FIFO: three queues, so that keys used once do not displace keys used often.

Problem: most keys of a cache are used once while they are in it, and LRU lets each of them pass through its whole
    queue.
Idea: new keys wait in a *small* queue, a tenth of the cache. At its end, a key that was used more than once moves to
    the *main* queue; any other is evicted, and a *ghost* queue remembers it. A key that comes back while the ghost
    remembers it goes straight to main. At the end of main, a key that was used goes round again, with one use less to
    its credit.
Guarantee: after the first eviction, a key that is requested once never enters main, however long the scan. Each key
    has credit for 3 uses at most, and each step of an eviction uses some up: constant time on average.
Not guaranteed: a hit for a key whose uses are further apart than small and ghost together remember: it is always new.
Cost: a counter for each hit, until it is at 3. The ghost holds as many keys again as main (keys, not values).
Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP'23. In the paper the
    small queue may fill the whole cache at first. Here, as in the authors' later code (libcachesim), new keys for which
    small has no room go to main until the first eviction.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["S3FIFO"]

K = TypeVar("K")


class S3FIFO(Policy[K]):
    """Small 10 %, main 90 %, and a ghost as long as main. These are shares of the resident keys."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: dict[K, int] = {}  # uses of each since it came or went round, at most 3
        self._small: OrderedDict[K, None] = OrderedDict()  # in each queue the oldest is first
        self._main: OrderedDict[K, None] = OrderedDict()
        self._ghost: OrderedDict[K, None] = OrderedDict()
        self._has_evicted = False

    def hit(self, key: K) -> None:
        """Count the use, up to 3. Nothing moves."""
        uses = self.resident
        if uses[key] < 3:
            uses[key] += 1

    def add(self, key: K) -> None:
        """Put the key at the end of small, or at the end of main if the ghost remembers it."""
        resident, ghost = self.resident, self._ghost
        resident[key] = 0
        if key in ghost:
            del ghost[key]
            self._main[key] = None
        elif self._has_evicted or len(self._small) < self.bound // 10:
            self._small[key] = None
        else:
            self._main[key] = None
        while 10 * len(ghost) > 9 * len(resident):  # longer than main
            ghost.popitem(last=False)

    def evict(self) -> K:
        """Evict the oldest key that was not used enough: of small, or of main if small has less than its tenth."""
        self._has_evicted = True
        uses, small, main = self.resident, self._small, self._main
        if len(small) >= len(uses) // 10:
            while small:
                key, _ = small.popitem(last=False)
                if uses[key] <= 1:
                    del uses[key]
                    self._ghost[key] = None
                    return key
                uses[key] = 0
                main[key] = None
        while True:
            key, _ = main.popitem(last=False)
            if uses[key] == 0:
                del uses[key]
                return key
            uses[key] -= 1
            main[key] = None

    def remove(self, key: K) -> None:
        """Take the key out of its queue. The ghost does not remember it: that is for evicted keys."""
        del self.resident[key]
        del (self._small if key in self._small else self._main)[key]
