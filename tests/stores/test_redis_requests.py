"""Requests to Redis: a Redis that is far or slow, connections that were closed while idle, and what is sent when."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError, RedisError, TimeoutError as RedisTimeoutError

from cachelab import MISS, Cache, Entry, Flight, InvalidationFailed, RedisStore, redis_client
from cachelab.lab import FakeRedis, FaultyProxy
from cachelab.lab.sim.fake_redis import Hanging
from cachelab.lab.sim.faults import Down, Slow
from tests.support.fakes import Origin, in_virtual_time, now, other_tasks, until
from tests.support.servers import real_server

FOREVER = float("inf")
TIMEOUT_S = 0.1


def store_on(redis: Redis) -> RedisStore[int]:
    """A store of whole numbers."""
    return RedisStore(redis, int, namespace="test", version=1)


@asynccontextmanager
async def behind_a_proxy(path: Path, **options: Any) -> AsyncIterator[tuple[FaultyProxy, Redis, Redis]]:
    """A proxy, a client behind it with a time-out of 100 ms, and one that reaches the server directly."""
    async with (
        FaultyProxy(f"unix://{path}") as proxy,
        redis_client(f"redis://{proxy.host}:{proxy.port}", **{"timeout_s": TIMEOUT_S, **options}) as redis,
        redis_client(f"unix://{path}", timeout_s=5.0) as direct,
    ):
        await asyncio.gather(*(store_on(direct).set(key, Entry(key, FOREVER)) for key in range(100)))
        yield proxy, redis, direct


async def calls(direct: Redis, command: str) -> int:
    """How many commands of this name the server has carried out."""
    stats = await direct.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def close_idle(direct: Redis) -> None:
    """Let the server close every connection except this one, as its setting `timeout` does."""
    await direct.client_kill_filter(_type="normal", skipme=True)


async def answered(store: RedisStore[int], reads: int) -> int:
    """How many of so many reads, one after the other, find the entry. As a rule none takes longer than the time-out."""
    found, took = 0, []
    for key in range(reads):
        began = now()
        with contextlib.suppress(RedisError):
            found += await store.get(key) == Entry(key, FOREVER)
        took.append(now() - began)
    assert median(took) < TIMEOUT_S + 0.05  # on a busy machine some take longer
    return found


class TestFarRedis:
    """The round trip takes a large part of the time-out, so that a connection takes longer than the time-out."""

    @pytest.mark.parametrize(
        "round_trip_s", [0.036, *(pytest.param(long, marks=pytest.mark.long) for long in (0.06, 0.08))]
    )
    def test_a_redis_that_is_far_is_reached(self, round_trip_s: float) -> None:
        """The first reads fail while the connection is made, and the others find it. Few connections are made."""

        async def main(path: Path) -> None:
            async with behind_a_proxy(path) as (proxy, redis, _):
                proxy.delay(round_trip_s)
                assert await answered(store_on(redis), 30) >= 15
                assert proxy.accepted <= 5

        with real_server() as (path, _):
            asyncio.run(main(path))

    @pytest.mark.long
    @pytest.mark.parametrize("outage", ["hang", "refuse"])
    def test_a_redis_that_comes_back_slow_is_reached_again(self, outage: str) -> None:
        """After an outage all connections are gone, and the new ones take longer than the time-out."""

        async def main(path: Path) -> None:
            async with behind_a_proxy(path) as (proxy, redis, _):
                store = store_on(redis)
                assert await answered(store, 10) == 10
                getattr(proxy, outage)()
                assert await answered(store, 5) == 0
                accepted = proxy.accepted
                proxy.delay(0.08)
                assert await answered(store, 30) >= 15
                assert proxy.accepted - accepted <= 5

        with real_server() as (path, _):
            asyncio.run(main(path))

    @pytest.mark.long
    @pytest.mark.parametrize("seconds", [4, 30])
    def test_a_slow_redis_gets_no_storm_of_connections(self, seconds: int) -> None:
        """Fifty calls a second, with fills and deletes: a few connections are made and kept, and reads are hits."""

        async def main(path: Path) -> None:
            async with (
                behind_a_proxy(path) as (proxy, redis, _),
                Cache(store_on(redis), Origin(7, load_time_s=0.0), ttl=60.0, flight=Flight()) as cache,
            ):
                await cache.get(1_000)
                proxy.delay(0.08)
                callers, hits = [], [0]
                for number in range(50 * seconds):
                    key = number % 100 if number % 5 else 1_000 + number
                    call: Any = cache.delete(key) if number % 10 == 0 else cache.get(key)
                    callers.append(asyncio.create_task(call))
                    await asyncio.sleep(0.02)
                    if number % 50 == 49:
                        hits.append(cache.hits)
                await asyncio.gather(*callers, return_exceptions=True)
                assert proxy.accepted <= 15
                assert hits[-1] - hits[-2] >= 30  # of 45 reads in the last second, 40 are of keys that are there

        with real_server() as (path, _):
            asyncio.run(main(path))

    @pytest.mark.long
    def test_a_command_that_came_too_late_is_not_sent(self) -> None:
        """Writes fail while their connections are made. When the connections are there, nothing is sent any more.

        Both wait for half a time-out: redis-py sends the steps of its greeting together where it can, and then a whole
        time-out would be enough.
        """

        async def main(path: Path) -> None:
            async with behind_a_proxy(path) as (proxy, redis, direct):
                sent = await calls(direct, "set"), await calls(direct, "mget")
                proxy.delay(0.08)
                store = store_on(redis)
                writes = [store.set(1, Entry(-1, FOREVER)), store._requests.command("DEL", store.key(2), share=0.5)]
                assert [type(error) for error in await asyncio.gather(*writes, return_exceptions=True)] == [
                    RedisTimeoutError
                ] * 2
                await asyncio.sleep(0.6)  # both connections are finished
                proxy.heal()
                assert await answered(store, 5) >= 3
                assert (await calls(direct, "set"), await calls(direct, "mget")) == sent
                assert await calls(direct, "del") == 0
                assert proxy.accepted == 2

        with real_server() as (path, _):
            asyncio.run(main(path))

    @in_virtual_time
    async def test_an_answer_that_is_late_leaves_its_connection_open(self) -> None:
        """A fill waits for half a time-out. Its reply comes later, is thrown away, and the connection is used again."""
        server = FakeRedis(Slow(10, 20, 0.08))
        store = store_on(server.client())
        await store.set(1, Entry(1, FOREVER))
        await until(10)
        with pytest.raises(RedisTimeoutError):
            await store.set(1, Entry(2, FOREVER))
        assert now() == pytest.approx(10.05)
        await asyncio.sleep(0.05)
        assert await store.get(1) == Entry(2, FOREVER)
        assert (server.connections, other_tasks()) == (1, set())

    @in_virtual_time
    async def test_requests_wait_for_a_connection_that_is_being_finished(self) -> None:
        """Connecting takes .15 s: each reader fails after .1 s, and the second one's connection is the first one's."""
        server = FakeRedis(Slow(10, 10.12, 0.15), timeout_s=0.1)
        client = server.client(socket_connect_timeout=1.0)
        store = store_on(client)
        await until(10)
        with pytest.raises(RedisTimeoutError):
            await store.get(1)
        assert now() == pytest.approx(10.1)
        assert await store.get(1) is MISS
        assert now() == pytest.approx(10.152)
        assert server.connections == 1

    @in_virtual_time
    async def test_a_connection_that_is_never_finished_is_given_up(self) -> None:
        """After ten time-outs it is closed, so that the next request makes another, and nothing is left."""
        server = FakeRedis(Hanging(10, 11), timeout_s=0.1)
        store = store_on(server.client(socket_connect_timeout=FOREVER))
        await until(10)
        for _ in range(10):
            with pytest.raises(RedisTimeoutError):
                await store.get(1)
        assert now() == pytest.approx(11.0)
        assert await store.get(1) is MISS
        assert now() == pytest.approx(11.002)
        assert other_tasks() == set()


class TestClosedWhileIdle:
    """Connections that Redis, or something between, closed while nobody used them."""

    @pytest.mark.parametrize("closing", ["by the server", "by the network"])
    def test_it_costs_nothing(self, closing: str) -> None:
        """Reads, writes and deletes find their connections closed. Each is tried once more, and nothing fails."""

        async def main(path: Path) -> None:
            async with behind_a_proxy(path, timeout_s=5.0) as (proxy, redis, direct):
                store = store_on(redis)
                async with Cache(store, Origin(7, load_time_s=0.0), ttl=60.0) as cache:
                    for _ in range(3):
                        crowd = [*map(cache.get, range(200, 220)), *map(cache.delete, range(300, 305))]
                        await asyncio.gather(*crowd)  # opens connections
                        if closing == "by the server":
                            await close_idle(direct)
                        else:
                            proxy.refuse()
                            proxy.heal()
                        await asyncio.gather(
                            *map(cache.delete, range(200, 220)), *map(cache.get, range(220, 240)), *map(store.get, [1])
                        )
                        await close_idle(direct)
                        await cache.delete(1_000)
                        await close_idle(direct)
                        assert await store.get(1) == Entry(1, FOREVER)
                        await close_idle(direct)
                        await store.set(1, Entry(1, FOREVER))
                    assert cache.store_errors == 0

        with real_server() as (path, _):
            asyncio.run(main(path))

    def test_after_a_time_out_nothing_is_tried_again(self) -> None:
        """A Redis that hangs gets each command once, and costs one time-out."""

        async def main(path: Path) -> None:
            async with (
                behind_a_proxy(path) as (proxy, redis, direct),
                Cache(store_on(redis), Origin(7, load_time_s=0.0), ttl=60.0) as cache,
            ):
                await cache.delete(1)
                proxy.hang()
                began = now()
                with pytest.raises(InvalidationFailed):
                    await cache.delete(1)
                assert now() - began < TIMEOUT_S + 0.08
                proxy.heal()
                await asyncio.sleep(0.05)
                assert await calls(direct, "del") <= 2  # the hanging one may arrive in the end

        with real_server() as (path, _):
            asyncio.run(main(path))

    @in_virtual_time
    async def test_a_closed_connection_is_tried_once_more_and_not_twice(self) -> None:
        """While Redis is down the new connection is refused, and the error comes after two round trips."""
        server = FakeRedis(Down(10, 20), latency_s=0.01)
        store = store_on(server.client())
        await store.set(1, Entry(1, FOREVER))
        await until(10)
        for call in (store.get(1), store.delete(1), store.set(1, Entry(1, FOREVER))):
            began = now()
            with pytest.raises(RedisConnectionError):
                await call
            assert now() - began <= 0.0201
        await until(20)
        assert await store.get(1) == Entry(1, FOREVER)
