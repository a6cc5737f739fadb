"""W-TinyLFU: a new key enters the main cache only if it was requested more often than the key it would displace.

Problem: LRU admits every new key, at the price of evicting one that may be worth more. LFU judges popularity well and
    never forgets.
Idea: a small *window* (LRU, 1 % of the cache) takes all new keys. A key at the window's end becomes a *candidate* for
    the *main* cache. It is admitted only if it was requested more often, lately, than the *victim* that would be
    evicted for it. Resident keys are counted up to 15; the counts of all others are in a sketch. After every 10 ×
    `bound` counts all counts are halved. In main, new keys are on *probation* (20 %). A key that is used there becomes
    *protected* (80 %). If there are too many protected keys, the least recently used of them goes back to probation.
Guarantee: no key in main is displaced by a candidate whose count or estimate is no higher. In a store, nobody outside
    the process can tell which keys share their counters.
Not guaranteed: that the estimate is right: it is too high for a key that shares its counters with popular ones. A hot
    set that moves is admitted late, since the new keys must first overtake the old ones.
Cost: a counter and a move in a linked list for each hit; two hashes for each new key. The sketch has 48 to 96 bytes
    for each entry of the bound.
Source: Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage
    13(4), 2017. Not in the paper but in Caffeine, its best-known user: a window that adapts its size. In neither:
    resident keys need no sketch, since each has a dict entry anyway, so they are counted there. Their counts are
    rounded up when they are halved: otherwise each halving would favour the new keys.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from cachelab.eviction.policy import Policy
from cachelab.eviction.sketch import Sketch, digest, secret_digest

__all__ = ["WTinyLFU"]

K = TypeVar("K")

MAX_COUNT = 15  # a higher count would tell no more


class WTinyLFU(Policy[K]):
    """Window 1 %; of the rest, probation 20 % and protected 80 %. These are shares of the resident keys.

    `reproducible`  in a store, too, make the same choices in every process: whoever chooses the keys could then foresee
                    which of them share counters. `MemoryStore(1_000, policy=partial(WTinyLFU, reproducible=True))`
    """

    def __init__(self, bound: int, *, reproducible: bool = False) -> None:
        super().__init__(bound)
        self._reproducible = reproducible
        self._digest: Callable[[object], int] = digest
        self._counts: _Counts[K] = _Counts(bound)
        self.resident: dict[K, int] = self._counts.resident  # how often each was requested lately
        self._window: OrderedDict[K, int] = OrderedDict()  # with the digest of each: most are evicted from here
        self._probation: OrderedDict[K, None] = OrderedDict()  # in each segment the least recently used is first
        self._protected: OrderedDict[K, None] = OrderedDict()
        self.hit = self._make_hit()

    def _make_hit(self) -> Callable[[K], None]:
        """`hit` as a function with its parts at hand: it is a twelfth quicker than a method.

        The policy itself is not one of the parts, so a policy that is dropped is freed at once.
        """
        all_counts, window, probation, protected = self._counts, self._window, self._probation, self._protected
        counts = all_counts.resident
        to_end_of_protected, to_end_of_window = protected.move_to_end, window.move_to_end

        def hit(key: K) -> None:
            """Count the use. The key becomes the most recent of its segment, or of protected if it was on probation."""
            count = counts[key]
            if count < MAX_COUNT:
                counts[key] = count + 1
                all_counts.until_halving -= 1
                if not all_counts.until_halving:
                    all_counts.halve()
            if key in protected:
                to_end_of_protected(key)
            elif key in window:
                to_end_of_window(key)
            else:
                del probation[key]
                protected[key] = None
                if len(protected) > 4 * len(probation):
                    demoted, _ = protected.popitem(last=False)
                    probation[demoted] = None

        return hit

    def add(self, key: K) -> None:
        """Put the key into the window, with a count of one more than the sketch remembers."""
        self._window[key] = its_digest = self._digest(key)
        counts = self._counts
        counts.resident[key] = count = counts.others.estimate(its_digest)
        if count < MAX_COUNT:
            counts.resident[key] = count + 1
            counts.until_halving -= 1
            if not counts.until_halving:
                counts.halve()

    def evict(self) -> K:
        """Evict the window's candidate or main's victim: the candidate, unless it is the more popular of the two."""
        window, probation, counts = self._window, self._probation, self.resident
        while 100 * len(window) > len(counts) and len(window) > 1:  # more than 1 %, so there is room in main
            key, _ = window.popitem(last=False)
            probation[key] = None
        main = probation or self._protected
        if window and main:
            candidate, its_digest = window.popitem(last=False)
            victim = next(iter(main))
            if counts[candidate] > counts[victim]:
                probation[candidate] = None
                del main[victim]
                evicted, its_digest = victim, self._digest(victim)
            else:
                evicted = candidate
        else:
            evicted, _ = (window or main).popitem(last=False)
            its_digest = self._digest(evicted)
        self._counts.others.note(its_digest, counts.pop(evicted))
        return evicted

    def remove(self, key: K) -> None:
        """Take the key out of its segment. The sketch remembers its count."""
        self._counts.others.note(self._digest(key), self.resident.pop(key))
        for segment in (self._window, self._probation, self._protected):
            segment.pop(key, None)

    def become_unpredictable(self) -> None:
        """Hash keys with a secret of this policy, unless it is to be reproducible."""
        if not self._reproducible:
            self._digest = secret_digest()


class _Counts(Generic[K]):
    """How often each key was requested lately, and when all of these counts are halved next."""

    def __init__(self, bound: int) -> None:
        self.resident: dict[K, int] = {}
        self.others = Sketch(bound)  # the keys that are not resident
        self.until_halving = self._between_halvings = 10 * bound  # so many more counts

    def halve(self) -> None:
        self.until_halving = self._between_halvings
        for key, count in self.resident.items():
            self.resident[key] = (count + 1) // 2
        self.others.halve()
