"""FakeRedis, the Redis of simulations: its clock is virtual, its latency exact, and its faults follow a schedule."""

import asyncio
from random import Random
from typing import Any

import pytest
from redis.exceptions import RedisError

from cachelab import lab
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from tests.support.fakes import in_virtual_time, now, until


async def run_command(client: Any, *command: object) -> tuple[Any, float]:
    """The answer to a command or the name of its error, and the seconds until then."""
    began = now()
    try:
        answer = await client.execute_command(*command)
    except RedisError as error:
        answer = type(error).__name__
    return answer, round(now() - began, 6)


@in_virtual_time
async def test_two_clients_share_one_server() -> None:
    """Both see the same keys. A new connection costs one round trip, and each command costs one."""
    redis = FakeRedis(latency_s=0.002)
    one, two = redis.client(), redis.client(decode_responses=True)
    assert await run_command(one, "SET", "k", "v") == (True, 0.004)
    assert await run_command(two, "GET", "k") == ("v", 0.004)
    assert await run_command(two, "GET", "k") == ("v", 0.002)
    assert (redis.packets, redis.connections) == (3, 2)


@in_virtual_time
async def test_keys_expire_on_the_virtual_clock() -> None:
    """A key expires after its TTL in virtual seconds, also for SCAN, and PTTL reads the same clock."""
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
async def test_faults_follow_the_schedule() -> None:
    """Down raises at once, Hanging costs the time-out, Slow makes a round trip longer, and each ends at its time."""
    redis = FakeRedis(lab.Down(10, 20), Hanging(30, 40), lab.Slow(50, 60, extra_s=0.05), latency_s=0.002)
    client = redis.client()
    await client.set("k", "v")
    at = {10: ("ConnectionError", 0.002), 15: ("ConnectionError", 0.002), 20: (b"v", 0.004), 29: (b"v", 0.002)}
    at |= {30: ("TimeoutError", 0.1), 35: ("TimeoutError", 0.1), 40: (b"v", 0.004), 50: (b"v", 0.052)}
    at |= {60: (b"v", 0.002)}
    seen = {}
    for second in at:
        await until(second)
        seen[second] = await run_command(client, "GET", "k")
    assert seen == at
    assert redis.connections == 3


@in_virtual_time
async def test_a_cancelled_command_is_still_executed() -> None:
    """A command that was sent is not stopped by a cancellation, and no other command gets its reply."""
    client = FakeRedis(latency_s=0.01).client()
    await client.set("a", "old")
    call = asyncio.create_task(run_command(client, "SET", "a", "new"))
    await asyncio.sleep(0.001)
    call.cancel()
    await asyncio.wait([call])
    assert await client.get("b") is None
    assert await client.get("a") == b"new"


@in_virtual_time
async def test_callers_wait_for_a_free_connection() -> None:
    """When every connection is in use, a caller waits for one, and gets an error after the time-out."""
    client = FakeRedis(latency_s=0.04, timeout_s=0.1).client(max_connections=1)
    await client.ping()
    answers = await asyncio.gather(*(run_command(client, "PING") for _ in range(5)))
    assert answers == [(True, 0.04), (True, 0.08), (True, 0.12), *[("ConnectionError", 0.1)] * 2]


@in_virtual_time
async def test_a_message_reaches_every_subscriber() -> None:
    """It arrives half a round trip after the server has got it."""
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


def test_the_same_seed_gives_the_same_events() -> None:
    """The same scenario with the same seed gives the same events at the same times."""

    async def scenario() -> list[tuple[float, int, Any, float]]:
        chance, events = Random("1/latency"), []
        redis = FakeRedis(
            lab.Down(2, 3), Hanging(5, 6), lab.Slow(7, 8, 0.2), latency_s=lambda: chance.uniform(0.001, 0.01)
        )

        async def node(number: int) -> None:
            client = redis.client()
            for turn in range(100):
                command = ("GET", f"k{turn % 7}") if (turn + number) % 3 else ("SET", f"k{turn % 7}", number, "PX", 300)
                events.append((now(), number, *await run_command(client, *command)))
                await asyncio.sleep(0.1)

        await asyncio.gather(*(node(number) for number in range(5)))
        return events

    first, second = lab.run(scenario), lab.run(scenario)
    assert len(first) == 500
    assert {answer for _, _, answer, _ in first} > {"ConnectionError", "TimeoutError", True, None, b"1"}
    assert first == second


@in_virtual_time
async def test_a_fault_that_ends_before_it_begins_is_refused() -> None:
    """The error says what a fault needs."""
    with pytest.raises(ValueError, match="A fault needs 0 <= start < end"):
        FakeRedis(Hanging(2, 1))
