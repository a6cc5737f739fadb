"""Exercise 6.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cachelab.lab.exercises import ch06_1_slo
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def slo(ttl: Any, beta: Any, jitter: Any) -> dict[str, Any]:
    """A plan for exercise 6.1."""
    return {"ttl": ttl, "beta": beta, "jitter": jitter}


ANSWERS: list[tuple[Any, str]] = [
    (slo(25, 4, 0.2), "Correct."),
    (slo(np.int64(25), np.int32(4), np.float64(0.2)), "Correct."),
    (slo(25, 4, Fraction(1, 5)), "Correct."),
    (MappingProxyType(slo(24.5, 4.5, 0.2)), "Correct."),
    (slo(25, 4, 0.2) | {"name": "mine"}, "Correct."),
    (slo(30, 10, 0), "Correct."),
    (slo(29, 4, 0.2), "Some answers are too old"),
    (slo(0, 4, 0.2), "A TTL above 0 seconds"),
    (slo(float("inf"), 4, 0), "finite numbers, all three"),
    (slo(float("nan"), 4, 0), "finite numbers, all three"),
    (slo(25, -1, 0.2), "β of 0 or more"),
    (slo("25", 4, 0.2), "ttl has to be a number"),
    (slo(25, None, 0.2), "beta has to be a number"),
    ({"ttl": 25, "jitter": 0.2}, "beta is missing"),
    ({"TTL": 25, "beta": 4, "jitter": 0.2}, "ttl is missing"),
    ((25, 4, 0.2), "The plan is a dict with ttl, beta and jitter"),
    (slo(27, 2, 0), "they still expire together"),
    (slo(10, 4, 0.2), "The TTL is too short"),
    (slo(20, 10, 0.2), "The TTL is too short"),
    (slo(24, 10, 0.25), "With so large a β"),
    (slo(27, 2, 0.1), "still too close together"),
    (slo(25, 0, 0.2), "make an early recomputation more likely"),
    (slo(25, 2, 0.2), "make an early recomputation more likely"),
    (slo(25, 4, 1), "a jitter from 0 to less than 1"),
    (slo(..., ..., ...), "Nothing to check yet"),
    (slo(25, 4, ...), "Nothing to check yet"),
    (None, "The plan is a dict"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=20)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("6.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("6.1", ANSWERS, capsys)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_model_solution_is_right_in_the_long_run_too(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other traffic and over five minutes, of which the last four count, it is inside the target."""
    site = ch06_1_slo.SITE
    monkeypatch.setattr(ch06_1_slo, "SITE", dataclasses.replace(site, seed=seed, seconds=300))
    assert ch06_1_slo.EXERCISE.examine(slo(25, 4, 0.2)).endswith("inside the target.")
