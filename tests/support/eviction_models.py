"""The eviction policies once more, slow and obvious: each rule in plain lists.

A list has its oldest (or least recently used) key at the front. The models share nothing with the package except the
digest of a key for the sketch, which is a hash and has no obvious form.
"""

from collections import Counter
from collections.abc import Hashable
from itertools import count

from cachelab.eviction.sketch import digest

__all__ = ["FIFOModel", "LFUModel", "LRUModel", "Model", "S3FIFOModel", "SIEVEModel", "SketchModel", "WTinyLFUModel"]

Key = Hashable
Queue = list[Key]


class Model:
    """The calls of a `Policy`. `resident()` is the set of the keys that are in the cache."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.queue: Queue = []

    def resident(self) -> set[Key]:
        return set(self.queue)

    def hit(self, key: Key) -> None:
        raise NotImplementedError

    def add(self, key: Key) -> None:
        self.queue.append(key)

    def evict(self) -> Key:
        return self.queue.pop(0)

    def remove(self, key: Key) -> None:
        self.queue.remove(key)


class FIFOModel(Model):
    """A queue that a use does not change."""

    def hit(self, key: Key) -> None:
        pass


class LRUModel(Model):
    """A queue in which a key that is used goes to the back."""

    def hit(self, key: Key) -> None:
        self.queue.remove(key)
        self.queue.append(key)


class LFUModel(LRUModel):
    """A queue by last use, and a count of uses since each key came: the first with the lowest count is evicted."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.uses: dict[Key, int] = {}

    def hit(self, key: Key) -> None:
        super().hit(key)
        self.uses[key] += 1

    def add(self, key: Key) -> None:
        super().add(key)
        self.uses[key] = 1

    def evict(self) -> Key:
        victim = min(self.queue, key=lambda key: self.uses[key])
        self.queue.remove(victim)
        return victim


class SIEVEModel(Model):
    """A queue, the set of marked keys, and a hand: the key that it is at, or None after the newest."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.marked: set[Key] = set()
        self.hand: tuple[Key] | None = None

    def hit(self, key: Key) -> None:
        self.marked.add(key)

    def evict(self) -> Key:
        at = self.queue.index(self.hand[0]) if self.hand else 0
        while self.queue[at] in self.marked:
            self.marked.remove(self.queue[at])
            at = (at + 1) % len(self.queue)
        victim = self.queue[at]
        self.hand = (victim,)
        self.remove(victim)
        return victim

    def remove(self, key: Key) -> None:
        at = self.queue.index(key)
        if self.hand == (key,):
            self.hand = (self.queue[at + 1],) if at + 1 < len(self.queue) else None
        self.queue.remove(key)
        self.marked.discard(key)


class S3FIFOModel(Model):
    """Three queues and a count of uses, in the words of the paper.

    `papers_start`  whether the small queue may fill the whole cache before the first eviction, as in the paper
    """

    def __init__(self, bound: int, *, papers_start: bool = False) -> None:
        self.bound = bound
        self.small: Queue = []
        self.main: Queue = []
        self.ghost: Queue = []
        self.uses: dict[Key, int] = {}
        self.bounds_small = not papers_start

    def resident(self) -> set[Key]:
        return {*self.small, *self.main}

    def hit(self, key: Key) -> None:
        self.uses[key] = min(self.uses[key] + 1, 3)

    def add(self, key: Key) -> None:
        self.uses[key] = 0
        if key in self.ghost:
            self.ghost.remove(key)
            self.main.append(key)
        elif self.bounds_small and len(self.small) >= self.bound // 10:
            self.main.append(key)
        else:
            self.small.append(key)
        del self.ghost[: max(0, len(self.ghost) - len(self.resident()) * 9 // 10)]

    def evict(self) -> Key:
        self.bounds_small = False
        if len(self.small) >= len(self.resident()) // 10:
            while self.small:
                key = self.small.pop(0)
                if self.uses[key] <= 1:
                    self.ghost.append(key)
                    return key
                self.uses[key] = 0
                self.main.append(key)
        while self.uses[self.main[0]] > 0:
            key = self.main.pop(0)
            self.uses[key] -= 1
            self.main.append(key)
        return self.main.pop(0)

    def remove(self, key: Key) -> None:
        (self.small if key in self.small else self.main).remove(key)


class SketchModel:
    """The highest count that was noted at each place, in a dict."""

    def __init__(self, capacity: int) -> None:
        self.counts: Counter[int] = Counter()
        self.size = next(1 << bits for bits in count() if 1 << bits >= 48 * capacity)

    def places(self, key: Key) -> set[int]:
        return {digest(key) % self.size, digest(key) * self.size // 2**32}

    def note(self, key: Key, count: int) -> None:
        for place in self.places(key):
            self.counts[place] = max(self.counts[place], count)

    def estimate(self, key: Key) -> int:
        return min(self.counts[place] for place in self.places(key))

    def halve(self) -> None:
        self.counts = Counter({place: count // 2 for place, count in self.counts.items()})


class WTinyLFUModel(Model):
    """Three LRU lists, a count for each of their keys, and the sketch for all others."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.window: Queue = []
        self.probation: Queue = []
        self.protected: Queue = []
        self.counts: dict[Key, int] = {}
        self.sketch = SketchModel(bound)
        self.total = 0

    def resident(self) -> set[Key]:
        return {*self.window, *self.probation, *self.protected}

    def hit(self, key: Key) -> None:
        self.count(key, self.counts[key])
        was_on_probation = key in self.probation
        segment = self.window if key in self.window else self.protected
        self._take_out(key)
        segment.append(key)
        if was_on_probation and 5 * len(self.protected) > 4 * (len(self.probation) + len(self.protected)):
            self.probation.append(self.protected.pop(0))

    def add(self, key: Key) -> None:
        self.count(key, self.sketch.estimate(key))
        self.window.append(key)

    def count(self, key: Key, before: int) -> None:
        if before == 15:
            self.counts[key] = 15
            return
        self.counts[key] = before + 1
        self.total += 1
        if self.total % (10 * self.bound) == 0:
            self.counts = {key: (count + 1) // 2 for key, count in self.counts.items()}
            self.sketch.halve()

    def evict(self) -> Key:
        while len(self.window) > max(1, len(self.resident()) // 100):
            self.probation.append(self.window.pop(0))
        candidate, victim = self.window[:1], (self.probation or self.protected)[:1]
        if candidate and victim and self.counts[candidate[0]] > self.counts[victim[0]]:
            self.probation.append(self.window.pop(0))
            evicted = victim[0]
        else:
            evicted = (candidate or victim)[0]
        self.remove(evicted)
        return evicted

    def remove(self, key: Key) -> None:
        self.sketch.note(key, self.counts.pop(key))
        self._take_out(key)

    def _take_out(self, key: Key) -> None:
        for segment in (self.window, self.probation, self.protected):
            if key in segment:
                segment.remove(key)
