"""Faults on the way to Redis: the proxy before a real one, and the fake one in virtual time."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError, RedisError, TimeoutError as RedisTimeoutError

from cachelab import lab
from cachelab.lab.real_redis.private_server import PrivateServer
from cachelab.lab.real_redis.proxy import FaultyProxy, ProxyError
from cachelab.lab.real_redis.url import NoRedis, make_client
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from tests.support.fakes import in_virtual_time, now, until
from tests.support.servers import need_server


@asynccontextmanager
async def behind_a_proxy(timeout_s: float = 0.5) -> AsyncIterator[tuple[FaultyProxy, Any]]:
    """A proxy before a private server, and a client that goes through it."""
    server = await PrivateServer.start(need_server())
    url = f"unix://{server.path}"
    try:
        async with FaultyProxy(url) as proxy, make_client(url, timeout_s, via=proxy) as client:
            await client.set("k", "value")
            yield proxy, client
    finally:
        server.close()


def in_real_time(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an async test on asyncio's own loop."""
    asyncio.run(test())


def test_proxy_passes_everything_on() -> None:
    """A healthy proxy is invisible, also for replies of many chunks, and for a target on TCP (here: another proxy)."""

    async def scenario() -> None:
        async with behind_a_proxy(timeout_s=5) as (proxy, client):
            large = b"x" * 3_000_000
            await client.set("large", large)
            assert await client.get("large") == large
            target = f"redis://{proxy.host}:{proxy.port}"
            async with FaultyProxy(target) as second, make_client(target, 5, via=second) as far:
                assert await far.get("k") == b"value"

    in_real_time(scenario)


def test_proxy_refuses() -> None:
    """While it refuses, connected and new clients get an error at once; afterwards they are served."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.refuse()
            began = time.perf_counter()
            for _ in range(3):
                with pytest.raises(RedisConnectionError):
                    await client.get("k")
            assert time.perf_counter() - began < 0.5
            proxy.heal()
            assert await client.get("k") == b"value"

    in_real_time(scenario)


def test_proxy_hangs() -> None:
    """While it hangs, the client's own time-out is what ends a call."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.hang()
            began = time.perf_counter()
            for _ in range(2):  # on the open connection, then on a new one
                with pytest.raises(RedisTimeoutError):
                    await client.get("k")
            assert 0.9 < time.perf_counter() - began < 5
            proxy.heal()
            assert await client.get("k") == b"value"

    in_real_time(scenario)


def test_proxy_delivers_what_hung() -> None:
    """A caller who waits long enough gets the answer when the network is back."""

    async def scenario() -> None:
        async with behind_a_proxy(timeout_s=20) as (proxy, client):
            proxy.hang()
            call = asyncio.create_task(client.get("k"))
            await asyncio.sleep(0.1)
            assert not call.done()
            proxy.heal()
            assert await call == b"value"

    in_real_time(scenario)


def test_proxy_cuts_replies() -> None:
    """A reply that is cut in its middle is an error, and never a shorter value."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            for after in (0, 3, 6):
                proxy.cut(after)
                with pytest.raises(RedisConnectionError):
                    await client.get("k")
                proxy.heal()
                assert await client.get("k") == b"value"

    in_real_time(scenario)


def test_proxy_delays() -> None:
    """A delayed reply is late, and one that is later than the client waits is a time-out."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.delay(0.1)
            began = time.perf_counter()
            assert await client.get("k") == b"value"
            assert time.perf_counter() - began >= 0.1
            proxy.delay(1.0)
            with pytest.raises(RedisTimeoutError):
                await client.get("k")

    in_real_time(scenario)


def test_proxy_sentences() -> None:
    """A busy port, a target that is none, and a place where no proxy can stand are explained."""

    async def scenario() -> None:
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            with pytest.raises(ProxyError, match=r"Port \d+ is busy: leave out the port"):
                await FaultyProxy("redis://localhost:1", port=busy.getsockname()[1]).__aenter__()
        for target in (None, "", "localhost:6379", "rediss://localhost"):
            with pytest.raises(ProxyError, match="The proxy needs a target like redis://host:port"):
                FaultyProxy(target)
        with pytest.raises(NoRedis, match="The proxy cannot stand before a cluster or an encrypted server"):
            make_client("rediss://localhost", 0.1, via=FaultyProxy("redis://localhost"))

    in_real_time(scenario)


async def ask(client: Any, *command: object) -> tuple[Any, float]:
    """What a command answers or the name of its error, and after how many seconds."""
    began = now()
    try:
        answer = await client.execute_command(*command)
    except RedisError as error:
        answer = type(error).__name__
    return answer, round(now() - began, 6)


@in_virtual_time
async def test_fake_redis_is_shared() -> None:
    """Two nodes see one server; a new connection costs one round trip, and each command one."""
    redis = FakeRedis(latency_s=0.002)
    one, two = redis.client(), redis.client(decode_responses=True)
    assert await ask(one, "SET", "k", "v") == (True, 0.004)
    assert await ask(two, "GET", "k") == ("v", 0.004)
    assert await ask(two, "GET", "k") == ("v", 0.002)
    assert (redis.packets, redis.connections) == (3, 2)


@in_virtual_time
async def test_fake_redis_expires_on_the_virtual_clock() -> None:
    """A key lives as many virtual seconds as it was given, also for SCAN, and PTTL counts the same clock."""
    redis = FakeRedis(latency_s=0)
    client = redis.client()
    await client.set("k", "v", ex=3600)
    assert await client.pttl("k") == 3_600_000
    await until(3599.9)
    assert await client.pttl("k") == 100
    assert await client.exists("k") == 1
    await until(3600.1)
    assert await client.get("k") is None
    assert [key async for key in client.scan_iter()] == []


@in_virtual_time
async def test_fake_redis_fails_on_schedule() -> None:
    """Down breaks and refuses at once, hanging costs the time-out, slow a longer round trip, and each ends on time."""
    redis = FakeRedis(lab.Down(10, 20), Hanging(30, 40), lab.Slow(50, 60, extra_s=0.05), latency_s=0.002)
    client = redis.client()
    await client.set("k", "v")
    at = {10: ("ConnectionError", 0.002), 15: ("ConnectionError", 0.002), 20: (b"v", 0.004), 29: (b"v", 0.002)}
    at |= {30: ("TimeoutError", 0.1), 35: ("TimeoutError", 0.1), 40: (b"v", 0.004), 50: (b"v", 0.052)}
    at |= {60: (b"v", 0.002)}
    seen = {}
    for second in at:
        await until(second)
        seen[second] = await ask(client, "GET", "k")
    assert seen == at
    assert redis.connections == 3


@in_virtual_time
async def test_fake_redis_keeps_a_command_that_was_sent() -> None:
    """Whoever gives up on a command that is on its way does not stop it, and nobody gets its reply instead."""
    client = FakeRedis(latency_s=0.01).client()
    await client.set("a", "old")
    call = asyncio.create_task(ask(client, "SET", "a", "new"))
    await asyncio.sleep(0.001)
    call.cancel()
    await asyncio.wait([call])
    assert await client.get("b") is None
    assert await client.get("a") == b"new"


@in_virtual_time
async def test_fake_redis_makes_callers_wait_for_a_connection() -> None:
    """When every connection is in use, a caller waits for one, and gives up after the time-out."""
    client = FakeRedis(latency_s=0.04, timeout_s=0.1).client(max_connections=1)
    await client.ping()
    answers = await asyncio.gather(*(ask(client, "PING") for _ in range(5)))
    assert answers == [(True, 0.04), (True, 0.08), (True, 0.12), *[("ConnectionError", 0.1)] * 2]


@in_virtual_time
async def test_fake_redis_has_channels() -> None:
    """A message reaches every subscriber half a round trip after the server has it."""
    redis = FakeRedis(latency_s=0.002)
    nodes = [redis.client().pubsub(ignore_subscribe_messages=True) for _ in range(3)]
    for node in nodes:
        await node.subscribe("changes")
        assert await node.get_message(timeout=1) is None
    await until(5)
    await redis.client().publish("changes", "42")
    for node in nodes:
        message = await node.get_message(timeout=1)
        assert message is not None
        assert message["data"] == b"42"
        await node.aclose()  # type: ignore[no-untyped-call]


def test_fake_redis_is_reproducible() -> None:
    """The same scenario with the same seed gives the same events at the same times, twice."""

    async def scenario() -> list[tuple[float, int, Any, float]]:
        chance, events = Random("1/latency"), []
        redis = FakeRedis(
            lab.Down(2, 3), Hanging(5, 6), lab.Slow(7, 8, 0.2), latency_s=lambda: chance.uniform(0.001, 0.01)
        )

        async def node(number: int) -> None:
            client = redis.client()
            for turn in range(100):
                command = ("GET", f"k{turn % 7}") if (turn + number) % 3 else ("SET", f"k{turn % 7}", number, "PX", 300)
                events.append((now(), number, *await ask(client, *command)))
                await asyncio.sleep(0.1)

        await asyncio.gather(*(node(number) for number in range(5)))
        return events

    first, second = lab.run(scenario), lab.run(scenario)
    assert len(first) == 500
    assert {answer for _, _, answer, _ in first} > {"ConnectionError", "TimeoutError", True, None, b"1"}
    assert first == second


@in_virtual_time
async def test_fake_redis_refuses_a_fault_without_a_time() -> None:
    """A fault that ends before it begins is a mistake, and said to be one."""
    with pytest.raises(ValueError, match="A fault needs 0 <= start < end"):
        FakeRedis(Hanging(2, 1))
