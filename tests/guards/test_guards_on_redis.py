"""A guarded store on a real server behind a proxy that hangs, refuses, or is far. Times are compared as ratios.

Random faults are in `tests/stores/test_redis_soak.py`, with guards and without them.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import Breaker, Cache, Flight, Freshness, MemoryStore, RedisStore, TimeLimit
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.stores.redis_store import redis_client
from tests.support.fakes import now
from tests.support.servers import real_server

TIMEOUT_S, LOAD_S, REQUESTS = 0.25, 0.005, 12

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]


def guarded(store: Any) -> Any:
    """Open after three failures, until the test has ended."""
    return Breaker(TimeLimit(store, TIMEOUT_S), failures=3, open_s=600.0)


class Outage:
    """What the requests of one outage saw: their times in seconds, how many loads they took, and the store."""

    def __init__(self, times: list[float], loads: int, store: Any) -> None:
        self.times, self.loads, self.store = times, loads, store
        self.mean_s = sum(times) / len(times)


def outage(begin: Callable[[FaultyProxy], None], wrap: Callable[[Any], Any]) -> Outage:
    """Ask for several keys, one after the other, on a connection that was open when the fault began."""

    async def load(key: int) -> int:
        await asyncio.sleep(LOAD_S)
        return key

    async def scenario(server: Any) -> Outage:
        async with (
            FaultyProxy(f"unix://{server}") as proxy,
            redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=TIMEOUT_S) as redis,
        ):
            store = wrap(RedisStore(redis, int, namespace="test", version=1))
            async with Cache(store, load, ttl=60.0, flight=Flight()) as cache:
                assert [await cache.get(0) for _ in range(2)] == [0, 0]
                begin(proxy)
                times, loads = [], cache.loads
                for key in range(1, REQUESTS + 1):
                    began = now()
                    assert await cache.get(key) == key
                    times.append(now() - began)
                return Outage(times, cache.loads - loads, store)

    with real_server() as (server, _):
        return asyncio.run(scenario(server))


def plain(store: Any) -> Any:
    """Without guards."""
    return store


def test_a_redis_that_hangs_costs_a_few_time_outs_with_a_breaker_and_one_each_without() -> None:
    """Twelve requests wait for twelve time-outs or for three. The origin gets as many queries in both cases."""
    without, with_guards = outage(FaultyProxy.hang, plain), outage(FaultyProxy.hang, guarded)
    assert (without.loads, with_guards.loads) == (REQUESTS, REQUESTS)
    assert min(without.times) >= TIMEOUT_S
    assert with_guards.mean_s < without.mean_s / 2  # three time-outs in place of twelve
    assert max(with_guards.times[3:]) < TIMEOUT_S / 2
    assert (with_guards.store.state, with_guards.store.refused) == ("open", REQUESTS - 3)


def test_a_redis_that_refuses_costs_little_in_both_cases() -> None:
    """A refusal is fast, so a breaker saves no more than a try to connect."""
    without, with_guards = outage(FaultyProxy.refuse, plain), outage(FaultyProxy.refuse, guarded)
    assert (without.loads, with_guards.loads) == (REQUESTS, REQUESTS)
    assert max(without.mean_s, with_guards.mean_s) < TIMEOUT_S / 2
    assert with_guards.store.state == "open"


def test_a_redis_that_is_far_opens_no_breaker() -> None:
    """Each reply comes 80 ms later. That is slow, and no failure, as long as the limit is longer."""
    with_guards = outage(lambda proxy: proxy.delay(0.08), guarded)
    assert with_guards.store.opened == 0
    assert 0.08 <= min(with_guards.times) <= with_guards.mean_s < 2 * TIMEOUT_S


@pytest.mark.parametrize(
    "begin",
    [FaultyProxy.hang, FaultyProxy.refuse, lambda proxy: proxy.delay(0.08)],
    ids=["hangs", "refuses", "is far"],
)
def test_with_memory_and_stale_answers_nobody_waits_for_redis(begin: Callable[[FaultyProxy], None]) -> None:
    """The origin is down, too. Each request is answered from the memory, in a small part of a time-out."""
    origin_is_down = False

    async def load(key: int) -> int:
        if origin_is_down:
            raise ConnectionError
        return key

    async def scenario(server: Any) -> list[float]:
        nonlocal origin_is_down
        async with (
            FaultyProxy(f"unix://{server}") as proxy,
            redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=TIMEOUT_S) as redis,
        ):
            store: RedisStore[int] = RedisStore(redis, int, namespace="test", version=1)
            freshness = Freshness(stale_for=60.0)
            l2 = Cache(guarded(store), load, ttl=0.01, flight=Flight(), freshness=freshness)
            async with l2, Cache(MemoryStore(100), l2, ttl=0.01, flight=Flight(), freshness=freshness) as l1:
                for key in range(REQUESTS):
                    await l1.get(key)
                await asyncio.sleep(0.05)  # all entries are stale now
                begin(proxy)
                origin_is_down = True
                times = []
                for _ in range(3):
                    for key in range(REQUESTS):
                        began = now()
                        assert await l1.get(key) == key
                        times.append(now() - began)
                    await asyncio.sleep(TIMEOUT_S)  # the refreshes fail meanwhile
                assert (l1.stale, l1.misses) == (3 * REQUESTS, REQUESTS)
                return times

    with real_server() as (server, _):
        times = asyncio.run(scenario(server))
    assert sorted(times)[len(times) // 2] < TIMEOUT_S / 10
    assert max(times) < TIMEOUT_S / 2
