"""A request waits only once for a store that does not answer: a key that could not be read is not filled either."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from cachelab import ABSENT, Cache, Entry, InvalidationFailed
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support.caches import SHARED, make_cache, start_gets, with_stale_entry
from tests.support.fakes import (
    BrokenStore,
    Origin,
    RemoteStore,
    in_virtual_time,
    left_behind,
    now,
    other_tasks,
    tally,
    until,
)
from tests.support.servers import real_server

TIMEOUT_S = 0.1
LOAD_S = 0.05
ONCE_S = 0.15  # one time-out and one load


def make_redis_cache(redis: FakeRedis, *, shared: bool = True) -> Cache[int, Any]:
    """A cache with a client of its own."""
    store = RedisStore(redis.client(), str, namespace="test", version=1)
    return make_cache(Origin(load_time_s=LOAD_S), store, shared=shared)


async def time_get(cache: Cache[int, Any], key: int) -> float:
    """How many seconds it takes to get the value, which the origin has."""
    began = now()
    assert await cache.get(key) == "value"
    return round(now() - began, 6)


@SHARED
@in_virtual_time
async def test_a_hanging_store_costs_one_time_out(shared: bool) -> None:
    """The read takes a time-out, the fill is not tried, and exactly one error is counted."""
    cache = make_redis_cache(FakeRedis(Hanging(0, 10), timeout_s=TIMEOUT_S), shared=shared)
    assert await time_get(cache, 1) == ONCE_S
    assert (cache.loads, cache.store_errors, tally(cache)) == (1, 1, (0, 0, 1, 0))


@in_virtual_time
async def test_many_callers_of_a_hanging_store_wait_for_one_time_out_each() -> None:
    """The callers of one key share its load, and each key has a load of its own."""
    cache = make_redis_cache(FakeRedis(Hanging(0, 10), timeout_s=TIMEOUT_S))
    assert set(await asyncio.gather(*(time_get(cache, number % 5) for number in range(50)))) == {ONCE_S}
    assert (cache.loads, cache.store_errors) == (5, 50)


@in_virtual_time
async def test_a_caller_whose_read_failed_waits_for_no_fill_of_an_older_load() -> None:
    """The caller that started the load had an answer to its read. Meanwhile the store has failed to answer another."""
    cache = make_redis_cache(FakeRedis(Hanging(1.01, 10), latency_s=0.01, timeout_s=TIMEOUT_S))
    cache._loader.load_time_s = 0.2
    await cache.get(1)  # opens a connection
    await until(1.0)
    first = asyncio.create_task(time_get(cache, 2))
    await until(1.02)
    assert await time_get(cache, 2) == pytest.approx(0.19)  # until the end of the load, which is after the time-out
    assert await first == pytest.approx(0.21)
    assert (cache.store_errors, cache.collapsed) == (1, 1)


@in_virtual_time
async def test_a_caller_whose_read_failed_waits_for_a_fill_that_was_sent_before() -> None:
    """The fill is on its way when the store fails to answer the second caller, which joins the load all the same."""
    store = BrokenStore(latency_s=1.0)
    cache = make_cache(Origin(), store, shared=True)
    (first,) = start_gets(cache)
    await until(2.5)  # the read ended at 1, the load at 2, and the fill ends at 3
    store.broken = {"get"}
    assert (await cache.get(1), now(), await first, left_behind(cache)) == ("value", 3.0, "value", 0)


@SHARED
@in_virtual_time
async def test_the_next_answered_read_fills_again(shared: bool) -> None:
    """After the fault there is one more miss, then hits, and nothing is remembered of the failure."""
    cache = make_redis_cache(FakeRedis(Hanging(0, 10), latency_s=0.001, timeout_s=TIMEOUT_S), shared=shared)
    await cache.get(1)
    await until(10.0)
    assert [await cache.get(1) for _ in range(3)] == ["value"] * 3
    assert (cache.loads, cache.store_errors, tally(cache)) == (2, 1, (2, 0, 2, 0))
    assert (left_behind(cache), other_tasks()) == (0, set())


@in_virtual_time
async def test_a_failed_read_stops_no_fill_of_another_key() -> None:
    """As when one node of a cluster is gone: the keys of the other nodes are filled."""
    redis = FakeRedis(timeout_s=TIMEOUT_S)
    cache = make_redis_cache(redis)
    get, load = cache._level.store.get, cache._loader

    async def fail_for_odd_keys(key: int) -> Any:
        if key % 2:
            raise ConnectionError
        return await get(key)

    async def load_odd_keys_slowly(key: int) -> Any:
        await asyncio.sleep(key % 2)  # so that the even keys are filled while these loads are under way
        return await load(key)

    cache._level.store.get = fail_for_odd_keys
    cache._loader = load_odd_keys_slowly
    for _ in range(2):
        await asyncio.gather(*map(cache.get, range(10)))
    assert (tally(cache), cache.store_errors) == ((5, 0, 15, 0), 10)


def test_a_slow_new_connection_costs_one_time_out() -> None:
    """Connecting and reading take several round trips, which together may take no longer than the time-out."""

    async def scenario(server: Path) -> float:
        async with (
            FaultyProxy(f"unix://{server}") as proxy,
            redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=TIMEOUT_S) as redis,
        ):
            store = RedisStore(redis, str, namespace="test", version=1)
            cache = make_cache(Origin(load_time_s=0.0), store)
            proxy.delay(0.08)
            return await time_get(cache, 1)

    with real_server() as (server, _):
        assert asyncio.run(scenario(server)) < 2 * TIMEOUT_S  # without a limit there are four round trips of 80 ms


@pytest.mark.parametrize("write", ["set", "delete"])
def test_a_slow_new_connection_costs_a_write_one_time_out(write: str) -> None:
    """Each round trip is shorter than the time-out, all together are longer: the client's TimeoutError is raised."""

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
async def test_a_delete_ends_the_wait_for_a_fill_that_hangs() -> None:
    """The fill takes a time-out, and deleting it again another. The caller has the value and waits for neither."""
    cache = make_redis_cache(FakeRedis(Hanging(0.01, 10), timeout_s=TIMEOUT_S))
    reading = asyncio.create_task(time_get(cache, 1))  # the read is answered before the store hangs, the fill is not
    await asyncio.sleep(0.1)
    deleting = asyncio.create_task(cache.delete(1))
    assert await reading == 0.1
    assert len(cache._level.standing) == 1  # the fill is still on its way, and will then be deleted
    with pytest.raises(InvalidationFailed):
        await deleting
    await cache.aclose()
    assert len(cache._level.standing) == 0


@pytest.mark.parametrize("answer", [ABSENT, "new"], ids=["drop", "fill"])
@in_virtual_time
async def test_a_caller_whose_read_failed_waits_for_no_command_of_an_older_load(answer: Any) -> None:
    """It has waited for the store once, and joins a refresh that is about to send a drop or a fill."""
    origin, store = Origin(), RemoteStore()
    cache = await with_stale_entry(origin, store)
    origin.answer = answer
    await cache.get(1)  # its refresh loads until 71

    async def hang(*_: object) -> Any:
        await asyncio.sleep(0.1)
        raise ConnectionError

    store.get = store.set = store.delete = hang  # type: ignore[assignment, method-assign]
    await until(70.5)
    assert (await cache.get(1), now()) == (answer, 71.0)
