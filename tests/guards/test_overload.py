"""A site whose cache is emptied, or whose origin is slow for two seconds: with which guards it comes back, and when.

Chapter 13 shows the first. These are three samples of the same traffic: 200 users a second, who wait for half a second
and try three times, on an origin that can do 40 loads a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Literal

import pytest

from cachelab import Breaker, Bulkhead, Cache, Flight, MemoryStore, TimeLimit, lab

pytestmark = [pytest.mark.long, pytest.mark.parametrize("seed", [3, 4, 5])]

Trouble = Literal["flush", "slow"]
AT = {"flush": 5.0, "slow": 22.0}
"""When the trouble is over: a flush at once, and a slow origin after two seconds."""
SECONDS, PROFILES = 45, 2_000


def back_after_s(trouble: Trouble, seed: int, guard: Any = None, *, flight: bool = False, tries: int = 3) -> float:
    """How many seconds after the trouble the site is back."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=PROFILES, connections=4, service_s=0.1)
        load: Callable[[int], Any] = guard(db.fetch_user) if guard else db.fetch_user
        store: MemoryStore[Any] = MemoryStore(PROFILES)
        lab.warm(store, PROFILES, ttl=60.0, seed=seed)
        loop = asyncio.get_running_loop()
        if trouble == "flush":
            loop.call_at(5.0, store.clear)
        else:
            loop.call_at(20.0, setattr, db, "service_s", 0.3)
            loop.call_at(22.0, setattr, db, "service_s", 0.1)
        async with Cache(store, load, ttl=60.0, flight=Flight() if flight else None) as cache:
            users = lab.Workload(rate=200, seconds=SECONDS, keys=PROFILES, seed=seed)
            return await lab.replay(users, cache, db=db, patience_s=0.5, tries=tries)

    return lab.run(scenario).back_after_s(AT[trouble])


def bulkhead(waiting: int, *, last_first: bool = False) -> Any:
    """A bulkhead for as many loads as the origin has connections."""
    return partial(Bulkhead, running=4, waiting=waiting, last_first=last_first)


def breaker(load: Any) -> Any:
    """A breaker that counts loads of more than 0.4 s as failures."""
    return Breaker(TimeLimit(load, 0.4), failures=5, open_s=1.0)


def test_after_a_flush_the_cures_have_a_ranking(seed: int) -> None:
    """Bulkheads with the longest line, first or last come first served, before a flight alone; all within 30 s."""
    bounded = [
        back_after_s("flush", seed, bulkhead(16)),
        back_after_s("flush", seed, bulkhead(100, last_first=True)),
        back_after_s("flush", seed, bulkhead(16), flight=True),
    ]
    assert max(bounded) <= 20
    assert max(bounded) < back_after_s("flush", seed, flight=True) <= 30


@pytest.mark.parametrize(
    ("guard", "flight", "tries"),
    [(None, False, 3), (None, False, 1), (bulkhead(17), False, 3), (partial(TimeLimit, seconds=0.5), True, 3)],
    ids=["nothing", "one attempt", "one place too many", "a limit in the flight"],
)
def test_after_a_flush_the_others_do_not_come_back(guard: Any, flight: bool, tries: int, seed: int) -> None:
    """Work is thrown away for ever: without a guard, with one place too many, and with a limit on each load."""
    assert back_after_s("flush", seed, guard, flight=flight, tries=tries) == inf


@pytest.mark.parametrize(
    ("guard", "flight"),
    [(None, True), (bulkhead(16), False), (bulkhead(100, last_first=True), False), (bulkhead(16), True)],
    ids=["flight", "bulkhead", "last come first served", "both"],
)
def test_after_two_slow_seconds_a_guarded_site_is_back_at_once(guard: Any, flight: bool, seed: int) -> None:
    """Within three seconds."""
    assert back_after_s("slow", seed, guard, flight=flight) <= 3


def test_a_breaker_with_a_limit_comes_back_after_two_slow_seconds(seed: int) -> None:
    """Within five seconds."""
    assert back_after_s("slow", seed, breaker) <= 5
