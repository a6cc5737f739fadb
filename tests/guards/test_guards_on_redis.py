"""A guarded store on a real server behind a proxy that hangs, refuses, or is far. Times are compared as ratios.

Random faults are in `tests/stores/test_redis_soak.py`, with guards and without them.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import Breaker, Cache, Flight, RedisStore, TimeLimit
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
