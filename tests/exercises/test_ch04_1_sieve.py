"""Exercise 4.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

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
    (NewestFirst, "walks from the newest"),
    (ReturnsNothing, "evict() has to return the key that leaves"),
    (..., "Nothing to check yet"),
    (3, "needs the class itself"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("4.1", answer, words, capsys)


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
