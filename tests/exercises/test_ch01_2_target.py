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
    ({"ttl": 6, "max_entries": 300}, "Correct."),
    ({"ttl": np.float32(6), "max_entries": np.int64(300)}, "Correct."),
    ({"ttl": Fraction(11, 2), "max_entries": 290.0}, "Correct."),
    ({"ttl": Decimal("5.8"), "max_entries": np.uint16(280), "name": "mine"}, "Correct."),
    (MappingProxyType({"max_entries": 300, "ttl": 5}), "Correct."),
    ({"ttl": 20, "max_entries": 300}, "the users read old addresses"),
    ({"ttl": 20, "max_entries": 100}, "Both targets are missed"),
    ({"ttl": 3, "max_entries": 300}, "Too short"),
    ({"ttl": 6, "max_entries": 150}, "Too small"),
    ({"ttl": 6, "max_entries": 1_000}, "More memory than the budget"),
    ({"ttl": 6_000, "max_entries": 300}, "A TTL is in seconds"),
    ({"ttl": float("inf"), "max_entries": 300}, "A TTL is in seconds"),
    ({"ttl": -1, "max_entries": 300}, "ttl has to be a number of seconds above 0"),
    ({"ttl": 0, "max_entries": 300}, "ttl has to be a number of seconds above 0"),
    ({"ttl": float("nan"), "max_entries": 300}, "ttl has to be a number of seconds above 0"),
    ({"ttl": "6", "max_entries": 300}, "ttl has to be a number of seconds above 0"),
    ({"ttl": 6, "max_entries": 0}, "max_entries has to be a whole number of at least 1"),
    ({"ttl": 6, "max_entries": 299.5}, "max_entries has to be a whole number of at least 1"),
    ({"ttl": 6, "max_entries": None}, "max_entries has to be a whole number of at least 1"),
    ({"ttl": 6}, "max_entries is missing"),
    ({"ttl": ..., "max_entries": 300}, "Nothing to check yet: put numbers"),
    ({"ttl": ..., "max_entries": ...}, "Nothing to check yet: put numbers"),
    (..., "Nothing to check yet: put numbers"),
    (6, "The plan is a dict with ttl and max_entries"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.2", ANSWERS, capsys)
