"""A store that does not answer is waited for once in a request: what failed to be read is not written either."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from cachelab import Cache, Entry, Flight, InvalidationFailed
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support.fakes import Origin, in_virtual_time, now, others, tally, until
from tests.support.servers import real_server

TIMEOUT_S = 0.1
LOAD_S = 0.05
ONCE_S = 0.15  # a time-out and a load


def over(redis: FakeRedis, *, shared: bool = True) -> Cache[int, Any]:
    """A cache on a node of its own."""
    store = RedisStore(redis.client(), str, namespace="test", version=1)
    return Cache(store, Origin(load_time_s=LOAD_S), ttl=60.0, flight=Flight() if shared else None)


async def timed(cache: Cache[int, Any], key: int) -> float:
    """How many seconds an answer takes; it is the origin's in each of these tests."""
    began = now()
    assert await cache.get(key) == "value"
    return round(now() - began, 6)


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "flight"])
@in_virtual_time
async def test_a_hanging_store_costs_one_time_out(shared: bool) -> None:
    """The read is waited for, the fill is not tried, and exactly one error is counted."""
    cache = over(FakeRedis(Hanging(0, 10), timeout_s=TIMEOUT_S), shared=shared)
    assert await timed(cache, 1) == ONCE_S
    assert (cache.loads, cache.store_errors, tally(cache)) == (1, 1, (0, 0, 1, 0))


@in_virtual_time
async def test_a_crowd_at_a_hanging_store_waits_for_one_time_out() -> None:
    """All of them: those of one key share its load, those of other keys have their own."""
    cache = over(FakeRedis(Hanging(0, 10), timeout_s=TIMEOUT_S))
    assert set(await asyncio.gather(*(timed(cache, number % 5) for number in range(50)))) == {ONCE_S}
    assert (cache.loads, cache.store_errors) == (5, 50)


@in_virtual_time
async def test_who_waits_for_a_load_after_a_failed_read_waits_for_no_fill() -> None:
    """The load was begun by somebody whose read was answered, but by now the store is known not to answer."""
    cache = over(FakeRedis(Hanging(1.01, 10), latency_s=0.01, timeout_s=TIMEOUT_S))
    cache._loader.load_time_s = 0.2
    await cache.get(1)  # opens a connection
    await until(1.0)
    first = asyncio.create_task(timed(cache, 2))
    await until(1.02)
    assert await timed(cache, 2) == pytest.approx(0.19)  # until the load ends, which is later than the time-out
    assert await first == pytest.approx(0.21)
    assert (cache.store_errors, cache.collapsed) == (1, 1)


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "flight"])
@in_virtual_time
async def test_the_next_answered_read_fills_again(shared: bool) -> None:
    """After the fault there is one miss more, then hits; and nothing is remembered of the failure."""
    cache = over(FakeRedis(Hanging(0, 10), latency_s=0.001, timeout_s=TIMEOUT_S), shared=shared)
    await cache.get(1)
    await until(10.0)
    assert [await cache.get(1) for _ in range(3)] == ["value"] * 3
    assert (cache.loads, cache.store_errors, tally(cache)) == (2, 1, (2, 0, 2, 0))
    assert (cache._level._unreadable, len(cache._level.standing), others()) == ({}, 0, set())


@in_virtual_time
async def test_a_failed_read_stops_no_fill_of_another_key() -> None:
    """As where one node of a cluster is gone: the keys of the others are filled."""
    redis = FakeRedis(timeout_s=TIMEOUT_S)
    cache = over(redis)
    get, load = cache._level.store.get, cache._loader

    async def half(key: int) -> Any:
        if key % 2:
            raise ConnectionError
        return await get(key)

    async def slow_half(key: int) -> Any:
        await asyncio.sleep(key % 2)  # so that the others fill while these are under way
        return await load(key)

    cache._level.store.get = half
    cache._loader = slow_half
    for _ in range(2):
        await asyncio.gather(*map(cache.get, range(10)))
    assert (tally(cache), cache.store_errors) == ((5, 0, 15, 0), 10)


def test_a_slow_new_connection_costs_one_time_out() -> None:
    """To connect and to ask are several round trips; together they may take no longer than the time-out allows."""

    async def scenario(server: Path) -> float:
        async with (
            FaultyProxy(f"unix://{server}") as proxy,
            redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=TIMEOUT_S) as redis,
        ):
            store = RedisStore(redis, str, namespace="test", version=1)
            cache: Cache[int, Any] = Cache(store, Origin(load_time_s=0.0), ttl=60.0)
            proxy.delay(0.08)
            return await timed(cache, 1)

    with real_server() as (server, _):
        assert asyncio.run(scenario(server)) < 2 * TIMEOUT_S  # four round trips of 80 ms, if nobody ends them


@pytest.mark.parametrize("write", ["set", "delete"])
def test_a_slow_new_connection_costs_a_write_one_time_out(write: str) -> None:
    """Each round trip is quicker than the time-out, all together are not, and that is an error of redis."""

    async def scenario(server: Path) -> None:
        async with (
            FaultyProxy(f"unix://{server}") as proxy,
            redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=0.3) as redis,
        ):
            store = RedisStore(redis, str, namespace="test", version=1)
            proxy.delay(0.2)
            with pytest.raises(RedisTimeoutError):
                await (store.delete(1) if write == "delete" else store.set(1, Entry("value", now() + 60.0)))

    with real_server() as (server, _):
        asyncio.run(scenario(server))


@in_virtual_time
async def test_a_delete_lets_the_caller_go_whose_fill_hangs() -> None:
    """The fill waits for its time-out, and taking it back for another; the caller, who has the value, for neither."""
    cache = over(FakeRedis(Hanging(0.01, 10), timeout_s=TIMEOUT_S))
    reading = asyncio.create_task(timed(cache, 1))  # the read is answered before, and the fill is not
    await asyncio.sleep(0.1)
    deleting = asyncio.create_task(cache.delete(1))
    assert await reading == 0.1
    assert len(cache._level.standing) == 1  # the fill is still on its way, and then to be taken back
    with pytest.raises(InvalidationFailed):
        await deleting
    await cache.aclose()
    assert len(cache._level.standing) == 0
