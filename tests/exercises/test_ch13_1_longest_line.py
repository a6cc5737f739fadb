"""Exercise 13.1: right answers, and wrong ones with their mistakes. And the rule holds for its sites."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cachelab.lab.exercises.ch13_1_longest_line import FLUSH_S, SECONDS, SITES, _flushed, _Site
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def rounds_down(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return max(0, int((patience_s - service_s) * connections / service_s))


def floors(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return float(max(0.0, math.floor(connections * (patience_s / service_s - 1) + 1e-9)))


def exactly(connections: Any, service_s: Any, patience_s: Any) -> Any:
    s, patience = Fraction(str(service_s)), Fraction(str(patience_s))
    return max(Fraction(0), Fraction((patience - s) * connections // s))


def with_decimals(connections: Any, service_s: Any, patience_s: Any) -> Any:
    s, patience = Decimal(str(service_s)), Decimal(str(patience_s))
    return Decimal(int(max(Decimal(0), patience / s - 1) * connections))


def with_numpy(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return np.int64(np.clip(np.floor((patience_s - service_s) / service_s * connections), 0, None))


def counts_up(connections: Any, service_s: Any, patience_s: Any) -> Any:
    places = 0
    while (places + 1) * service_s / connections + service_s <= patience_s + 1e-9:
        places += 1
    return places


def the_whole_patience(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return int(patience_s * connections / service_s)


def with_those_that_run(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return rounds_down(connections, service_s, patience_s) + connections


def one_too_many(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return rounds_down(connections, service_s, patience_s) + 2 if patience_s > service_s else 0


def one_connection(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return max(0, int((patience_s - service_s) / service_s))


def the_chapters_number(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return 16


def no_line(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return 0


def very_long(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return 10**9


def not_rounded(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return max(0, (patience_s - service_s) * connections / service_s)


def below_zero(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return math.floor((patience_s - service_s) * connections / service_s + 1e-9)


def at_least_one(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return max(1, rounds_down(connections, service_s, patience_s))


def returns_nothing(connections: Any, service_s: Any, patience_s: Any) -> Any:
    rounds_down(connections, service_s, patience_s)


async def is_async(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return rounds_down(connections, service_s, patience_s)


def text(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return f"{rounds_down(connections, service_s, patience_s)}"


def stub(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return ...


def raises(connections: Any, service_s: Any, patience_s: Any) -> Any:
    return connections / 0


ANSWERS: list[tuple[Any, str]] = [
    (rounds_down, "Correct."),
    (floors, "Correct."),
    (exactly, "Correct."),
    (with_decimals, "Correct."),
    (with_numpy, "Correct."),
    (counts_up, "Correct."),
    (the_whole_patience, "cannot spend its whole patience in line"),
    (with_those_that_run, "callers whose load runs are not in the line"),
    (one_too_many, "A caller at the end of the line gives up before its load ends"),
    (one_connection, "shorter than it need be"),
    (the_chapters_number, "shorter than it need be"),
    (no_line, "refuses users that could be served in time"),
    (very_long, "A caller at the end of the line gives up before its load ends"),
    (not_rounded, "Places come whole"),
    (below_zero, "no line with fewer than 0 places"),
    (at_least_one, "Here a load takes at least as long as the users wait"),
    (returns_nothing, "is a return missing?"),
    (is_async, "is a plain function"),
    (text, "has to return a number, not a str"),
    (16, "Give the check your function"),
    (raises, "Your code raised ZeroDivisionError"),
    (stub, "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("13.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("13.1", ANSWERS, capsys)


@pytest.mark.long
@pytest.mark.parametrize("site", [site for site in SITES if site.longest], ids=lambda site: site.call)
def test_the_rule_holds_for_each_site(site: _Site) -> None:
    """With the longest line the site comes back, and with one place more it does not."""
    shares = [_flushed(site, site.longest + more).answered_share(SECONDS - 5, SECONDS) for more in (0, 1)]
    assert _flushed(site, site.longest).back_after_s(FLUSH_S) < 20
    assert shares[0] > 0.99
    assert shares[1] < 0.9
