"""Exercise 9.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def plan(lease_s: Any, limit_s: Any) -> dict[str, Any]:
    """A plan for exercise 9.2."""
    return {"lease_s": lease_s, "limit_s": limit_s}


ANSWERS: list[tuple[Any, str]] = [
    (plan(1.1, 0.9), "Correct."),
    (plan(1, 0.85), "Correct."),
    (plan(Fraction(6, 5) - Fraction(1, 50), Decimal("0.95")), "Correct."),
    (MappingProxyType(plan(np.float64(1.05), np.float32(0.99))), "Correct."),
    (plan(1.1, 0.81) | {"poll_s": None}, "Correct."),
    (plan(1.1, 0.7), "Your limit cuts off a query"),
    (plan(5, 0.2), "Your limit cuts off a query"),
    (plan(0.3, 0.9), "Your lease ends while the load still runs"),
    (plan(0.85, 0.95), "A load may take as long as your limit"),
    (plan(1.5, 0.9), "A node that is killed is waited for until its lease ends"),
    (plan(5, 60), "A node that is killed is waited for until its lease ends"),
    (plan(1.1, 1.05), "A database that hangs is waited for twice"),
    (plan(1.1, 500), "A database that hangs is waited for twice"),
    (plan(0, 0.9), "from 0.001 to 1,000"),
    (plan(1.1, float("inf")), "from 0.001 to 1,000"),
    (plan(float("nan"), 0.9), "from 0.001 to 1,000"),
    (plan("1.1", 0.9), "lease_s has to be a number"),
    (plan(1.1, None), "limit_s has to be a number"),
    (plan(True, 0.9), "lease_s has to be a number"),
    ({"lease_s": 1.1}, "limit_s is missing"),
    ((1.1, 0.9), "The plan is a dict with lease_s and limit_s"),
    (plan(..., 0.9), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("9.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("9.2", ANSWERS, capsys)
