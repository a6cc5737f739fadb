"""The bus in virtual time: a delete in one process is heard in all, and what happens if a message or Redis is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cachelab import Bus, Cache, InvalidationFailed, MemoryStore
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging, Losing
from cachelab.lab.sim.faults import Down
from tests.support.fakes import Origin, RemoteStore, in_virtual_time, now, other_tasks, until
from tests.support.fleet import CHANNEL, Node, Versions, close, commands, make_fleet


@asynccontextmanager
async def listening_fleet(redis: FakeRedis, load: Any, count: int, **options: Any) -> AsyncIterator[list[Node]]:
    """So many nodes with two levels, whose buses listen. At the end nothing of them is left."""
    nodes = make_fleet(redis, load, count, **options)
    for node in nodes:
        await node.bus.__aenter__()
    await until(0.1)
    yield nodes
    await close(nodes)
    assert other_tasks() == set()


async def get_on_all(nodes: list[Node], key: Any = 1) -> Any:
    """What each node answers."""
    return await asyncio.gather(*(node.l1.get(key) for node in nodes))


@pytest.mark.parametrize("key", [1, "a:b", ("eu", ("x", None)), b"\xff"], ids=repr)
@in_virtual_time
async def test_one_write_is_one_delete_and_one_message(key: Any) -> None:
    """Four nodes hold the old value in memory. After one DEL and one PUBLISH all of them answer with the new one."""
    redis, load = FakeRedis(), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 4) as nodes:
        assert await get_on_all(nodes, key) == [1] * 4
        load.version, redis.commands = 2, []
        await nodes[2].bus.delete(key)
        await asyncio.sleep(0.01)
        sent = commands(redis)
        assert (sent.pop("PING", 0), sent) == (0, {"DEL": 1, "PUBLISH": 1})
        assert await get_on_all(nodes, key) == [2] * 4
        assert (load.calls, [node.bus.heard for node in nodes]) == (2, [1] * 4)


@in_virtual_time
async def test_without_the_bus_the_other_memories_are_stale() -> None:
    """Until their TTL ends."""
    redis, load = FakeRedis(), Versions(load_time_s=0.02)
    nodes = make_fleet(redis, load, 4)
    await get_on_all(nodes)
    load.version = 2
    await nodes[2].l1.delete(1)
    assert await get_on_all(nodes) == [1, 1, 2, 1]
    await until(5.1)
    assert await get_on_all(nodes) == [2] * 4
    await close(nodes)


@in_virtual_time
async def test_a_message_breaks_the_loads_under_way_at_each_level() -> None:
    """A load began before the write: no later caller joins it, and no memory keeps its value."""
    redis, load = FakeRedis(), Versions(load_time_s=0.5)
    async with listening_fleet(redis, load, 2) as nodes:
        early = asyncio.create_task(nodes[0].l1.get(1))
        await until(0.3)
        load.version = 2
        await nodes[1].bus.delete(1)
        await asyncio.sleep(0.01)
        assert await get_on_all(nodes) == [2, 2]
        assert (await early, await get_on_all(nodes)) == (1, [2, 2])


@in_virtual_time
async def test_a_lost_message_costs_the_ttl_of_the_memory_at_most() -> None:
    """Redis sends each message at most once."""
    redis, load = FakeRedis(Losing(1.0, 2.0, channel=CHANNEL)), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 3) as nodes:
        await until(1.5)
        await get_on_all(nodes)
        load.version = 2
        await nodes[0].bus.delete(1)
        await asyncio.sleep(0.01)
        assert await get_on_all(nodes) == [2, 1, 1]
        await until(1.5 + 5.0 + 0.1)
        assert await get_on_all(nodes) == [2] * 3


@pytest.mark.parametrize("breaks", [False, True], ids=["unnoticed", "noticed"])
@in_virtual_time
async def test_a_process_that_was_deaf_forgets_everything_when_it_hears_again(breaks: bool) -> None:
    """If the connection broke: what was published meanwhile was not heard, so nothing that is held can be trusted."""
    redis, load = FakeRedis(Losing(1.0, 3.0, channel=CHANNEL, breaks=breaks)), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 2) as nodes:
        await until(1.5)
        await get_on_all(nodes)
        load.version = 2
        await nodes[0].bus.delete(1)
        await until(3.3)
        assert [node.bus.confirmed for node in nodes] == [1 + breaks] * 2
        assert await get_on_all(nodes) == [2, 2 if breaks else 1]


@pytest.mark.parametrize("fault", [Down(1.0, 3.0), Hanging(1.0, 4.0)], ids=["down", "hanging"])
@in_virtual_time
async def test_while_redis_is_away_a_delete_raises_and_the_bus_comes_back(fault: Any) -> None:
    """It subscribes again by itself, forgets everything, and hears the next delete."""
    redis, load = FakeRedis(fault), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 2) as nodes:
        await get_on_all(nodes)
        await until(1.5)
        with pytest.raises(InvalidationFailed, match="retry"):
            await nodes[0].bus.delete(1)
        await until(7.0)
        assert [(node.bus.confirmed, node.bus.failed > 0) for node in nodes] == [(2, True)] * 2
        load.version = 2
        await nodes[0].bus.delete(1)
        await asyncio.sleep(0.01)
        assert await get_on_all(nodes) == [2, 2]


@in_virtual_time
async def test_a_delete_that_was_not_published_raises() -> None:
    """The shared store has forgotten the key, but the others were not told: the caller has to try again."""
    redis = FakeRedis(Hanging(1.0, 2.0))
    cache: Cache[int, Any] = Cache(MemoryStore(10), Origin(), ttl=60.0)
    bus = Bus(redis.client(), CHANNEL, cache)
    await until(1.5)
    with pytest.raises(InvalidationFailed, match=r"^The other processes were not told to forget 1; retry\.$") as raised:
        await bus.delete(1)
    assert raised.value.__cause__ is not None
    await until(2.5)
    await bus.delete(1)


@in_virtual_time
async def test_a_failed_delete_is_not_published() -> None:
    """The others would fill their memories again with the old value of the shared store."""
    redis = FakeRedis(Down(1.0, 2.0))
    async with listening_fleet(redis, Versions(), 2) as nodes:
        await until(1.5)
        redis.commands = []
        with pytest.raises(InvalidationFailed, match="could not delete"):
            await nodes[0].bus.delete(1)
        assert "PUBLISH" not in commands(redis)


@in_virtual_time
async def test_a_bus_that_is_entered_while_redis_is_down_listens_later() -> None:
    """It does not wait: the service starts, and the caches load."""
    redis, load = FakeRedis(Down(0.0, 5.0)), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 2) as nodes:
        assert now() == 0.1
        assert await get_on_all(nodes) == [1, 1]
        await until(6.0)
        assert [node.bus.confirmed for node in nodes] == [1, 1]


@pytest.mark.parametrize(
    "message",
    [b"", b"key", b"\xff", b"1.5", b"(" * 9_999, b"1:" * 6_000, b"'a", b"9" * 9_000, b"01"],
    ids=lambda message: repr(message[:9]),
)
@in_virtual_time
async def test_a_message_that_is_no_key_disturbs_nobody(message: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted, and the next message is heard. The first failure is logged, in one line."""
    redis, load = FakeRedis(), Versions(load_time_s=0.02)
    with caplog.at_level(logging.WARNING, "cachelab.bus"):
        async with listening_fleet(redis, load, 2) as nodes:
            await get_on_all(nodes)
            for _ in range(2):
                await redis.client().publish(CHANNEL, message)
            await asyncio.sleep(0.01)
            assert [(node.bus.heard, node.bus.failed) for node in nodes] == [(2, 2)] * 2
            load.version = 2
            await nodes[0].bus.delete(1)
            await asyncio.sleep(0.01)
            assert await get_on_all(nodes) == [2, 2]
    assert [record.message for record in caplog.records] == [
        f"The bus on {CHANNEL} has failed: a message was no key. It goes on, and its later failures are only counted."
    ] * 2


@in_virtual_time
async def test_a_quiet_connection_costs_one_ping_a_second() -> None:
    """That is how a half-open connection is found, in two seconds."""
    redis = FakeRedis()
    async with listening_fleet(redis, Versions(), 1):
        redis.commands = []
        await until(10.5)
        assert commands(redis) == {"PING": 10}


@in_virtual_time
async def test_a_bus_that_has_ended_hears_nothing_and_may_begin_again() -> None:
    """At the second beginning everything that was held is forgotten."""
    redis, load = FakeRedis(), Versions(load_time_s=0.02)
    (node,) = make_fleet(redis, load, 1)
    async with node.bus:
        await until(0.1)
        await node.l1.get(1)
    assert other_tasks() == set()
    load.version = 2
    await redis.client().delete("test:v1:1")
    assert await node.l1.get(1) == 1
    async with node.bus:
        assert await node.l1.get(1) == 2
        async with node.bus:  # to enter it twice changes nothing
            await asyncio.sleep(0.1)
    assert other_tasks() == set()
    await close([node])


@pytest.mark.parametrize("cancel_ms", range(0, 30, 2))
@in_virtual_time
async def test_a_delete_that_is_cancelled_can_be_called_again(cancel_ms: int) -> None:
    """At each moment: the second one is heard everywhere, and nothing of the first is left."""
    redis, load = FakeRedis(latency_s=0.01), Versions(load_time_s=0.02)
    async with listening_fleet(redis, load, 2) as nodes:
        await get_on_all(nodes)
        load.version = 2
        task = asyncio.create_task(nodes[0].bus.delete(1))
        await asyncio.sleep(cancel_ms / 1000)
        task.cancel()
        await asyncio.wait([task])
        await nodes[0].bus.delete(1)
        await asyncio.sleep(0.02)
        assert await get_on_all(nodes) == [2, 2]


@pytest.mark.parametrize("cancel_ms", range(0, 40, 3))
@in_virtual_time
async def test_a_bus_that_ends_while_it_connects_leaves_nothing(cancel_ms: int) -> None:
    """Also if its connection is half made, or its subscription not confirmed."""
    redis = FakeRedis(latency_s=0.01)
    bus = Bus(redis.client(), CHANNEL, Cache(MemoryStore(10), Origin(), ttl=60.0))
    async with bus:
        await asyncio.sleep(cancel_ms / 1000)
    assert other_tasks() == set()


class Unclearable(RemoteStore):
    """A store in this process that cannot be emptied."""

    def peek(self, key: Any) -> Any:
        """The entry."""
        return self.entries.get(key)


@in_virtual_time
async def test_what_is_no_cache_is_refused() -> None:
    """With a sentence, when the bus is built or entered, and not when the first message comes."""
    redis = FakeRedis()
    cache: Cache[int, Any] = Cache(MemoryStore(10), Origin(), ttl=60.0)
    for caches in ([], [None], [cache, MemoryStore(1)], [Cache]):
        with pytest.raises(TypeError, match=r"^caches must be those of this process, the lowest first: Bus\("):
            Bus(redis.client(), CHANNEL, *caches)
    with pytest.raises(ValueError, match="without decode_responses"):
        Bus(redis.client(decode_responses=True), CHANNEL, cache)
    with pytest.raises(TypeError, match=r"invalidate_all needs a store with clear\(\)"):
        await Bus(redis.client(), CHANNEL, Cache(Unclearable(), Origin(), ttl=60.0)).__aenter__()
    assert other_tasks() == set()


@pytest.mark.parametrize(
    ("key", "error", "sentence"),
    [(1.5, TypeError, "A key is an int"), ("a" * 9_999, ValueError, "at most 10,000 characters, not 10,001")],
    ids=["no key", "too long"],
)
@in_virtual_time
async def test_a_key_that_cannot_be_published_raises_before_anything_is_deleted(
    key: Any, error: type[Exception], sentence: str
) -> None:
    """To try again would not help."""
    redis = FakeRedis()
    async with listening_fleet(redis, Versions(), 1) as (node,):
        redis.commands = []
        with pytest.raises(error, match=sentence):
            await node.bus.delete(key)
        assert redis.commands == []
