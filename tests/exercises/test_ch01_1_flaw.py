"""Exercise 1.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.ttl_cache_zoo import FlushesAll, Forever, Right, Sliding, TooManyKeysAreDropped, WriteOnly

ANSWERS: list[tuple[Any, str]] = [
    (Right, "Correct."),
    (..., "Nothing to check yet"),
    (Sliding, "Each read extends the entry's life"),
    (WriteOnly, "It never answers from the cache"),
    (Forever, "Nothing expires"),
    (FlushesAll, "When one key expires, others are dropped with it"),
    (TooManyKeysAreDropped, "This is no mistake that has a name here"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.1", ANSWERS, capsys)
