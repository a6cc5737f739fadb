"""Exercise 4.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from cachelab.eviction import FIFO, LRU, OPT, S3FIFO, SIEVE, WTinyLFU
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ANSWERS: list[tuple[Any, str]] = [
    ({"policy": S3FIFO, "entries": 180}, "Correct."),
    (
        {"policy": SIEVE, "entries": 200},
        "Correct. Origin 98.3/s with 400 kB",
    ),
    ({"policy": WTinyLFU, "entries": 100}, "too little room"),
    ({"policy": LRU, "entries": 200}, "It would need 607 entries"),
    ({"policy": LRU, "entries": 100}, "with the whole budget, either"),
    ({"policy": FIFO, "entries": 100}, "Change which entries are evicted"),
    ({"policy": SIEVE, "entries": 200.0}, "Correct."),
    ({"policy": SIEVE, "entries": 400}, "An entry has 2 kB"),
    ({"policy": LRU, "entries": 700}, "More memory than the budget"),
    ({"policy": OPT, "entries": 100}, "OPT knows the future"),
    ({"policy": "SIEVE", "entries": 200}, "The policy is a class"),
    ({"policy": SIEVE, "entries": 0}, "a whole number of at least 1"),
    ({"policy": ..., "entries": ...}, "Nothing to check yet"),
    (None, "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("4.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("4.2", ANSWERS, capsys)
