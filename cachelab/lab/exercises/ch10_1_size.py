"""Exercise 10.1: a Bloom filter for a budget of memory and a number of keys that grows."""

from __future__ import annotations

import math
from typing import Any

from cachelab.bloom import Bloom
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real, whole
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

NOW, LATER = 100_000, 150_000
MOST_PASS, MOST_BYTES = 0.011, 200_000
PROBES = 10_000
"""So many unknown ids are tried for the evidence. What is judged is the formula."""


def _numbers(plan: Any) -> tuple[int, float]:
    """The two numbers of a plan. Any kind of number will do."""
    stub = "put numbers in place of the two ..., a number of users and a share."
    given_expected, given_share = read_plan(plan, ["expected", "false_positives"], stub)
    expected, share = whole(given_expected), real(given_share)
    if expected is None or expected < 1:
        raise Wrong("expected has to be a whole number of at least 1.", f"it is {given_expected!r:.60}")
    if share is None or not 0 < share < 1:
        words = "false_positives has to be a share between 0 and 1: one in a hundred is 0.01."
        raise Wrong(words, f"it is {given_share!r:.60}")
    return expected, share


def _memory(expected: int, share: float) -> float:
    """The bytes of such a filter, by the formula: a filter of any size is not built before it is known to be small."""
    return math.ceil(-expected * math.log(share) / math.log(2) ** 2) / 8


def _passing(bits: int, hashes: int, users: int) -> float:
    """The share of the unknown ids that pass when the filter has so many users."""
    return float((1 - math.exp(-hashes * users / bits)) ** hashes)


def _evidence(bloom: Bloom) -> str:
    """What the formula says of this filter at the beginning and the end, and how many unknown ids pass in a trial."""
    rows: list[list[object]] = []
    added = 0
    for users in (NOW, LATER):
        for user_id in range(added, users):
            bloom.add(user_id)
        added = users
        passed = sum(-probe in bloom for probe in range(1, PROBES + 1))
        share = _passing(bloom.bits, bloom.hashes, users)
        rows.append([f"{users:,} users", f"{1000 * share:.1f} of 1,000", f"{passed:,} of {PROBES:,}"])
    header = [f"{bloom.bytes:,} bytes", "unknown ids that pass, formula", "measured"]
    return evidence_table(header, rows, 1 if _passing(bloom.bits, bloom.hashes, LATER) > MOST_PASS else None)


def _examine(plan: Any) -> str:
    """Compare the memory and the false positives of the filter with the target, and fill it."""
    expected, share = _numbers(plan)
    used = _memory(expected, share)
    if used > MOST_BYTES:
        words = "More memory than the budget."
        if used <= 2 * MOST_BYTES:
            words += " While a pod builds the filter anew, it has two of them."
        raise Wrong(
            words, f"{used:,.0f} bytes for one filter, {2 * used:,.0f} for two; the budget is {2 * MOST_BYTES:,}"
        )
    bloom = Bloom(expected, share)
    passing = _passing(bloom.bits, bloom.hashes, LATER)
    if passing > MOST_PASS:
        words = "There is memory left, and too many unknown ids pass: ask for fewer false positives."
        if expected < LATER:
            words = "The filter is too small for the users that it has at the end of the month."
            if _passing(bloom.bits, bloom.hashes, NOW) > MOST_PASS:
                words = "The filter is too small, already for the users that it has today."
        raise Wrong(words, _evidence(bloom))
    return (
        f"The filter takes {bloom.bytes:,} bytes, and with {LATER:,} users {1000 * passing:.1f} of 1,000 unknown ids "
        "pass."
    )


EXERCISE = Exercise(
    _examine,
    [
        "How many users does the filter have just before it is built anew? How many filters are there meanwhile?",
        "expected is 150,000. What does the formula for m say if false_positives is 0.01? A byte has 8 bits.",
        'plan = {"expected": 150_000, "false_positives": 0.01} takes 179,720 bytes.',
    ],
)
