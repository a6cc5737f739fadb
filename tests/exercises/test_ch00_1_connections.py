"""Exercise 0.1: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def enough(rate: float, service_s: float) -> int:
    return math.floor(round(rate * service_s, 9)) + 1


def in_floating_point(rate: float, service_s: float) -> int:
    return math.floor(rate * service_s) + 1


# Right answers


def counts_up(rate: float, service_s: float) -> int:
    return next(c for c in itertools.count(1) if c > rate * service_s + 1e-9)


def in_fractions(rate: float, service_s: float) -> Fraction:
    return Fraction(math.floor(Fraction(str(rate)) * Fraction(str(service_s))) + 1)


def in_decimals(rate: float, service_s: float) -> Decimal:
    return Decimal(str(rate)) * Decimal(str(service_s)) // 1 + 1


def in_numpy(rate: float, service_s: float) -> Any:
    return np.int64(np.floor(np.round(rate * service_s, 6))) + 1


def in_numpy_floats(rate: float, service_s: float) -> Any:
    return np.float32(enough(rate, service_s))


# Wrong answers


def stub(rate: float, service_s: float) -> Any: ...


def returns_nothing(rate: float, service_s: float) -> Any:
    enough(rate, service_s)


async def is_async(rate: float, service_s: float) -> int:
    return enough(rate, service_s)


def has_a_typo(rate: float, service_s: float) -> Any:
    return math.flor(rate * service_s) + 1  # type: ignore[attr-defined]


ANSWERS: list[tuple[Any, str]] = [
    (enough, "Correct. No queue is left to grow at any of the loads, and one connection less would not do."),
    (counts_up, "Correct."),
    (in_fractions, "Correct."),
    (in_decimals, "Correct."),
    (in_numpy, "Correct."),
    (in_numpy_floats, "Correct."),
    (in_floating_point, "Correct."),
    (stub, "Nothing to check yet"),
    (lambda rate, service_s: ..., "Nothing to check yet"),
    (returns_nothing, "is a return missing?"),
    (is_async, "connections_needed is a plain function"),
    (has_a_typo, "Your code raised AttributeError: module 'math' has no attribute 'flor'"),
    (lambda rate, service_s: str(enough(rate, service_s)), "has to return a number, not a str"),
    (lambda rate, service_s: enough(rate, service_s) == 6, "has to return a number, not a bool"),
    (lambda rate, service_s: math.nan, "Connections come whole"),
    (lambda rate, service_s: rate * service_s + 0.5, "Connections come whole"),
    (lambda rate, service_s: math.floor(rate * service_s - 1), "The capacity is below the load"),
    (lambda rate, service_s: 0, "Without a connection no query is answered"),
    (lambda rate, service_s: math.ceil(rate / service_s), "Check the units"),
    (lambda rate, service_s: rate, "Check the units"),
    (lambda rate, service_s: math.ceil(round(rate * service_s, 9)), "Exactly enough is not enough"),
    (lambda rate, service_s: enough(rate, service_s) + 2, "pays for connections it does not need"),
    (lambda rate, service_s: round(rate * service_s) + 1, "pays for connections it does not need"),
    (lambda rate, service_s: math.ceil(rate * service_s + 0.5), "pays for connections it does not need"),
    (lambda rate, service_s: math.ceil(1.1 * rate * service_s), "pays for connections it does not need"),
    (lambda rate, service_s: max(1, enough(rate, service_s) - 2), "The capacity is below the load"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("0.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("0.1", ANSWERS, capsys)
