"""A site whose cache is emptied, or whose origin is slow for some seconds: with which guards it comes back, and when.

Chapter 13 shows the first. These are three samples of the same traffic: 200 users a second, who wait for half a second
and try three times, on an origin that can do 40 loads a second. And a site that is ten times larger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Literal

import pytest

from cachelab import Breaker, Bulkhead, Cache, Flight, MemoryStore, TimeLimit, lab

pytestmark = pytest.mark.parametrize("seed", [3, 4, 5])

Trouble = Literal["flush", "slow", "slow for long"]
OVER = {"flush": 5.0, "slow": 22.0, "slow for long": 25.0}
"""When the trouble is over: a flush at once, and an origin that is slow from second 20 on after two seconds or five."""
SECONDS, RATE, PROFILES, CONNECTIONS = 45, 200, 2_000, 4


def back_after_s(
    trouble: Trouble, seed: int, guard: Any = None, *, flight: bool = False, tries: int = 3, size: int = 1
) -> float:
    """How many seconds after the trouble the site is back. It is `size` times as large as that of the chapter."""

    async def scenario() -> lab.ReplayResult:
        profiles = size * PROFILES
        db = lab.SlowDatabase(users=profiles, connections=size * CONNECTIONS, service_s=0.1)
        load: Callable[[int], Any] = guard(db.fetch_user) if guard else db.fetch_user
        store: MemoryStore[Any] = MemoryStore(profiles)
        lab.warm(store, profiles, ttl=60.0, seed=seed)
        loop = asyncio.get_running_loop()
        if trouble == "flush":
            loop.call_at(5.0, store.clear)
        else:
            loop.call_at(20.0, setattr, db, "service_s", 0.3)
            loop.call_at(OVER[trouble], setattr, db, "service_s", 0.1)
        async with Cache(store, load, ttl=60.0, flight=Flight() if flight else None) as cache:
            users = lab.Workload(rate=size * RATE, seconds=SECONDS, keys=profiles, seed=seed)
            return await lab.replay(users, cache, db=db, patience_s=0.5, tries=tries)

    return lab.run(scenario).back_after_s(OVER[trouble])


def bulkhead(waiting: int, *, last_first: bool = False, size: int = 1) -> Any:
    """A bulkhead for as many loads as the origin has connections."""
    return partial(Bulkhead, running=size * CONNECTIONS, waiting=waiting, last_first=last_first)


def breaker(load: Any) -> Any:
    """A breaker that counts loads of more than 0.4 s as failures."""
    return Breaker(TimeLimit(load, 0.4), failures=5, open_s=1.0)


@pytest.mark.long
def test_after_a_flush_the_cures_have_a_ranking(seed: int) -> None:
    """Bulkheads with the longest line, first or last come first served, before a flight alone; all within 30 s."""
    bounded = [
        back_after_s("flush", seed, bulkhead(16)),
        back_after_s("flush", seed, bulkhead(100, last_first=True)),
        back_after_s("flush", seed, bulkhead(16), flight=True),
    ]
    assert max(bounded) <= 20
    assert max(bounded) < back_after_s("flush", seed, flight=True) <= 30


@pytest.mark.long
@pytest.mark.parametrize(
    ("guard", "flight", "tries"),
    [(None, False, 3), (None, False, 1), (bulkhead(17), False, 3), (partial(TimeLimit, seconds=0.5), True, 3)],
    ids=["nothing", "one attempt", "one place too many", "a limit in the flight"],
)
def test_after_a_flush_the_others_do_not_come_back(guard: Any, flight: bool, tries: int, seed: int) -> None:
    """Work is thrown away for ever: without a guard, with one place too many, and with a limit on each load."""
    assert back_after_s("flush", seed, guard, flight=flight, tries=tries) == inf


@pytest.mark.long
@pytest.mark.parametrize(
    ("guard", "flight"),
    [(None, True), (bulkhead(16), False), (bulkhead(100, last_first=True), False), (bulkhead(16), True)],
    ids=["flight", "bulkhead", "last come first served", "both"],
)
def test_after_two_slow_seconds_a_guarded_site_is_back_at_once(guard: Any, flight: bool, seed: int) -> None:
    """Within three seconds."""
    assert back_after_s("slow", seed, guard, flight=flight) <= 3


@pytest.mark.long
def test_a_breaker_with_a_limit_comes_back_after_two_slow_seconds(seed: int) -> None:
    """Within five seconds."""
    assert back_after_s("slow", seed, breaker) <= 5


@pytest.mark.long
def test_after_five_slow_seconds_the_retries_decide(seed: int) -> None:
    """Without guards and with one attempt each the site is back at once. With three it never is: a retry storm."""
    assert back_after_s("slow for long", seed, tries=1) <= 1
    assert back_after_s("slow for long", seed, tries=3) == inf


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_a_site_that_is_ten_times_larger_behaves_in_the_same_way(seed: int) -> None:
    """Nothing, a flight, the longest line, and one place more. The line is ten times as long."""
    assert back_after_s("flush", seed, size=10) == inf
    assert back_after_s("flush", seed, flight=True, size=10) <= 30
    assert back_after_s("flush", seed, bulkhead(160, size=10), size=10) <= 20
    assert back_after_s("flush", seed, bulkhead(161, size=10), size=10) == inf
