"""Exercise 4.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from cachelab.eviction import FIFO, LFU, LRU, OPT, S3FIFO, SIEVE, WTinyLFU
from cachelab.lab import miss_ratios, scan_trace
from cachelab.lab.exercises.ch04_2_size import REQUESTS_PER_S, TRACE, TTL_S
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer
from tests.support.notebooks import load, paths, tags


class MySieve(SIEVE[Any]):
    """A learner's own class."""


ANSWERS: list[tuple[Any, str]] = [
    ({"policy": S3FIFO, "entries": 140}, "Correct."),
    ({"policy": S3FIFO, "entries": 100}, "It would be enough if nothing expired (109.2/s)"),
    ({"policy": SIEVE, "entries": 130}, "With the TTL more requests miss. Replay with ttl_s=20"),
    (
        {"policy": SIEVE, "entries": 200},
        "Correct. Origin 104.9/s with 400 kB",
    ),
    ({"policy": WTinyLFU, "entries": 80}, "too little room"),
    ({"policy": LRU, "entries": 200}, "It would need 243 entries"),
    ({"policy": WTinyLFU, "entries": 120}, "Correct."),
    ({"policy": WTinyLFU, "entries": 110}, "Replay with ttl_s=20"),
    ({"policy": S3FIFO, "entries": 130}, "With the TTL more requests miss"),
    ({"policy": LFU, "entries": 150}, "Correct."),
    ({"policy": LRU, "entries": 100}, "with the whole budget, either"),
    ({"policy": FIFO, "entries": 100}, "Change which entries are evicted"),
    ({"policy": SIEVE, "entries": 200.0}, "Correct."),
    ({"policy": SIEVE, "entries": 400}, "An entry has 2 kB"),
    ({"policy": LRU, "entries": 700}, "More memory than the budget"),
    ({"policy": OPT, "entries": 100}, "OPT knows the future"),
    ({"policy": "SIEVE", "entries": 200}, "The policy is a class"),
    ({"policy": SIEVE, "entries": 0}, "a whole number of at least 1"),
    ({"policy": lambda size: SIEVE(size), "entries": 200}, "Correct."),
    ({"policy": partial(S3FIFO), "entries": np.int64(190)}, "Correct."),
    ({"policy": MySieve, "entries": np.float64(197)}, "Correct."),
    ({"policy": LFU, "entries": Fraction(199)}, "Correct."),
    ({"policy": lambda size: LRU(size), "entries": 200}, "It would need 243 entries"),
    ({"policy": lambda size: SIEVE(10 * size), "entries": 100}, "room for another number of entries"),
    ({"policy": lambda size: OPT(size, list(range(9))), "entries": 100}, "OPT knows the future"),
    ({"policy": SIEVE(200), "entries": 200}, "The policy is a class of cachelab.eviction, without quotes"),
    ({"policy": list, "entries": 200}, "Your code raised TypeError"),
    ({"policy": lambda size: None, "entries": 200}, "or a function of the size that builds such a policy"),
    ({"policy": lambda size: SIEVE(sise), "entries": 200}, "name 'sise' is not defined, at line"),  # type: ignore[name-defined]  # noqa: F821
    ({"policy": SIEVE, "entries": True}, "a whole number of at least 1"),
    ({"policy": SIEVE, "entries": "200"}, "a whole number of at least 1"),
    ({"policy": SIEVE}, "entries is missing"),
    ({"policy": ..., "entries": ...}, "Nothing to check yet"),
    ({"policy": SIEVE, "entries": ...}, "Nothing to check yet"),
    (..., "Nothing to check yet"),
    (None, "The plan is a dict with policy and entries"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("4.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("4.2", ANSWERS, capsys)


@pytest.mark.long
def test_the_table_of_the_solution_is_measured() -> None:
    """Each number in the table of the notebook's solution is what the replay gives."""
    (path,) = (path for path in paths() if path.stem.startswith("04"))
    (solution,) = (cell.source for cell in load(path).cells if "solution:4.2" in tags(cell))
    rows = [line.strip("| ").split(" | ") for line in solution.splitlines() if line.startswith(("| 1", "| 2"))]
    assert len(rows) >= 5
    keys = scan_trace(**TRACE)
    times_s = [number / REQUESTS_PER_S for number in range(len(keys))]
    sizes = [int(row[0]) for row in rows]
    found = miss_ratios(keys, sizes, [LRU, LFU, SIEVE, S3FIFO, WTinyLFU], times_s=times_s, ttl_s=TTL_S)
    del found["no eviction"]
    measured = [[str(size), *(f"{found[name][i]:.3f}" for name in found)] for i, size in enumerate(sizes)]
    assert measured == rows
