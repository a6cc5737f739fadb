"""Exercise 3.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

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


ANSWERS: list[tuple[Any, str]] = [
    (Mended, "Correct."),
    (TimedCache, "When one key expires, others are dropped with it"),
    (Buckets, "Not yet."),
    (NoBound, "The bound is gone"),
    (HalfTheRoom, "It holds fewer entries"),
    (ClearsAll, "When one entry has to be evicted, all of them are"),
    (AtTheInstant, "at the very instant"),
    (FirstIn, "Correct."),
    (Sliding, "Each read extends the entry's life"),
    (OnlyLruCache, "Nothing expires"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("3.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("3.2", ANSWERS, capsys)
