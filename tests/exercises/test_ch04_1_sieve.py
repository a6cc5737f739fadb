"""Exercise 4.1: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from cachelab import lab
from cachelab.eviction import SIEVE
from cachelab.lab.exercises.ch04_1_sieve import KNOWN_MISTAKES
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class MySieve:
    """SIEVE on a list; the classes below differ from it in one point each."""

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


# Right answers


class AsInThePaper(MySieve):
    """The newest stands at the front, and the hand is a key, or None for the oldest."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.at: str | None = None

    def add(self, key: str) -> None:
        self.queue.insert(0, key)

    def evict(self) -> str:
        place = len(self.queue) - 1 if self.at is None else self.queue.index(self.at)
        while self.queue[place] in self.marked:
            self.marked.discard(self.queue[place])
            place = place - 1 if place > 0 else len(self.queue) - 1
        self.at = self.queue[place - 1] if place > 0 else None
        return self.queue.pop(place)


class OnADict:
    """The keys stand in the order in which they came, each with its mark."""

    def __init__(self, bound: int) -> None:
        self.marks: dict[str, bool] = {}
        self.next: str | None = None

    def hit(self, key: str) -> None:
        self.marks[key] = True

    def add(self, key: str) -> None:
        self.marks[key] = False

    def evict(self) -> str:
        keys = list(self.marks)
        place = keys.index(self.next) if self.next in self.marks else 0
        while self.marks[keys[place]]:
            self.marks[keys[place]] = False
            place = (place + 1) % len(keys)
        self.next = keys[place + 1] if place + 1 < len(keys) else None
        del self.marks[keys[place]]
        return keys[place]


class InPairs:
    """The mark stands beside the key."""

    def __init__(self, bound: int) -> None:
        self.queue: list[list[Any]] = []
        self.hand = 0

    def hit(self, key: str) -> bool:
        pair = next(pair for pair in self.queue if pair[0] == key)
        pair[1] = True
        return True

    def add(self, key: str) -> str:
        self.queue += [[key, False]]
        return key

    def evict(self) -> Any:
        for _ in range(2 * len(self.queue)):
            key, marked = self.queue[self.hand]
            if not marked:
                del self.queue[self.hand]
                self.hand = self.hand if self.hand < len(self.queue) else 0
                return key
            self.queue[self.hand][1] = False
            self.hand = (self.hand + 1) % len(self.queue)
        raise AssertionError("all keys have lost their marks by now")


# Wrong answers


class SharedQueue(MySieve):
    all_keys: list[str] = []  # noqa: RUF012 - the mistake that the check must name

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self.queue = self.all_keys


class AsyncEvict(MySieve):
    async def evict(self) -> str:  # type: ignore[override]
        return super().evict()


class ReturnsThePlace(MySieve):
    def evict(self) -> Any:
        super().evict()
        return self.hand


class HasATypo(MySieve):
    def hit(self, key: str) -> None:
        self.maked.add(key)  # type: ignore[attr-defined]


class NeverUnmarks(MySieve):
    def evict(self) -> str:
        while self.queue[self.hand] in self.marked and len(self.marked) < len(self.queue):
            self.hand = (self.hand + 1) % len(self.queue)
        self.marked.discard(self.queue[self.hand])
        return super().evict()


class NewestFirst(MySieve):
    def evict(self) -> str:
        for key in reversed(self.queue):
            if key not in self.marked:
                self.queue.remove(key)
                return key
            self.marked.remove(key)
        return self.queue.pop()


class ReturnsNothing(MySieve):
    def evict(self) -> Any:
        super().evict()


ANSWERS: list[tuple[Any, str]] = [
    (MySieve, "Correct. Your evictions are SIEVE's"),
    (SIEVE, "Correct. Your evictions are SIEVE's"),
    *[(model, f"Not yet. {words[:30]}") for model, words in KNOWN_MISTAKES],
    (NewestFirst, "moves from the newest"),
    (AsInThePaper, "Correct."),
    (OnADict, "Correct."),
    (InPairs, "Correct."),
    (partial(MySieve), "Correct."),
    (lambda bound: MySieve(bound), "Correct."),
    (ReturnsNothing, "evict returns None: is a return missing?"),
    (ReturnsThePlace, "evict() has to return the key that it evicts"),
    (SharedQueue, "Not yet."),
    (AsyncEvict, "evict is a plain function"),
    (HasATypo, "has no attribute 'maked', at line"),
    (NeverUnmarks, "These are not SIEVE's evictions"),
    (..., "Nothing to check yet"),
    (3, "needs the class itself"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("4.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("4.1", ANSWERS, capsys)


def test_known_mistakes_are_all_different(capsys: pytest.CaptureFixture[str]) -> None:
    """No two of the known mistakes have the same evictions, so each gets its own name."""
    said = []
    for model, _ in KNOWN_MISTAKES:
        lab.check("4.1", model)
        said.append(capsys.readouterr().out.partition("\n\n")[0])
    assert len(set(said)) == len(KNOWN_MISTAKES)
