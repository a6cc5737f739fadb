"""The score: each goal, its reason, and what sorts before what."""

import json

import pytest

from cachelab.lab.day.score import GOALS, Quarter, Score, hours_of

GOOD = Quarter(readers=100)


def score(*, quarter: Quarter = GOOD, at: int = 0, queue_s: int = 0, parts: int = 3) -> Score:
    """A day with a hundred readers a quarter of an hour, one quarter of which is another one."""
    quarters = [GOOD] * 96
    quarters[at] = quarter
    return Score(quarters, queue_s=queue_s, queries=7, packets=1_234, entries=5, parts=["Cache"] * parts)


def test_a_good_day_keeps_all_goals() -> None:
    """Exactly one reader in a hundred may fail, and one may get a stale answer; the queue may last 30 s."""
    day = score(quarter=Quarter(readers=100, failed=96, stale=96), queue_s=30)
    assert day.share("failed") == day.share("stale") == 0.01
    assert day.missed == day.reasons == []


@pytest.mark.parametrize(
    ("day", "missed"),
    [
        (score(quarter=Quarter(readers=100, failed=97)), "failed"),
        (score(quarter=Quarter(readers=100, stale=97)), "stale"),
        (score(queue_s=31), "queue"),
        (score(quarter=Quarter(readers=100, invented=1)), "invented"),
        (score(quarter=Quarter(readers=100, not_found=1)), "not_found"),
    ],
)
def test_each_goal_is_missed_alone(day: Score, missed: str) -> None:
    """One more than the goal allows, and it is named; the others are kept."""
    assert day.missed == [missed]
    assert len(day.reasons) == 1
    assert day.report.count("MISSED") == 1
    assert "MISSED" in next(line for line in day.report.splitlines() if GOALS[missed] in line)


def test_a_reason_names_the_hour_and_its_event() -> None:
    """The worst hour, and what happens in it; without an event only the hour."""
    attacked = score(quarter=Quarter(readers=500, failed=400), at=74)
    assert attacked.reasons == ["400 readers failed or waited for more than 300 ms, 400 of them at 18 h (attack)."]
    assert score(quarter=Quarter(100, stale=99), at=40).reasons == [
        "99 readers got an answer out of date by more than 60 s, 99 of them at 10 h."
    ]


def test_the_reason_of_a_queue() -> None:
    """How long it was, and the hour with most of it."""
    day = score(quarter=Quarter(readers=100, queue=15), at=13, queue_s=44)
    assert day.reasons == ["The origin had a queue for 44 s on end; most of it at 03 h (backup)."]


def test_what_a_plan_costs_is_reported() -> None:
    """Packets, queries, entries and parts."""
    assert score().report.splitlines()[-1] == (
        "It costs 1,234 packets to Redis, 7 queries, 5 entries in a node, 3 parts."
    )


def test_the_order_of_scores() -> None:
    """Fewer goals missed; of those that keep all, fewer parts; then fewer unhappy readers."""
    kept_small, kept_large = score(parts=2), score(parts=9)
    slightly, badly = (score(quarter=Quarter(readers=100, failed=n), parts=1) for n in (97, 99))
    twice = score(quarter=Quarter(readers=100, invented=1), queue_s=31, parts=1)
    days = [twice, badly, kept_large, slightly, kept_small]
    assert sorted(days, key=lambda day: day.rank) == [kept_small, kept_large, slightly, badly, twice]


def test_hours_are_four_quarters() -> None:
    """The sums of four in a row."""
    assert hours_of([Quarter(readers=n) for n in range(8)], "readers") == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7]


def test_a_score_is_stored_and_read_again() -> None:
    """Through JSON, and it is the same."""
    day = score(quarter=Quarter(1, 2, 3, 4, 5, 6), at=9, queue_s=8)
    assert Score.read(json.loads(json.dumps(day.stored()))) == day
