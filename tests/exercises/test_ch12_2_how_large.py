"""Exercise 12.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def plan(entries: Any, l1_ttl: Any) -> dict[str, Any]:
    """A plan for exercise 12.2."""
    return {"entries": entries, "l1_ttl": l1_ttl}


ANSWERS: list[tuple[Any, str]] = [
    (plan(150, 4.5), "Correct."),
    (plan(np.int64(150), np.float64(4.0)), "Correct."),
    (plan(135, Fraction(49, 10)), "Correct."),
    (MappingProxyType(plan(150.0, Decimal("4.9"))), "Correct."),
    (plan(140, 4) | {"name": "mine"}, "Correct."),
    (plan(150, 5), "up to 20 ms after the commit"),
    (plan(150, 8), "until its copy expires"),
    (plan(40, 60), "until its copy expires"),
    (plan(150, 4_500), "A TTL is in seconds"),
    (plan(150, float("inf")), "A TTL is in seconds"),
    (plan(1_000, 4.5), "More memory than the budget"),
    (plan(100, 4.5), "entries are evicted"),
    (plan(150, 2), "entries expire before they are read again"),
    (plan(50, 1), "entries are evicted"),
    (plan(0, 4.5), "entries has to be a whole number"),
    (plan(149.5, 4.5), "entries has to be a whole number"),
    (plan("150", 4.5), "entries has to be a whole number"),
    (plan(150, 0), "l1_ttl has to be a number of seconds above 0"),
    (plan(150, "4.5"), "l1_ttl has to be a number of seconds above 0"),
    (plan(150, float("nan")), "l1_ttl has to be a number of seconds above 0"),
    ({"entries": 150}, "l1_ttl is missing"),
    ((150, 4.5), "The plan is a dict with entries and l1_ttl"),
    (plan(150, ...), "Nothing to check yet"),
    (plan(..., ...), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("12.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("12.2", ANSWERS, capsys)
