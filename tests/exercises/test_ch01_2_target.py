"""Exercise 1.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ANSWERS: list[tuple[Any, str]] = [
    ({"ttl": 8}, "Correct."),
    ({"ttl": np.float32(8)}, "Correct."),
    ({"ttl": Fraction(15, 2)}, "Correct."),
    ({"ttl": Decimal("9.9"), "name": "mine"}, "Correct."),
    (MappingProxyType({"ttl": 7}), "Correct."),
    ({"ttl": 10}, "for the TTL plus the time of one query"),
    ({"ttl": 20}, "for the TTL plus the time of one query"),
    ({"ttl": 6}, "Too short"),
    ({"ttl": 2}, "Too short"),
    ({"ttl": 6_000}, "A TTL is in seconds"),
    ({"ttl": float("inf")}, "A TTL is in seconds"),
    ({"ttl": -1}, "ttl has to be a number of seconds above 0"),
    ({"ttl": 0}, "ttl has to be a number of seconds above 0"),
    ({"ttl": float("nan")}, "ttl has to be a number of seconds above 0"),
    ({"ttl": "8"}, "ttl has to be a number of seconds above 0"),
    ({"ttl": None}, "ttl has to be a number of seconds above 0"),
    ({}, "ttl is missing"),
    ({"ttl": ...}, "Nothing to check yet: put a number"),
    (..., "Nothing to check yet: put a number"),
    (8, "The plan is a dict with ttl"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.2", ANSWERS, capsys)
