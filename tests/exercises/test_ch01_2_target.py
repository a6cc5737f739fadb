"""Exercise 1.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cachelab.lab.exercises.ch01_2_target import SHOP, _run_shop
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.notebooks import load, paths, tags

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


@each_answer(ANSWERS, quick=4)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("1.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("1.2", ANSWERS, capsys)


def forecast_load(ttl: float) -> float:
    """The origin load by the chapter's forecast: a request is a hit if its key was loaded less than a TTL before."""
    loaded: dict[int, float] = {}
    loads = requests = 0
    for request in replace(SHOP, write_rate=0).requests():
        requests += 1
        if request.when >= loaded.get(request.key, -ttl) + ttl:
            loaded[request.key] = request.when
            loads += 1
    return SHOP.rate * loads / requests


def test_the_numbers_of_the_solution_are_measured() -> None:
    """What the solution says of TTLs of 6 and 7 s is what the forecast and the check's own experiment give."""
    (path,) = (path for path in paths() if path.stem.startswith("01"))
    (solution,) = (cell.source for cell in load(path).cells if "solution:1.2" in tags(cell))
    six, seven = (f"{forecast_load(ttl):.1f}" for ttl in (6, 7))
    assert f"The forecast is {six} queries/s with a TTL of 6 s and {seven} with 7 s" in solution
    six, seven = (f"{_run_shop(ttl).origin_load:.1f}" for ttl in (6, 7))
    assert f"the check measures {six} and {seven}" in solution
