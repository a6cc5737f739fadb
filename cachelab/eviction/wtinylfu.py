"""W-TinyLFU: nobody gets into the cache proper by pushing out a key that was asked for as often.

Problem: LRU lets every new key in, at the price of one that may be worth more. LFU is right about popularity and never
    forgets.
Idea: a small *window* (LRU, 1 % of the cache) takes all new keys. Who reaches its end applies for the *main* cache: let
    in only if a sketch has counted it more often, lately, than the one who would have to leave. In main, newcomers are
    on *probation* (20 %); whoever is used there becomes *protected* (80 %), and who is protected and not used falls
    back, for want of room.
Guarantee: nobody in main is pushed out by a candidate who was estimated to be no more popular.
Not guaranteed: that the estimate is right: it is too high for a key that shares its counters with popular ones. A hot
    set that moves is admitted late, since the new keys must first outnumber the old ones.
Cost: three counters and a move in a linked list for each hit; a hash for each new key. The sketch has 16 to 32 bytes
    for each entry of the bound.
Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage
    13(4), 2017. Not in the paper but in Caffeine, its best-known user: a window that adapts its size.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from cachelab.eviction.policy import Policy
from cachelab.eviction.sketch import Places, Sketch

__all__ = ["WTinyLFU"]

K = TypeVar("K")


class WTinyLFU(Policy[K]):
    """Window 1 %, probation 20 % and protected 80 % of the rest. The shares are of the keys that are there."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.resident: dict[K, Places] = {}  # where each counts in the sketch
        self._window: OrderedDict[K, None] = OrderedDict()  # in each segment the least recently used stands first
        self._probation: OrderedDict[K, None] = OrderedDict()
        self._protected: OrderedDict[K, None] = OrderedDict()
        self._sketch = Sketch(bound)

    def hit(self, key: K) -> None:
        """Count it; the most recently used of its segment, or, from probation, of the protected."""
        self._sketch.count(self.resident[key])
        protected = self._protected
        if key in protected:
            protected.move_to_end(key)
        elif key in self._window:
            self._window.move_to_end(key)
        else:
            del self._probation[key]
            protected[key] = None
            if len(protected) > 4 * len(self._probation):
                demoted, _ = protected.popitem(last=False)
                self._probation[demoted] = None

    def add(self, key: K) -> None:
        """Count it, into the window."""
        sketch = self._sketch
        self.resident[key] = places = sketch.places(key)
        sketch.count(places)
        self._window[key] = None

    def evict(self) -> K:
        """The window's candidate against main's victim: who is not the more popular leaves."""
        window, probation, places, estimate = self._window, self._probation, self.resident, self._sketch.estimate
        while len(window) > 1 and 100 * len(window) > len(places):  # more than its 1 %: there is room in main
            key, _ = window.popitem(last=False)
            probation[key] = None
        main = probation or self._protected
        if window and main:
            candidate, _ = window.popitem(last=False)
            victim = next(iter(main))
            if estimate(places[candidate]) > estimate(places[victim]):
                probation[candidate] = None
                del main[victim]
                loser = victim
            else:
                loser = candidate
        else:
            loser, _ = (window or main).popitem(last=False)
        del places[loser]
        return loser

    def remove(self, key: K) -> None:
        """Out of its segment; the sketch remembers it."""
        del self.resident[key]
        for segment in (self._window, self._probation, self._protected):
            if key in segment:
                del segment[key]
