"""Exercise 6.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def slo(ttl: Any, beta: Any, jitter: Any) -> dict[str, Any]:
    """A plan for exercise 6.1."""
    return {"ttl": ttl, "beta": beta, "jitter": jitter}


ANSWERS: list[tuple[Any, str]] = [
    (slo(25, 2, 0.2), "Correct."),
    (slo(29, 2, 0.2), "Too old"),
    (slo(27, 2, 0), "they still expire together"),
    (slo(10, 2, 0.2), "Too short a TTL"),
    (slo(20, 10, 0.2), "So large a β"),
    (slo(30, 10, 0), "Correct."),
    (slo(27, 2, 0.1), "still too close together"),
    (slo(25, 0, 0.2), "make an early recomputation more likely"),
    (slo(25, 2, 1), "a jitter from 0 to less than 1"),
    (slo(..., ..., ...), "Nothing to check yet"),
    (None, "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("6.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("6.1", ANSWERS, capsys)
