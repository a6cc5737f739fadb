"""The day of a plan: what counts as failed, stale, invented and "not found", and what ends it."""

import asyncio
import random
from typing import Any

import pytest

from cachelab import ABSENT, Cache, Flight, Freshness, MemoryStore, lab
from cachelab.lab.day.plans import PLANS
from cachelab.lab.day.run import BadPlan, run_day
from cachelab.lab.day.score import hours_of
from cachelab.lab.day.site import Plan, ProfileWithPlan, Site
from cachelab.lab.day.stored import day_scores
from cachelab.lab.day.traffic import day_requests


def answering(answer: Any) -> Plan:
    """A plan whose nodes answer with what `answer(user_id)` returns, at once."""

    def plan(_: Site) -> Any:
        async def get(user_id: int) -> Any:
            return answer(user_id)

        return get

    return plan


def profile(user_id: int) -> lab.UserProfile:
    """The row that a user has from the start."""
    return lab.UserProfile(user_id, f"user_{user_id}", f"user_{user_id}@example.com")


def test_every_reader_is_counted_and_no_attacker() -> None:
    """The readers are the reads of the day whose ids are not the attacker's."""
    score = run_day(answering(profile))
    assert score.count("readers") == sum(not r.write and r.key < 1_000_000 for r in day_requests())
    assert score.count("failed") == score.queries == score.packets == 0


@pytest.mark.long
def test_old_rows_are_stale_after_a_minute() -> None:
    """Who always gives the first row gives what is out of date, more and more in the course of the day."""
    stale = hours_of(run_day(answering(profile)).quarters, "stale")
    assert stale[0] < 10 < stale[8] < stale[13]


@pytest.mark.long
def test_an_invented_answer() -> None:
    """Another user's profile, or the default of the second release."""
    score = run_day(answering(lambda user_id: profile(user_id + 1)))
    assert score.count("invented") == score.count("readers")
    free = run_day(answering(lambda user_id: ProfileWithPlan(user_id, "", "")))
    assert free.count("invented") == free.count("readers")
    gold = run_day(answering(lambda user_id: ProfileWithPlan(user_id, "", "", plan="gold")))
    assert gold.count("invented") == 0


def test_a_user_who_is_there_is_told_not_found() -> None:
    """All but those who ask for a new user before the sign-up, or within a second of it."""
    score = run_day(answering(lambda _: ABSENT))
    new = sum(not r.write and 750 < r.key < 1_000_000 for r in day_requests())
    assert score.count("readers") - new < score.count("not_found") < score.count("readers")


@pytest.mark.long
def test_whoever_waits_too_long_has_failed() -> None:
    """After 301 ms; 299 ms are in time."""

    def plan(seconds: float) -> Plan:
        def build(_: Site) -> Any:
            async def get(user_id: int) -> lab.UserProfile:
                await asyncio.sleep(seconds)
                return profile(user_id)

            return get

        return build

    assert run_day(plan(0.299)).count("failed") == 0
    late = run_day(plan(0.301))
    assert late.count("failed") == late.count("readers")


def test_each_node_and_each_release_is_built_once() -> None:
    """Four times the first release, and four times the second."""
    sites: list[tuple[int, int]] = []

    def plan(site: Site) -> Any:
        sites.append((site.release, site.node))
        return answering(profile)(site)

    run_day(plan)
    assert sites == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]


def test_the_queue_is_watched() -> None:
    """Without a cache the origin has a queue for minutes, most of all at noon."""
    score = run_day(PLANS["no cache"])
    assert score.queue_s > 100
    assert hours_of(score.quarters, "queue")[12] == 60
    assert score.missed == ["failed", "queue"]


@pytest.mark.long
def test_the_writer_deletes() -> None:
    """One node learns of each write: with a single process there is nothing stale."""
    shared: list[Cache[int, Any]] = []

    def plan(site: Site) -> Any:
        if not shared:
            shared.append(Cache(MemoryStore(10_000), site.load, ttl=10_000, flight=Flight()))
        return shared[0]

    assert run_day(plan).count("stale") == 0


@pytest.mark.long
def test_entries_are_counted_in_the_course_of_the_day() -> None:
    """And the parts, of the release that runs at the end."""
    score = run_day(PLANS["private caches"])
    assert 100 < score.entries <= 500
    assert score.parts == ["Cache", "Flight", "MemoryStore"]


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (lambda site: None, "returns a Cache, or an async function of a user's id, not None"),
        (lambda site: 42, "not 42"),
        (lambda site: asyncio.sleep(0), "plain function"),
    ],
)
def test_what_is_no_cache_is_refused(plan: Plan, sentence: str) -> None:
    """With a sentence, before the day begins."""
    with pytest.raises(BadPlan, match=sentence):
        run_day(plan)


def test_a_plan_that_fails_at_the_deploy_ends_the_day() -> None:
    """With its own error."""

    def plan(site: Site) -> Any:
        if site.release == 2:
            raise KeyError("gold")
        return answering(profile)(site)

    with pytest.raises(KeyError, match="gold"):
        run_day(plan)


def test_a_mistake_in_an_answer_ends_the_day() -> None:
    """A NameError is no outage; what is no profile is a TypeError that says so."""
    with pytest.raises(TypeError, match="neither a profile nor ABSENT"):
        run_day(answering(lambda _: "Ana"))
    with pytest.raises(ZeroDivisionError):
        run_day(answering(lambda user_id: user_id / 0))


@pytest.mark.long
def test_the_same_plan_has_the_same_score() -> None:
    """Also one that draws random numbers. What the notebook draws itself goes on as if nothing had happened."""

    def plan(site: Site) -> Any:
        return Cache(MemoryStore(500), site.load, ttl=60, flight=Flight(), freshness=Freshness(jitter=0.5))

    random.seed(42)
    first = run_day(plan)
    drawn = random.random()
    random.seed(7)
    assert run_day(plan) == first
    random.seed(42)
    assert random.random() == drawn


@pytest.mark.long
@pytest.mark.parametrize("name", ["naive", "good"])
def test_two_stored_scores_are_those_of_today(name: str) -> None:
    """The chapter plays these two; the file has the same."""
    assert run_day(PLANS[name]) == day_scores()[name]
