"""Exercise 5.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ANSWERS: list[tuple[Any, str]] = [
    ({2, 3, 6, 8}, "Correct."),
    ([8, 6, 3, 2], "Correct."),
    ((2, 3, 6, 8, 8), "Correct."),
    (np.array([2, 3, 6, 8]), "Correct."),
    ({np.int64(2), 3, 6, 8}, "Correct."),
    (dict.fromkeys([2, 3, 6, 8], "fails").keys(), "Correct."),
    (set(), "You missed what happens when the load fails"),
    ({3, 6, 8}, "You missed what happens when the load fails"),
    ({2, 6, 8}, "You missed what happens when the first caller leaves"),
    ({2, 3, 8}, "You missed the delete"),
    ({2, 3, 6}, "You missed what stays"),
    ({2, 3, 4, 6, 8}, "item 4 passes"),
    ({2, 3, 9}, "numbers from 1 to 8"),
    ({2, 3, 1, 6, 8}, "item 1 passes"),
    ("2, 3", "a set of whole numbers"),
    ({"2", "3"}, "a set of whole numbers"),
    ({2.5, 3}, "a set of whole numbers"),
    (4, "a set of whole numbers"),
    (None, "a set of whole numbers"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("5.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("5.2", ANSWERS, capsys)
