"""Exercise 14.1: plans that keep the goals, and plans that the day defeats, each at its hour."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from cachelab import (
    AlsoDeleting,
    Breaker,
    Bulkhead,
    Cache,
    Flight,
    Freshness,
    Guarded,
    MemoryStore,
    TimeLimit,
    lab,
)
from cachelab.lab.day.run import run_day
from cachelab.lab.day.site import Site
from tests.support.exercise_checks import assert_verdict, each_answer
from tests.support.notebooks import NOTEBOOKS, load, solution, tagged


def origin(site: Site) -> Any:
    """The database, behind a short line and the filter."""
    return Guarded(Bulkhead(site.load, running=1, waiting=2), site.known)


def shared(site: Site, **options: Any) -> Any:
    """A cache in Redis, one version for each release."""
    store = Breaker(site.redis(version=site.release), failures=5, open_s=2)
    settings: dict[str, Any] = {"ttl": 600, "flight": Flight(), "freshness": Freshness(jitter=0.2, stale_for=600)}
    return Cache(store, origin(site), **settings | options)


def over(lower: Any, **options: Any) -> Any:
    """A memory over it, whose copies may be a little old."""
    settings: dict[str, Any] = {"ttl": 10, "flight": Flight(), "freshness": Freshness(stale_for=45)}
    return Cache(MemoryStore(500), lower, **settings | options)


def two_levels(site: Site) -> Any:
    """The usual answer."""
    return over(shared(site))


class Node:
    """A class with two methods in place of a cache."""

    def __init__(self, site: Site) -> None:
        self._cache = over(shared(site))

    async def __call__(self, user_id: int) -> Any:
        """The answer to a reader."""
        return await self._cache.get(user_id)

    async def delete(self, user_id: int) -> None:
        """Pass it on."""
        await self._cache.delete(user_id)


def with_a_limit(site: Site) -> Any:
    """A time limit for Redis inside the breaker, and deletes for the next version."""
    store: Any = Breaker(TimeLimit(site.redis(version=site.release), 0.05), failures=3, open_s=1)
    if site.release == 1:
        store = AlsoDeleting(store, site.redis(version=2))
    return over(Cache(store, origin(site), ttl=300, flight=Flight(), freshness=Freshness(stale_for=300)))


def guard_above(site: Site) -> Any:
    """The filter in front of Redis."""
    store = Breaker(site.redis(version=site.release))
    l2 = Cache(store, Bulkhead(site.load, running=1, waiting=2), ttl=900, flight=Flight())
    return over(Guarded(l2, site.known))


def one_version(site: Site) -> Any:
    """The old bytes in the new release."""
    return over(Cache(site.redis(version=1), origin(site), ttl=600, flight=Flight()))


def long_ttl(site: Site) -> Any:
    """Copies that outlive a minute."""
    return over(shared(site), ttl=600)


def no_filter(site: Site) -> Any:
    """Nothing against the unknown ids."""
    return over(Cache(site.redis(version=site.release), site.load, ttl=600, flight=Flight()))


def absences(site: Site) -> Any:
    """Absences are kept in each node."""
    l2 = Cache(Breaker(site.redis(version=site.release)), site.load, ttl=600, negative_ttl=600, flight=Flight())
    return over(l2, negative_ttl=600)


def returns_nothing(site: Site) -> Any:
    """The return is missing."""
    over(shared(site))


async def is_async(site: Site) -> Any:
    """A plan that must be awaited."""
    return over(shared(site))


def misspelt(site: Site) -> Any:
    """A typing mistake."""
    return site.loda  # type: ignore[attr-defined]


def never_answers(site: Site) -> Any:
    """Each reader waits for ever."""

    async def get(user_id: int) -> Any:
        await asyncio.Event().wait()

    return get


def stub(site: Site) -> Any: ...


ANSWERS: list[tuple[Any, str]] = [
    (two_levels, "Correct."),
    (Node, "Correct."),
    (with_a_limit, "Correct."),
    (guard_above, "Correct."),
    (partial(lambda ttl, site: over(shared(site), ttl=ttl), 12), "Correct."),
    (lab.PLANS["guarded"], "While Redis hangs, each read waits"),
    (lab.PLANS["no cache"], "Queries waited in line"),
    (one_version, "Answers were invented"),
    (long_ttl, "stale for more than a minute"),
    (no_filter, "Queries waited in line"),
    (absences, "told that they do not exist"),
    (returns_nothing, "not None"),
    (is_async, "plain function"),
    (misspelt, "AttributeError"),
    (never_answers, "The crowd asks for profiles"),
    ("two levels", "A plan is a function of the site"),
    (..., "Nothing to check yet"),
    (stub, "Nothing to check yet"),
]


@pytest.mark.long
@pytest.mark.timeout(120)
@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told what has defeated it."""
    assert_verdict("14.1", answer, words, capsys)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("seed", "missed"), [(1, []), (2, ["failed"])])
def test_the_small_plan_of_the_solution(seed: int, missed: list[str]) -> None:
    """It has six parts. On the second day it misses a goal by a hair, and the larger plan keeps it."""
    names = dict(globals())
    exec(solution(tagged(load(NOTEBOOKS / "14_choosing.ipynb"), "solution")["14.1"]), names)
    small, large = run_day(names["plan"], seed), run_day(lab.PLANS["good"], seed)
    assert len(small.parts) == 6
    assert len(large.parts) == 11
    assert (small.missed, large.missed) == (missed, [])
    assert large.share("failed") < small.share("failed") < 0.011
