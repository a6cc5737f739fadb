"""Exercise 10.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cachelab.bloom import Bloom
from cachelab.lab.exercises.ch10_1_size import _memory
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def plan(expected: Any, false_positives: Any) -> dict[str, Any]:
    """A plan for exercise 10.1."""
    return {"expected": expected, "false_positives": false_positives}


ANSWERS: list[tuple[Any, str]] = [
    (plan(150_000, 0.01), "Correct."),
    (plan(160_000, 0.01), "Correct."),
    (plan(150_000.0, Fraction(1, 125)), "Correct."),
    (plan(100_000, 0.0005), "Correct."),
    (MappingProxyType(plan(np.int64(155_000), Decimal("0.009"))), "Correct."),
    (plan(100_000, 0.01), "for the users that it has at the end of the month"),
    (plan(100_000, 0.001), "for the users that it has at the end of the month"),
    (plan(50_000, 0.01), "already for the users that it has today"),
    (plan(150_000, 0.001), "While a pod builds the filter anew, it has two of them"),
    (plan(300_000, 0.01), "While a pod builds the filter anew, it has two of them"),
    (plan(10**15, 0.01), "More memory than the budget"),
    (plan(150_000, 0.05), "ask for fewer false positives"),
    (plan(150_000, 1), "a share between 0 and 1"),
    (plan(150_000, "1 %"), "a share between 0 and 1"),
    (plan(150_000, float("nan")), "a share between 0 and 1"),
    (plan(0, 0.01), "expected has to be a whole number"),
    (plan(1.5, 0.01), "expected has to be a whole number"),
    ({"expected": 150_000}, "false_positives is missing"),
    ((150_000, 0.01), "The plan is a dict with expected and false_positives"),
    (plan(150_000, ...), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("10.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("10.1", ANSWERS, capsys)


@pytest.mark.parametrize(("expected", "share"), [(150_000, 0.01), (100_000, 0.0005), (77, 0.3)])
def test_the_memory_is_that_of_the_package(expected: int, share: float) -> None:
    """The formula of the check says what the filter takes, up to a byte that is not full."""
    assert 0 <= Bloom(expected, share).bytes - _memory(expected, share) < 1
