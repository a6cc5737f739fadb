"""Exercise 11.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ANSWERS: list[tuple[Any, str]] = [
    ({2, 4, 6, 7}, "Correct."),
    ([7, 6, 4, 2], "Correct."),
    (dict.fromkeys([2, 4, 6, 7]).keys(), "Correct."),
    (frozenset({2.0, Fraction(4), 6, 7}), "Correct."),
    (np.array([2, 4, 6, 7]), "Correct."),
    ((2, 2, 4, 6, 7), "Correct."),
    (iter([2, 4, 6, 7]), "Correct."),
    ({1, 2, 4, 6, 7}, "Number 1 is read, and right"),
    ({2, 3, 4, 6, 7}, "a set is stored as a list"),
    ({2, 4, 5, 6, 7}, "Number 5 is a miss, which is seen and counted"),
    ({2, 4, 6, 7, 8}, "stored by the names of its fields"),
    (range(2, 9, 2), "Number 7 is missing"),
    ({4, 6, 7}, "Number 2 is missing"),
    ({2, 6, 7}, "only their order has a meaning"),
    ({2, 4, 7}, "the default is filled in"),
    ({2, 4, 6}, "is decided in another way"),
    (set(), "Number 2 is missing: new code gets a wrong value, since the type is the same, and the unit is another. 3"),
    ({2, 4, 6, 7, 9}, "The changes have the numbers 1 to 8"),
    ({2, 4, 6, "7"}, "The changes have the numbers 1 to 8"),
    ({True, 2, 4, 6, 7}, "The changes have the numbers 1 to 8"),
    ({"2": True}, "Give a set of numbers"),
    ("2467", "Give a set of numbers"),
    (4, "Give a set of numbers"),
    (None, "Give a set of numbers"),
    ({2, ...}, "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("11.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("11.2", ANSWERS, capsys)
