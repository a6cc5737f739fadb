"""Exercise 1.1: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.ttl_cache_zoo import (
    RIGHT,
    FlushesAll,
    Forever,
    HasATypo,
    KeepsOne,
    KeepsTheOldAfterAnError,
    OnAnotherClock,
    Right,
    ServesAll,
    ServesTheOldOnError,
    Shared,
    Sliding,
    StoresTheTtl,
    TooManyKeysAreDropped,
    WriteOnly,
)

ANSWERS: list[tuple[Any, str]] = [
    *[(right, "Correct.") for right in RIGHT],
    (..., "Nothing to check yet"),
    (Sliding, "Each read extends the entry's life"),
    (WriteOnly, "It never answers from the cache"),
    (Forever, "Nothing expires, for nobody looks at the clock"),
    (ServesAll, "Nothing expires: a value of any age is served"),
    (OnAnotherClock, "Nothing expires, for nobody looks at the clock"),
    (StoresTheTtl, "the moment of expiry is clock() + ttl"),
    (FlushesAll, "When one key expires, others are dropped with it"),
    (KeepsOne, "A value is lost when another key is loaded"),
    (TooManyKeysAreDropped, "A value that has not expired is loaded again"),
    (ServesTheOldOnError, "the old value is served in place of the error"),
    (KeepsTheOldAfterAnError, "after a load that has failed, the next read must load again"),
    (Shared, "all caches share them"),
    (HasATypo, "Your code raised AttributeError: 'HasATypo' object has no attribute 'entires', at line"),
    (Right(None, 10.0, float), "Give the check the class itself"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.1", ANSWERS, capsys)
