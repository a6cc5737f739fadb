"""The file of the lab's own plans: it has them all, it is what a run gives, and the order is the same on other days."""

import pytest

from cachelab.lab.day.plans import CHEATS, FORESEEN, PLANS
from cachelab.lab.day.run import run_day
from cachelab.lab.day.score import Score
from cachelab.lab.day.stored import day_scores

ORDER = [
    "good",
    "guarded",
    "too much",
    "bounded",
    "versioned",
    "private caches",
    "no cache",
    "naive + L1",
    "naive",
    "naive + flight",
]


def ranked(scores: dict[str, Score]) -> list[str]:
    """The names of the ten plans, the best first."""
    return sorted(PLANS, key=lambda name: scores[name].rank)


def test_every_plan_has_a_score() -> None:
    """The plans and the cheats, in this order."""
    assert list(day_scores()) == [*PLANS, *CHEATS]
    assert sorted(FORESEEN) == sorted(PLANS)


def test_the_order_of_the_plans() -> None:
    """One keeps all goals."""
    scores = day_scores()
    assert ranked(scores) == ORDER
    assert [name for name in scores if not scores[name].missed] == ["good"]


def test_a_good_part_can_make_the_day_worse() -> None:
    """The flight alone: more readers fail, because a load that nobody waits for any more goes on."""
    scores = day_scores()
    assert scores["naive + flight"].share("failed") > 1.3 * scores["naive"].share("failed")
    assert scores["naive + flight"].queue_s > 2 * scores["naive"].queue_s


@pytest.mark.parametrize(
    ("cheat", "goal"), [("stale for ever", "stale"), ("refuse everybody", "failed"), ("absent for a day", "not_found")]
)
def test_cheats_lose(cheat: str, goal: str) -> None:
    """Each misses the goal that it has given up."""
    assert goal in day_scores()[cheat].missed


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*PLANS, *CHEATS])
def test_a_stored_score_is_that_of_today(name: str) -> None:
    """To the last packet."""
    assert run_day((PLANS | CHEATS)[name]) == day_scores()[name]


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [2, 3])
def test_the_order_is_the_same_on_other_days(seed: int) -> None:
    """Only one plan keeps all goals, the ten are in the same order, and each cheat loses."""
    scores = {name: run_day(plan, seed) for name, plan in (PLANS | CHEATS).items()}
    assert ranked(scores) == ORDER
    assert [name for name in scores if not scores[name].missed] == ["good"]
