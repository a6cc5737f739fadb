"""Exercise 15.2: alerts of many kinds against the incidents, a calm time and a cold start."""

from __future__ import annotations

from typing import Any

import pytest

from cachelab import lab
from cachelab.lab.exercises.ch15_2_alert import WORDS, recorded
from tests.support.exercise_checks import assert_verdict, each_answer


def rings(now: lab.Numbers) -> bool:
    """The solution."""
    if now.store_errors_per_s > 1 or now.load_s > 0.5:
        return True
    return now.up_s > 45 and now.redis_hits < 0.4


def by_p99(now: lab.Numbers) -> bool:
    """The latency sees the slow database and the hanging Redis."""
    return now.p99_s > 0.1 or (now.up_s > 30 and now.redis_hits < 0.5)


def by_loads(now: lab.Numbers) -> bool:
    """The load sees the flush and the hanging Redis."""
    return now.load_s > 0.2 or (now.up_s > 40 and now.loads_per_s > 25)


def list_of_reasons(now: lab.Numbers) -> list[str]:
    """A list that is empty if nothing is wrong."""
    reasons = ["slow"] if now.p99_s > 0.12 else []
    return reasons + (["empty"] if now.up_s > 60 and now.redis_hits < 0.45 else [])


class Counting:
    """An object that can be called, which rings at the second bad window in a row."""

    def __init__(self) -> None:
        self.bad = 0

    def __call__(self, now: lab.Numbers) -> bool:
        is_bad = now.load_s > 0.2 or (now.up_s > 40 and now.redis_hits < 0.5)
        self.bad = self.bad + 1 if is_bad else 0
        return self.bad > 0


def unfinished(now: lab.Numbers) -> Any: ...


def forgets(now: lab.Numbers) -> Any:
    """No return."""
    rings(now)


async def awaits(now: lab.Numbers) -> bool:
    """Async."""
    return rings(now)


def misspelt(now: Any) -> bool:
    """Asks for a number that is not there."""
    return bool(now.hit_ratio < 0.5)


ANSWERS: list[tuple[Any, str]] = [
    (rings, "Correct."),
    (by_p99, "Correct."),
    (by_loads, "Correct."),
    (list_of_reasons, "Correct."),
    (Counting(), "Correct."),
    (lambda now: now.redis_hits < 0.4, "after a cold start"),
    (lambda now: now.loads_per_s > 20 or now.load_s > 0.5, "after a cold start"),
    (lambda now: now.store_errors_per_s > 1 or now.load_s > 0.5, "Redis was emptied"),
    (lambda now: now.errors_per_s > 0, "Redis was emptied"),
    (lambda now: now.memory_hits < 0.5, "threshold lies inside what is normal"),
    (lambda now: now.stale_per_s > 5, "threshold lies inside what is normal"),
    (lambda now: True, "threshold lies inside what is normal"),
    (lambda now: now.up_s > 45 and now.redis_hits < 0.4, "Loads took 20 times as long"),
    (lambda now: now.load_s > 0.5 or (now.up_s > 45 and 0.01 < now.redis_hits < 0.4), "Redis answered nothing"),
    (unfinished, "Nothing to check yet"),
    (..., "Nothing to check yet"),
    (forgets, "is a return missing?"),
    (awaits, "a plain function"),
    (True, "Give the check the function itself"),
    (misspelt, "AttributeError"),
]


@pytest.fixture(scope="module", autouse=True)
def watched() -> None:
    """Watch each incident before, as the notebook does: a check has to end within ten seconds."""
    for incident in WORDS:
        recorded(incident)


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("15.2", answer, words, capsys)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_solution_holds_for_other_traffic(seed: int) -> None:
    """It rings in each incident within 6 s, and is silent before, in a calm time and after a cold start."""
    for incident in WORDS:
        rang = [now.when for now in recorded(incident, seed) if rings(now)]
        if incident in ("calm", "cold start"):
            assert rang == []
        else:
            assert 8 < rang[0] <= 14
