"""Exercise 0.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def enough(rate: float, service_s: float) -> int:
    return math.floor(rate * service_s) + 1


ANSWERS: list[tuple[Any, str]] = [
    (enough, "Correct."),
    (lambda rate, service_s: ..., "Nothing to check yet"),
    (lambda rate, service_s: rate * service_s + 0.5, "Connections come whole"),
    (lambda rate, service_s: math.ceil(rate / service_s), "Check the units"),
    (lambda rate, service_s: math.ceil(round(rate * service_s, 9)), "Exactly enough is not enough"),
    (lambda rate, service_s: enough(rate, service_s) + 2, "pays for connections it does not need"),
    (lambda rate, service_s: max(1, enough(rate, service_s) - 2), "The capacity is below the load"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("0.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("0.1", ANSWERS, capsys)
