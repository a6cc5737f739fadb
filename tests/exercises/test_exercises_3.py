"""Chapter 3's exercises: the solution passes, plausible wrong answers get their own words, and nothing hangs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

from cachelab import lab
from cachelab.eviction import FIFO, LRU, OPT, S3FIFO, SIEVE, WTinyLFU
from cachelab.lab.exercises.ch04_1_sieve import MISTAKEN
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

Clock = Callable[[], float]


class MySieve:
    """SIEVE on a list; the wrong ones below differ from it in one point each."""

    def __init__(self, bound: int) -> None:
        self.queue: list[str] = []
        self.marked: set[str] = set()
        self.hand = 0

    def hit(self, key: str) -> None:
        self.marked.add(key)

    def add(self, key: str) -> None:
        self.queue.append(key)

    def evict(self) -> str:
        while self.queue[self.hand] in self.marked:
            self.marked.remove(self.queue[self.hand])
            self.hand = (self.hand + 1) % len(self.queue)
        key = self.queue.pop(self.hand)
        if self.hand == len(self.queue):
            self.hand = 0
        return key


class NewestFirst(MySieve):
    def evict(self) -> str:
        for key in reversed(self.queue):
            if key not in self.marked:
                self.queue.remove(key)
                return key
            self.marked.remove(key)
        return self.queue.pop()


class ForgetsToSay(MySieve):
    def evict(self) -> Any:
        super().evict()


class TimedCache:
    """The copied one."""

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
    """What the exercise asks for."""

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
    """The other copied one: the time, rounded, is a part of the key."""

    def __init__(self, load: Any, ttl: float, size: int, clock: Clock) -> None:
        self.ttl, self.clock = ttl, clock
        self.load = lru_cache(maxsize=size)(lambda key, _bucket: load(key))

    def get(self, key: int) -> Any:
        return self.load(key, self.clock() // self.ttl)


ANSWERS: list[tuple[str, Any, str]] = [
    ("4.1", MySieve, "Correct. Your evictions are SIEVE's"),
    ("4.1", SIEVE, "Correct. Your evictions are SIEVE's"),
    *[("4.1", model, f"Not yet. {words[:30]}") for model, words in MISTAKEN],
    ("4.1", NewestFirst, "walks from the newest"),
    ("4.1", ForgetsToSay, "evict() has to return the key that leaves"),
    ("4.1", ..., "Nothing to check yet"),
    ("4.1", 3, "needs the class itself"),
    ("3.2", Mended, "Correct."),
    ("3.2", TimedCache, "When one key expires, others leave with it"),
    ("3.2", Buckets, "Not yet."),
    ("3.2", NoBound, "The bound is gone"),
    ("3.2", HalfTheRoom, "It holds fewer entries"),
    ("3.2", ClearsAll, "When one entry has to leave, all of them do"),
    ("3.2", AtTheInstant, "At the very instant"),
    ("3.2", FirstIn, "Correct."),
    ("3.2", Sliding, "Each read makes the entry young again"),
    ("3.2", OnlyLruCache, "Nothing expires"),
    ("3.2", ..., "Nothing to check yet"),
    ("4.2", {"policy": S3FIFO, "entries": 180}, "Correct."),
    (
        "4.2",
        {"policy": SIEVE, "entries": 200},
        "Correct. Origin 98.3/s with 400 kB",
    ),
    ("4.2", {"policy": WTinyLFU, "entries": 100}, "too little room"),
    ("4.2", {"policy": LRU, "entries": 200}, "It would need 607 entries"),
    ("4.2", {"policy": LRU, "entries": 100}, "with the whole budget, either"),
    ("4.2", {"policy": FIFO, "entries": 100}, "Change who leaves"),
    ("4.2", {"policy": SIEVE, "entries": 200.0}, "Correct."),
    ("4.2", {"policy": SIEVE, "entries": 400}, "An entry has 2 kB"),
    ("4.2", {"policy": LRU, "entries": 700}, "More memory than the budget"),
    ("4.2", {"policy": OPT, "entries": 100}, "OPT knows the future"),
    ("4.2", {"policy": "SIEVE", "entries": 200}, "The policy is a class"),
    ("4.2", {"policy": SIEVE, "entries": 0}, "a whole number of at least 1"),
    ("4.2", {"policy": ..., "entries": ...}, "Nothing to check yet"),
    ("4.2", None, "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each misconception is called by its name."""
    assert_verdict(name, answer, words, capsys)


@pytest.mark.parametrize("name", ["4.1", "3.2", "4.2"])
def test_every_misconception_comes_with_its_evidence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong, the sentence is followed by what happened."""
    assert_evidence_follows(name, ANSWERS, capsys)


def test_the_mistaken_are_all_different(capsys: pytest.CaptureFixture[str]) -> None:
    """No two of the named misconceptions have the same evictions, so each name is the right one."""
    said = []
    for model, _ in MISTAKEN:
        lab.check("4.1", model)
        said.append(capsys.readouterr().out.partition("\n\n")[0])
    assert len(set(said)) == len(MISTAKEN)
