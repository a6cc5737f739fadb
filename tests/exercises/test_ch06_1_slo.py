"""Exercise 6.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def slo(ttl: Any, beta: Any, jitter: Any) -> dict[str, Any]:
    """A plan for exercise 6.1."""
    return {"ttl": ttl, "beta": beta, "jitter": jitter}


ANSWERS: list[tuple[Any, str]] = [
    (slo(25, 2, 0.2), "Correct."),
    (slo(np.int64(25), np.int32(2), np.float64(0.2)), "Correct."),
    (slo(25, 2, Fraction(1, 5)), "Correct."),
    (MappingProxyType(slo(24.5, 2.5, 0.2)), "Correct."),
    (slo(25, 2, 0.2) | {"name": "mine"}, "Correct."),
    (slo(29, 2, 0.2), "Some answers are too old"),
    (slo(0, 2, 0.2), "A TTL above 0 seconds"),
    (slo(float("inf"), 2, 0), "finite numbers, all three"),
    (slo(float("nan"), 2, 0), "finite numbers, all three"),
    (slo(25, -1, 0.2), "β of 0 or more"),
    (slo("25", 2, 0.2), "ttl has to be a number"),
    (slo(25, None, 0.2), "beta has to be a number"),
    ({"ttl": 25, "jitter": 0.2}, "beta is missing"),
    ({"TTL": 25, "beta": 2, "jitter": 0.2}, "ttl is missing"),
    ((25, 2, 0.2), "The plan is a dict with ttl, beta and jitter"),
    (slo(27, 2, 0), "they still expire together"),
    (slo(10, 2, 0.2), "The TTL is too short"),
    (slo(20, 10, 0.2), "With so large a β"),
    (slo(30, 10, 0), "Correct."),
    (slo(27, 2, 0.1), "still too close together"),
    (slo(25, 0, 0.2), "make an early recomputation more likely"),
    (slo(25, 2, 1), "a jitter from 0 to less than 1"),
    (slo(..., ..., ...), "Nothing to check yet"),
    (slo(25, 2, ...), "Nothing to check yet"),
    (None, "The plan is a dict"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("6.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("6.1", ANSWERS, capsys)
