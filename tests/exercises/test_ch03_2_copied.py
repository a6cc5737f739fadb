"""Exercise 3.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import heapq
import random
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cachetools
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

Clock = Callable[[], float]


class TimedCache:
    """The class that the exercise shows."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.load = lru_cache(maxsize=size)(load)
        self.ttl, self.clock = ttl, clock
        self.expires = clock() + ttl

    def get(self, key: int) -> Any:
        if self.clock() >= self.expires:
            self.load.cache_clear()
            self.expires = self.clock() + self.ttl
        return self.load(key)


class Mended:
    """The solution; the classes below that inherit from it differ from it in one point each."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.load, self.ttl, self.size, self.clock = load, ttl, size, clock
        self.entries: OrderedDict[int, tuple[Any, float]] = OrderedDict()

    def get(self, key: int) -> Any:
        if key in self.entries:
            value, expires = self.entries[key]
            if self.clock() < expires:
                self.entries.move_to_end(key)
                return value
        value = self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        self.entries.move_to_end(key)
        if len(self.entries) > self.size:
            self.entries.popitem(last=False)
        return value


class NoBound(Mended):
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, 10**9, clock)


class HalfTheRoom(Mended):
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, size // 2, clock)


class ClearsAll(Mended):
    def get(self, key: int) -> Any:
        if key not in self.entries and len(self.entries) >= self.size:
            self.entries.clear()
        return super().get(key)


class AtTheInstant(Mended):
    def get(self, key: int) -> Any:
        if key in self.entries and self.clock() <= self.entries[key][1]:
            return self.entries[key][0]
        return super().get(key)


class FirstIn(Mended):
    def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        return super().get(key)


class Sliding(Mended):
    def get(self, key: int) -> Any:
        value = super().get(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class OnlyLruCache:
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.get = lru_cache(maxsize=size)(load)


class Buckets:
    """Another class that is copied a lot: the rounded time is a part of the key."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.ttl, self.clock = ttl, clock
        self.load = lru_cache(maxsize=size)(lambda key, _bucket: load(key))

    def get(self, key: int) -> Any:
        return self.load(key, self.clock() // self.ttl)


class ThreeTimesTheSize(Mended):
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, 3 * size, clock)


class OneTooMany(Mended):
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, size + 1, clock)


class KeysStay(Mended):
    """The moments of expiry are in a dict of their own, which nothing ever leaves."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, size, clock)
        self.expires: dict[int, float] = {}

    def get(self, key: int) -> Any:
        value = super().get(key)
        self.expires[key] = self.entries[key][1]
        return value


class ServesTheOldOnError(Mended):
    def get(self, key: int) -> Any:
        try:
            return super().get(key)
        except ConnectionError:
            if key not in self.entries:
                raise
            return self.entries[key][0]


class KeepsErrors(Mended):
    def get(self, key: int) -> Any:
        try:
            return super().get(key)
        except ConnectionError:
            if key in self.entries:
                self.entries[key] = (self.entries[key][0], self.clock() + self.ttl)
            raise


class IsAsync(Mended):
    async def get(self, key: int) -> Any:
        return super().get(key)


class ReturnsNothing(Mended):
    def get(self, key: int) -> Any:
        super().get(key)


class HasATypo(Mended):
    def get(self, key: int) -> Any:
        return self.entires[key]  # type: ignore[attr-defined]


# Right answers


class AnyLeaves(Mended):
    """A random one."""

    def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = self.load(key)
        if key not in self.entries and len(self.entries) >= self.size:
            del self.entries[random.choice(list(self.entries))]
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class OnCachetools:
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.get = cachetools.cached(cachetools.TTLCache(size, ttl, timer=clock))(load)


class NotesTheLoad(Mended):
    """It keeps the moment of the load, and forgets the entry that was loaded first."""

    def get(self, key: int) -> Any:
        now = self.clock()
        if key in self.entries and now - self.entries[key][1] < self.ttl:
            return self.entries[key][0]
        self.entries.pop(key, None)
        self.entries[key] = (self.load(key), self.clock())
        while len(self.entries) > self.size:
            del self.entries[next(iter(self.entries))]
        return self.entries[key][0]


class SweepsAHeap(Mended):
    """What has expired leaves first; the heap forgets a key when its moment has passed."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, size, clock)
        self.heap: list[tuple[float, int]] = []

    def get(self, key: int) -> Any:
        while self.heap and self.heap[0][0] <= self.clock():
            expires, old = heapq.heappop(self.heap)
            if old in self.entries and self.entries[old][1] == expires:
                del self.entries[old]
        is_new = key not in self.entries
        value = super().get(key)
        if is_new:
            heapq.heappush(self.heap, (self.entries[key][1], key))
        return value


class TheNewestLeaves(Mended):
    def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = self.load(key)
        if key in self.entries or len(self.entries) < self.size:
            self.entries[key] = (value, self.clock() + self.ttl)
        return value


class KeepsTheExpired(Mended):
    def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = self.load(key)
        if len(self.entries) < self.size:
            self.entries[key] = (value, self.clock() + self.ttl)
        return value


class KeepsCopies(Mended):
    """The values are kept as text."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(lambda key: repr(load(key)), ttl, size, clock)

    def get(self, key: int) -> Any:
        return eval(super().get(key))


class KeepsTwiceAsManyCopies(KeepsCopies):
    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        super().__init__(load, ttl, 2 * size - 1 if size > 1 else 1, clock)


ANSWERS: list[tuple[Any, str]] = [
    (Mended, "Correct."),
    (FirstIn, "Correct."),
    (AnyLeaves, "Correct."),
    (OnCachetools, "Correct."),
    (NotesTheLoad, "Correct."),
    (SweepsAHeap, "Correct."),
    (TheNewestLeaves, "Correct."),
    (KeepsCopies, "Correct."),
    (TimedCache, "When one key expires, others are dropped with it"),
    (Buckets, "Not yet."),
    (NoBound, "The bound is gone"),
    (ThreeTimesTheSize, "It holds more entries than its size"),
    (OneTooMany, "It holds more entries than its size"),
    (KeepsTwiceAsManyCopies, "It holds more entries than its size"),
    (KeysStay, "The values leave, and their keys stay"),
    (HalfTheRoom, "It holds fewer entries"),
    (KeepsTheExpired, "When it is full of entries that have expired"),
    (ClearsAll, "When one entry has to be evicted, others leave with it"),
    (AtTheInstant, "at the very instant"),
    (ServesTheOldOnError, "the old value is served in place of the error"),
    (KeepsErrors, "after a load that has failed, the next read must load again"),
    (Sliding, "Each read extends the entry's life"),
    (OnlyLruCache, "Nothing expires, for nobody looks at the clock"),
    (IsAsync, "get is a plain function here"),
    (ReturnsNothing, "get returns None: is a return missing?"),
    (HasATypo, "Your code raised AttributeError: 'HasATypo' object has no attribute 'entires', at line"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("3.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("3.2", ANSWERS, capsys)
