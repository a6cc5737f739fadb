"""Exercise 14.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

ONE, FOUR = ("memory", 300, 20), ("redis", 1_000, 20)


def plan(one: Any = ONE, four: Any = FOUR) -> dict[str, Any]:
    """A plan for exercise 14.2."""
    return {"one process": one, "four processes": four}


ANSWERS: list[tuple[Any, str]] = [
    (plan(), "Correct."),
    (plan(("memory", 250, 20), ("redis", 300, 19)), "Correct."),
    (plan(["memory", np.int64(300), np.float64(10)], ("redis", 500.0, Fraction(15))), "Correct."),
    (MappingProxyType(plan(("memory", 300, Decimal(20)))), "Correct."),
    (plan() | {"name": "mine"}, "Correct."),
    (plan(one=("redis", 300, 20)), "For one process: It meets the numbers, but a smaller store does, too."),
    (plan(four=("memory", 300, 20)), "Each process misses for itself"),
    (plan(one=("nothing", 0, 0)), "Without a cache each read is a query"),
    (plan(one=("memory", 100, 20)), "There is too little room"),
    (plan(one=("memory", 300, 5)), "The TTL is too short"),
    (plan(four=("redis", 1_000, 60)), "Entries get too old"),
    (plan(four=("redis", 1_000, 20_000)), "A TTL is in seconds"),
    (plan(one=("memory", 301, 20)), "More entries than there is room for"),
    (plan(four=("redis", 5_000, 20)), "More entries than there is room for"),
    (plan(one=("dict", 300, 20)), "the store is one of"),
    (plan(one=(None, 300, 20)), "the store is one of"),
    (plan(one=("memory", 0, 20)), "whole number of at least 1"),
    (plan(one=("memory", "300", 20)), "whole number of at least 1"),
    (plan(one=("memory", 300, 0)), "number of seconds above 0"),
    (plan(one=("memory", 300, float("nan"))), "number of seconds above 0"),
    (plan(one="memory"), "give three things in a tuple"),
    (plan(one=("memory", 300)), "give three things in a tuple"),
    ({"one process": ONE}, "four processes is missing"),
    ((ONE, FOUR), "The plan is a dict with one process and four processes"),
    (plan(one=...), "Nothing to check yet"),
    (plan(..., ...), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("14.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("14.2", ANSWERS, capsys)
