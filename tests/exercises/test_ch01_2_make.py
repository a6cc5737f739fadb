"""Exercise 1.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.ttl_cache_zoo import (
    DeleteRaises,
    DeletesNothing,
    Milliseconds,
    NoneIsNothing,
    RemembersErrors,
    Right,
)

ANSWERS: list[tuple[Any, str]] = [
    (Right, "Correct."),
    (NoneIsNothing, "The origin answered None"),
    (RemembersErrors, "An error is no value"),
    (DeletesNothing, "After a delete the next read has to load"),
    (DeleteRaises, "Your code raised KeyError: 42, at line"),
    (Milliseconds, "It never answers from the cache"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.2", ANSWERS, capsys)
