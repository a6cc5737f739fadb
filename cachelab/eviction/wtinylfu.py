"""W-TinyLFU: nobody gets into the cache proper by pushing out a key that was asked for as often.

Problem: LRU lets every new key in, at the price of one that may be worth more. LFU is right about popularity and never
    forgets.
Idea: a small *window* (LRU, 1 % of the cache) takes all new keys. Who reaches its end applies for the *main* cache: let
    in only if it was asked for more often, lately, than the one who would have to leave. Those who are in are counted
    up to 15; those who are out are remembered by a sketch. All counts are halved every 10 × `bound` counts. In main,
    newcomers are on *probation* (20 %); whoever is used there becomes *protected* (80 %), and who is protected and not
    used falls back, for want of room.
Guarantee: nobody in main is pushed out by a candidate who was counted, or estimated, no higher.
Not guaranteed: that the estimate is right: it is too high for a key that shares its counters with popular ones. A hot
    set that moves is admitted late, since the new keys must first outnumber the old ones.
Cost: a counter and a move in a linked list for each hit; two hashes for each new key. The sketch has 48 to 96 bytes
    for each entry of the bound.
Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage
    13(4), 2017. Not in the paper but in Caffeine, its best-known user: a window that adapts its size. Not in either:
    those who are in need no sketch, since each has a dict entry anyway, so they are counted on their own; halved, they
    are rounded up, as each halving would favour the newcomers otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from cachelab.eviction.policy import Policy
from cachelab.eviction.sketch import Sketch, digest

__all__ = ["WTinyLFU"]

K = TypeVar("K")

FULL = 15  # a count of more would tell no more


class WTinyLFU(Policy[K]):
    """Window 1 %, probation 20 % and protected 80 % of the rest. The shares are of the keys that are there."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: dict[K, int] = {}  # how often each was asked for lately
        self._window: OrderedDict[K, int] = OrderedDict()  # with its digest: most of them leave from here
        self._probation: OrderedDict[K, None] = OrderedDict()  # in each segment the least recently used stands first
        self._protected: OrderedDict[K, None] = OrderedDict()
        self._sketch = Sketch(bound)  # what those who are not here were counted
        self._left = 10 * bound  # counts until all are halved
        self.hit = self._make_hit()

    def _make_hit(self) -> Callable[[K], None]:
        """A hit as a function with its parts at hand: a twelfth quicker than a method that fetches them."""
        counts, window, probation, protected = self.resident, self._window, self._probation, self._protected
        use_again, use_in_window = protected.move_to_end, window.move_to_end

        def hit(key: K) -> None:
            """Count it; the most recently used of its segment, or, from probation, of the protected."""
            count = counts[key]
            if count < FULL:
                counts[key] = count + 1
                self._left -= 1
                if not self._left:
                    self._halve()
            if key in protected:
                use_again(key)
            elif key in window:
                use_in_window(key)
            else:
                del probation[key]
                protected[key] = None
                if len(protected) > 4 * len(probation):
                    demoted, _ = protected.popitem(last=False)
                    probation[demoted] = None

        return hit

    def add(self, key: K) -> None:
        """Into the window, counted once more than the sketch remembers."""
        self._window[key] = its_digest = digest(key)
        self.resident[key] = count = self._sketch.estimate(its_digest)
        if count < FULL:
            self.resident[key] = count + 1
            self._left -= 1
            if not self._left:
                self._halve()

    def evict(self) -> K:
        """The window's candidate against main's victim: who is not the more popular leaves."""
        window, probation, counts = self._window, self._probation, self.resident
        while 100 * len(window) > len(counts) and len(window) > 1:  # more than its 1 %: there is room in main
            key, _ = window.popitem(last=False)
            probation[key] = None
        main = probation or self._protected
        if window and main:
            loser, its_digest = window.popitem(last=False)
            victim = next(iter(main))
            if counts[loser] > counts[victim]:
                probation[loser] = None
                del main[victim]
                loser, its_digest = victim, digest(victim)
        else:
            loser, _ = (window or main).popitem(last=False)
            its_digest = digest(loser)
        self._sketch.note(its_digest, counts.pop(loser))
        return loser

    def remove(self, key: K) -> None:
        """Out of its segment; the sketch remembers it."""
        self._sketch.note(digest(key), self.resident.pop(key))
        for segment in (self._window, self._probation, self._protected):
            segment.pop(key, None)

    def _halve(self) -> None:
        self._left = 10 * self.bound
        for key, count in self.resident.items():
            self.resident[key] = (count + 1) // 2
        self._sketch.halve()
