"""Exercise 1.3: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ANSWERS: list[tuple[Any, str]] = [
    ({"ttl": 6, "max_entries": 300}, "Correct."),
    ({"ttl": 20, "max_entries": 300}, "the users read old addresses"),
    ({"ttl": 3, "max_entries": 300}, "Too short"),
    ({"ttl": 6, "max_entries": 150}, "Too small"),
    ({"ttl": 6, "max_entries": 1_000}, "More memory than the budget"),
    ({"ttl": 6_000, "max_entries": 300}, "A TTL is in seconds"),
    ({"ttl": -1, "max_entries": 300}, "Your code raised ValueError: ttl must be more than 0"),
    ({"ttl": "6", "max_entries": 300}, "Nothing to check yet: put numbers"),
    (6, "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.3", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.3", ANSWERS, capsys)
