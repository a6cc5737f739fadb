"""The lease in virtual time: one load for a fleet, and each of its rules with what happens if it is left out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError, RedisError

from cachelab import ABSENT, MISS, Entry, LeasedStore, Record, RedisStore, lease
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging, Losing
from cachelab.lab.sim.faults import Down
from tests.support.caches import SHARED
from tests.support.contract import StoreContract
from tests.support.fakes import Origin, facts, in_virtual_time, now, other_tasks, tally, until
from tests.support.fleet import Forwarding, Node, Versions, close, commands, make_fleet, timed
from tests.support.servers import FilledByLeases, fake_redis

VALUE, LEASE = "test:v1:1", "{test:v1:1}:lease"


class TestOnFakeredis(StoreContract):
    """The contract of stores, with each entry filled by a lease."""

    last_s = 59.998

    def make(self, max_entries: int = 100, clock: Any = None) -> FilledByLeases:
        return FilledByLeases(2, fake_redis(), clock=clock)


@asynccontextmanager
async def fleet(redis: FakeRedis, load: Any, count: int, **options: Any) -> AsyncIterator[list[Node]]:
    """So many nodes. At the end they are closed, have kept nothing, and no lease is left in Redis."""
    nodes = make_fleet(redis, load, count, **options)
    yield nodes
    await close(nodes)
    assert other_tasks() == set()


async def get_on_all(nodes: list[Node], key: Any = 1, callers: int = 1) -> Any:
    """The answer of each caller on each node, or its error. All ask at once. Raises TimeoutError after 3 s."""
    async with asyncio.timeout(3.0):
        gets = [node.l2.get(key) for node in nodes for _ in range(callers)]
        return await asyncio.gather(*gets, return_exceptions=True)


# One load


@pytest.mark.parametrize("wrap", [lambda store: store, Forwarding], ids=["the store", "a wrapper round it"])
@in_virtual_time
async def test_a_fleet_loads_once(wrap: Callable[[Any], Any]) -> None:
    """Four nodes with fifty callers each: one load, one miss, and 199 callers that waited for it."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 4, wrap=wrap) as nodes:
        answers, seconds = await timed(get_on_all(nodes, callers=50))
        assert (set(answers), load.calls) == ({1}, 1)
        assert seconds < 1.1 * load.load_time_s
        assert [sum(counts) for counts in zip(*(tally(node.l2) for node in nodes), strict=True)] == [0, 0, 1, 199]
        assert sum(commands(redis).values()) <= 30
        assert await redis.client().exists(LEASE) == 0


@in_virtual_time
async def test_without_leases_each_node_loads() -> None:
    """What the flights alone save: four loads instead of two hundred."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 4, plain=True) as nodes:
        await get_on_all(nodes, callers=50)
        assert load.calls == 4


@in_virtual_time
async def test_a_fleet_without_flights_loads_once() -> None:
    """Each caller waits by itself then: the lease is enough for the origin, and costs more commands."""
    redis, load = FakeRedis(timeout_s=1.0), Versions()
    async with fleet(redis, load, 4, shared=False) as nodes:
        assert (set(await get_on_all(nodes, callers=10)), load.calls) == ({1}, 1)
        assert sum(commands(redis).values()) > 80


@in_virtual_time
async def test_what_a_lone_miss_and_a_hit_send() -> None:
    """A miss sends the two commands of a read, a claim and a settlement, and publishes nothing. A hit sends a read."""
    redis = FakeRedis()
    async with fleet(redis, Versions(), 1) as nodes:
        await get_on_all(nodes)
        assert commands(redis) == {"PTTL": 1, "GET": 1, "EVAL claim": 1, "EVAL settle": 1}
        await get_on_all(nodes)
        assert commands(redis) == {"PTTL": 2, "GET": 2, "EVAL claim": 1, "EVAL settle": 1}


@in_virtual_time
async def test_a_store_without_leases_sends_what_it_sent_before() -> None:
    """A cache asks for a lease only where the store grants one."""
    redis = FakeRedis()
    async with fleet(redis, Versions(), 1, plain=True) as nodes:
        await get_on_all(nodes)
        await get_on_all(nodes)
        assert commands(redis) == {"PTTL": 2, "GET": 2, "SET": 1}


@in_virtual_time
async def test_a_delete_is_one_command() -> None:
    """It removes the value and the right to fill it."""
    redis = FakeRedis()
    async with fleet(redis, Versions(), 1) as nodes:
        await nodes[0].l2.delete(1)
        assert commands(redis) == {"DEL": 1}


# A missing token refuses


async def in_mid_load(nodes: list[Node], load: Versions, *, second: float = 0.15) -> list[asyncio.Task[Any]]:
    """Start a get on each node; at `second` another client writes and deletes the key."""
    callers = [asyncio.create_task(node.l2.get(1)) for node in nodes]
    await until(second)
    load.version = 2
    await nodes[-1].l2.delete(1)
    return callers


@in_virtual_time
async def test_a_delete_in_mid_load_refuses_the_fill() -> None:
    """Ten nodes. Two loads: the old one, whose answer only its own waiters get, and one that reads the new value."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 10) as nodes:
        callers = await in_mid_load(nodes, load)
        later = await get_on_all(nodes)
        assert (load.calls, later.count(1) <= 1, later.count(2)) == (2, True, 10 - later.count(1))
        await asyncio.gather(*callers)
        assert await get_on_all(nodes) == [2] * 10
        assert [event for node in nodes for event in facts(node.heard)].count("fenced") == 1


@in_virtual_time
async def test_without_leases_the_old_value_stays() -> None:
    """The same with the plain store: a fence reaches no further than its process."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 10, plain=True) as nodes:
        await asyncio.gather(*await in_mid_load(nodes, load))
        assert (load.calls, await get_on_all(nodes)) == (10, [1] * 10)


@pytest.mark.parametrize("lost", ["evicted", "replaced"])
@in_virtual_time
async def test_whatever_removes_the_token_refuses_the_fill(lost: str) -> None:
    """Redis evicts it, or loses it in a failover: then a delete may have been lost as well."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 1) as (node,):
        caller = asyncio.create_task(node.l2.get(1))
        await until(0.15)
        await redis.client().delete(LEASE)
        if lost == "replaced":
            await redis.client().hset(LEASE, "token", "another")
        assert (await caller, await node.store.get(1)) == (1, MISS)
        assert await redis.client().exists(LEASE) == (lost == "replaced")


@in_virtual_time
async def test_a_claim_that_waits_gets_no_value_from_before_the_delete() -> None:
    """Those that wait are told of the refused fill, and load again: the note that they wait went with the delete."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 2) as nodes:
        holder = asyncio.create_task(nodes[0].l2.get(1))
        await until(0.05)
        waiter = asyncio.create_task(timed(nodes[1].l2.get(1)))
        await until(0.15)
        load.version = 2
        await redis.client().delete(VALUE, LEASE)  # by a process that listens to nothing
        assert await holder == 1
        value, seconds = await waiter
        assert (value, load.calls, seconds < 2 * load.load_time_s) == (2, 2, True)


# Take-over


@pytest.mark.parametrize("shared", [True, False], ids=["flight", "no flight"])
@in_virtual_time
async def test_a_lease_shorter_than_the_load_costs_loads_and_refuses_none(shared: bool) -> None:
    """Lease 0.3 s, load 1 s: a load each 0.3 s until the first has filled. It is not too old to fill."""
    redis, load = FakeRedis(timeout_s=1.0), Versions(load_time_s=1.0)
    async with fleet(redis, load, 8, lease_s=0.3, shared=shared) as nodes:
        callers = [asyncio.create_task(node.l2.get(1)) for node in nodes for _ in range(1 if shared else 5)]
        await until(1.02)
        assert (load.calls, (await nodes[0].store.get(1)).value) == (4, 1)
        await asyncio.gather(*callers)
        assert load.calls == 4
        assert [fact for node in nodes for fact in facts(node.heard)].count("fill") == 1


@in_virtual_time
async def test_a_load_longer_than_lease_and_keep_does_not_fill() -> None:
    """Its token has expired. The caller has its answer all the same."""
    redis, load = FakeRedis(), Versions(load_time_s=1.0)
    async with fleet(redis, load, 1, lease_s=0.3, keep_s=0.5) as (node,):
        assert (await node.l2.get(1), await node.store.get(1)) == (1, MISS)


@in_virtual_time
async def test_if_the_holder_is_killed_one_node_takes_over_when_the_lease_ends() -> None:
    """Nine nodes wait: none of them longer than the lease and a load, and one of them loads."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 10, lease_s=1.0) as nodes:
        asyncio.create_task(nodes[0].l2.get(1)).add_done_callback(lambda task: task.cancelled() or task.exception())
        await until(0.05)
        others = [asyncio.create_task(timed(node.l2.get(1))) for node in nodes[1:]]
        await until(0.1)
        redis.kill("node 1")
        await nodes[0].close()
        answers = await asyncio.gather(*others)
        assert (load.calls, {value for value, _ in answers}) == (2, {1})
        assert max(seconds for _, seconds in answers) < 1.0 + 0.3 + 0.02


# Stale-while-revalidate


@in_virtual_time
async def test_a_fleet_refreshes_once_a_life() -> None:
    """Eight nodes read a key of 5 s for 26 s: five loads, and nobody waits after the first."""
    redis, load = FakeRedis(), Versions(load_time_s=0.2)
    async with fleet(redis, load, 8, ttl=5.0, stale_for=30.0) as nodes:

        async def reader(node: Node) -> None:
            while now() < 26.0:
                await node.l2.get(1)
                await asyncio.sleep(0.1)

        await asyncio.gather(*map(reader, nodes))
        assert (load.calls, commands(redis)["EVAL claim"] < 5 * 8 * 4) == (5, True)
        assert sum(node.l2.misses + node.l2.collapsed for node in nodes) == 8
        assert max(event.stale_s for node in nodes for event in node.heard if isinstance(event, Record)) < 0.35


@in_virtual_time
async def test_a_refresh_that_fails_elsewhere_ends_and_gives_no_expired_entry() -> None:
    """The refresh waited for the node whose load failed. It keeps the old entry while that lives, and loads nothing."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 2, lease_s=20.0) as nodes:
        token = await nodes[0].store.claim(1)
        seen, gone = Entry(7, 60.0), Entry(7, 0.2)
        waiting = [asyncio.create_task(nodes[1].store.claim(1, entry)) for entry in (seen, gone)]
        await until(1.0)
        await token.release()
        kept, granted = await asyncio.gather(*waiting)
        assert (kept is seen, isinstance(granted, Entry)) == (True, False)
        await granted.release()


# Nothing to share


@in_virtual_time
async def test_after_a_failed_load_those_that_waited_load_side_by_side() -> None:
    """The origin is down. One after the other would wait for the sum of the loads before it."""
    redis, load = FakeRedis(), Versions()
    load.broken = True
    async with fleet(redis, load, 6) as nodes:
        answers, seconds = await timed(get_on_all(nodes))
        assert [type(answer) for answer in answers] == [ConnectionError] * 6
        assert (load.calls, seconds < 2 * load.load_time_s + 0.02) == (6, True)
        assert await redis.client().exists(LEASE) == 0


@pytest.mark.parametrize(("negative_ttl", "loads"), [(0.0, 6), (1.0, 1)])
@in_virtual_time
async def test_an_absence_that_is_kept_is_shared(negative_ttl: float, loads: int) -> None:
    """Without a TTL for absences there is nothing to share, and each node asks the origin."""
    redis, load = FakeRedis(), Origin(ABSENT, load_time_s=0.3)
    async with fleet(redis, load, 6, negative_ttl=negative_ttl) as nodes:
        answers, seconds = await timed(get_on_all(nodes))
        assert (answers, load.calls, seconds < 0.7) == ([ABSENT] * 6, loads, True)


@in_virtual_time
async def test_an_entry_that_is_too_large_is_not_waited_for_twice() -> None:
    """It cannot be kept, so each node loads for itself, side by side; the old entry does not stay in its place."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 4, max_bytes=10) as nodes:
        answers, seconds = await timed(get_on_all(nodes))
        assert (answers, load.calls, seconds < 0.7) == ([1] * 4, 4, True)
        assert nodes[0].store.refused + sum(node.store.refused for node in nodes[1:]) == 4


@in_virtual_time
async def test_a_value_that_the_store_cannot_take_raises_and_removes_the_old_one() -> None:
    """A TypeError reaches the caller, the lease is given back, and nobody waits for it."""
    redis = FakeRedis()
    async with fleet(redis, Origin(object(), load_time_s=0.1), 2) as nodes:
        await redis.client().set(VALUE, b"old", px=60_000)
        answers, seconds = await timed(get_on_all(nodes))
        assert ([type(answer) for answer in answers], seconds < 0.3) == ([TypeError] * 2, True)
        assert await redis.client().exists(VALUE, LEASE) == 0


@in_virtual_time
async def test_with_a_delete_each_fifth_of_a_second_nobody_waits_for_ever() -> None:
    """Ten nodes, load 0.3 s. After two notices without a value a node loads for itself."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 10) as nodes:
        gets = [asyncio.create_task(timed(node.l2.get(1))) for node in nodes]
        for number in range(1, 16):
            await until(0.2 * number)
            await redis.client().delete(VALUE, LEASE)
        assert max(seconds for _, seconds in await asyncio.gather(*gets)) < 3 * load.load_time_s + 0.03


# Bytes that are no entry


@pytest.mark.parametrize("poison", ["bytes", "an entry of another key", "a list", "a hash"])
@in_virtual_time
async def test_what_is_no_entry_does_not_count_as_filled(poison: str) -> None:
    """The fleet loads once and fills over it: a claim that answered with it would be asked again and again."""
    redis, load = FakeRedis(latency_s=0.02), Versions()
    async with fleet(redis, load, 3) as nodes:
        client = redis.client()
        if poison == "bytes":
            await client.set(VALUE, b"no entry")
        elif poison == "an entry of another key":
            await nodes[0].store.set(2, Entry(2, 60.0))
            await client.copy("test:v1:2", VALUE)
        elif poison == "a list":
            await client.rpush(VALUE, "x")
        else:
            await client.hset(VALUE, "x", "y")
        await client.pexpire(VALUE, 60_000)
        answers, seconds = await timed(get_on_all(nodes))
        assert (answers, load.calls, seconds < 0.6) == ([1] * 3, 1, True)
        assert [await node.l2.get(1) for node in nodes] == [1] * 3
        assert (load.calls, [node.l2.store_errors for node in nodes]) == (1, [0, 0, 0])


# Redis fails


@SHARED
@in_virtual_time
async def test_with_redis_down_the_flight_still_protects(shared: bool) -> None:
    """Each node loads for itself: once with a flight. Nobody waits for the store twice."""
    redis, load = FakeRedis(Down(0.0, 60.0)), Versions()
    async with fleet(redis, load, 4, shared=shared) as nodes:
        answers, seconds = await timed(get_on_all(nodes, callers=5))
        assert (answers, load.calls) == ([1] * 20, 4 if shared else 20)
        assert seconds < load.load_time_s + 0.11


@in_virtual_time
async def test_if_redis_dies_while_nodes_wait_they_load_at_once() -> None:
    """The broken subscription wakes them: at most a load a node, and nobody sits out the lease of five seconds."""
    redis, load = FakeRedis(Down(0.2, 60.0)), Versions(load_time_s=0.5)
    async with fleet(redis, load, 4) as nodes:
        answers, seconds = await timed(get_on_all(nodes, callers=5))
        assert (answers, load.calls <= 4, seconds < 0.2 + 0.5 + 0.11) == ([1] * 20, True, True)


@in_virtual_time
async def test_a_redis_that_hangs_is_noticed_when_the_lease_ends() -> None:
    """Lease, time-out and load: nobody waits longer, and at most one load a node."""
    redis, load = FakeRedis(Hanging(0.1, 60.0)), Versions()
    async with fleet(redis, load, 4, lease_s=1.0) as nodes:
        answers, seconds = await timed(get_on_all(nodes, callers=5))
        assert (answers, load.calls <= 4, seconds < 1.0 + 0.1 + 0.3 + 0.02) == ([1] * 20, True, True)


@in_virtual_time
async def test_a_redis_that_hangs_before_the_subscription_is_confirmed_costs_one_time_out() -> None:
    """The caller waits for the confirmation no longer than for an answer, and the claim counts as failed."""
    redis, load = FakeRedis(Hanging(0.0104, 60.0), latency_s=0.002), Versions()
    async with fleet(redis, load, 2) as nodes:
        holder = asyncio.create_task(nodes[0].l2.get(1))
        await until(0.002)
        value, seconds = await timed(nodes[1].l2.get(1))
        assert (value, nodes[1].l2.store_errors, seconds < 0.01 + 0.1 + 0.3 + 0.01) == (1, 1, True)
        await holder


@in_virtual_time
async def test_after_an_outage_there_is_one_load_again() -> None:
    """Nothing that failed in the outage stays: the next cold key is loaded once."""
    redis, load = FakeRedis(Down(0.2, 5.0)), Versions()
    async with fleet(redis, load, 4) as nodes:
        await get_on_all(nodes)
        await until(6.0)
        load.calls = 0
        assert (await get_on_all(nodes, key=2), load.calls) == ([1] * 4, 1)


# Listening


@in_virtual_time
async def test_a_lost_notice_costs_the_rest_of_the_lease() -> None:
    """Redis sends each message at most once, so nobody waits longer than the lease for one."""
    redis, load = FakeRedis(Losing(0.0, 60.0)), Versions()
    async with fleet(redis, load, 3, lease_s=2.0) as nodes:
        answers, seconds = await timed(get_on_all(nodes))
        assert (answers, load.calls, 1.9 < seconds < 2.1) == ([1] * 3, 1, True)


@in_virtual_time
async def test_nobody_publishes_if_nobody_waits() -> None:
    """A lone miss of the long tail does not wake each process of the fleet, and opens no subscription."""
    redis = FakeRedis()
    async with redis.client().pubsub() as subscription, fleet(redis, Versions(), 1) as nodes:
        await subscription.subscribe("test:v1:leases")
        await subscription.get_message(timeout=1.0)
        await get_on_all(nodes)
        assert await subscription.get_message(timeout=1.0) is None
        assert "SUBSCRIBE" not in commands(redis)


@in_virtual_time
async def test_a_node_listens_while_it_waits_and_for_a_second_after() -> None:
    """Then the connection goes back: no node holds one for nothing."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 2) as nodes:
        await get_on_all(nodes)
        assert [node.store._notices.are_heard for node in nodes].count(True) == 1
        await asyncio.sleep(1.1)
        assert [node.store._notices.are_heard for node in nodes] == [False, False]
        assert other_tasks() == set()
        load.calls = 0
        assert (await get_on_all(nodes, key=2), load.calls) == ([1, 1], 1)


@pytest.mark.parametrize(("connections", "loads"), [(1, 2), (2, 1)])
@in_virtual_time
async def test_a_pool_of_one_connection_is_not_enough(connections: int, loads: int) -> None:
    """A node that listens and can send nothing loads for itself, as with any store error. Two connections do."""
    redis, load = FakeRedis(), Versions()
    nodes = [Node(redis.client(max_connections=connections), load) for _ in range(2)]
    answers = await asyncio.gather(*(node.l2.get(1) for node in nodes))
    assert (answers, load.calls) == ([1, 1], loads)
    await close(nodes)


@in_virtual_time
async def test_many_keys_are_waited_for_on_one_connection() -> None:
    """A node subscribes once, whatever the number of keys and callers that wait."""
    redis, load = FakeRedis(), Versions()
    async with fleet(redis, load, 2) as nodes:
        await asyncio.gather(*(node.l2.get(key) for key in range(40) for node in nodes))
        assert (load.calls, commands(redis)["SUBSCRIBE"] <= 2) == (40, True)


@in_virtual_time
async def test_a_subscription_that_the_client_makes_again_wakes_those_that_wait() -> None:
    """A client that tries again by itself may have missed a notice meanwhile, so the nodes look."""
    redis, load = FakeRedis(), Versions(load_time_s=2.0)
    async with fleet(redis, load, 2, lease_s=20.0) as nodes:
        callers = [asyncio.create_task(timed(node.l2.get(1))) for node in nodes]
        await until(0.5)
        (listening,) = (node for node in nodes if node.store._notices.are_heard)
        notice = next(iter(listening.store._notices._expected.values()))[0]
        listening.store._notices._tell_all()
        await asyncio.sleep(0.01)
        assert (notice.done(), load.calls) == (True, 1)  # it has looked, found nothing and waits again
        assert [value for value, _ in await asyncio.gather(*callers)] == [1, 1]
        assert load.calls == 1


@in_virtual_time
async def test_a_closed_store_waits_for_no_other_process() -> None:
    """A claim that would have to wait fails, so the caller loads; and a lease that is free is still granted."""
    redis = FakeRedis()
    holder, closed = (LeasedStore[Any](redis.client(), int, namespace="test", version=1) for _ in range(2))
    granted: Any = await holder.claim(1)
    waiting = asyncio.create_task(closed.claim(1))
    await asyncio.sleep(0.05)
    await closed.aclose()
    for claim in (waiting, closed.claim(1)):
        with pytest.raises(RedisConnectionError, match=r"The store was closed"):
            await claim
    await granted.release()
    other: Any = await closed.claim(1)
    await other.release()
    await holder.aclose()
    assert other_tasks() == set()


# Cancellation


@pytest.mark.parametrize("cancel_ms", range(0, 60, 2))
@SHARED
@in_virtual_time
async def test_a_cancelled_caller_leaves_no_lease_behind(cancel_ms: int, shared: bool) -> None:
    """At each moment of a miss, on connections that are open or not: the next node loads at once, or waits for a load.

    A round trip takes 10 ms, so the read, the claim, the load and the fill are all met.
    """
    redis, load = FakeRedis(latency_s=0.01), Versions(load_time_s=0.01)
    async with fleet(redis, load, 2, shared=shared) as nodes:
        caller = asyncio.create_task(nodes[0].l2.get(1))
        await until(cancel_ms / 1000)
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled() or cancel_ms >= 50
        value, seconds = await timed(nodes[1].l2.get(1))
        assert (value, seconds < 0.15) == (1, True)
    assert await redis.client().exists(LEASE) == 0


@pytest.mark.parametrize("cancel_ms", range(0, 90, 3))
@SHARED
@in_virtual_time
async def test_a_cancelled_waiter_leaves_nothing_behind(cancel_ms: int, shared: bool) -> None:
    """While it claims, subscribes or waits: the node that loads fills, and nothing of the waiter stays."""
    redis, load = FakeRedis(latency_s=0.01), Versions()
    async with fleet(redis, load, 2, shared=shared) as nodes:
        holder = asyncio.create_task(nodes[0].l2.get(1))
        await until(0.03)
        waiter = asyncio.create_task(nodes[1].l2.get(1))
        await asyncio.sleep(cancel_ms / 1000)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert (waiter.cancelled(), await holder, load.calls) == (True, 1, 1)
        assert (await nodes[1].l2.get(1), load.calls) == (1, 1)


@pytest.mark.parametrize("close_ms", range(0, 90, 3))
@in_virtual_time
async def test_a_node_that_leaves_costs_no_lease(close_ms: int) -> None:
    """At each moment of its load: in a rolling deploy the next node loads at once."""
    redis, load = FakeRedis(latency_s=0.01), Versions(load_time_s=0.02)
    async with fleet(redis, load, 1) as nodes:
        leaving = Node(redis.client(), load)
        caller = asyncio.create_task(leaving.l2.get(1))
        await until(close_ms / 1000)
        await leaving.close()
        await asyncio.wait([caller])
        assert (caller.exception(), leaving.left()) in [(caller.exception(), 0)]
        value, seconds = await timed(nodes[0].l2.get(1))
        assert (value, seconds < 0.15) == (1, True)


# The rules, one by one

BROKEN: dict[str, tuple[str, Any, Any, Callable[..., None]]] = {
    "a fill without its token is kept": (
        "SETTLE",
        "== ARGV[1]",
        "~= 0",
        test_a_delete_in_mid_load_refuses_the_fill,
    ),
    "who takes over makes a new token": (
        "CLAIM",
        "redis.call('HSETNX'",
        "redis.call('HSET'",
        lambda: test_a_lease_shorter_than_the_load_costs_loads_and_refuses_none(shared=True),
    ),
    "a refresh does not look for a newer entry": ("SLACK_MS", None, 10**15, test_a_fleet_refreshes_once_a_life),
    "an entry counts as newer, whatever its lifetime": ("SLACK_MS", None, -(10**6), test_a_fleet_refreshes_once_a_life),
    "those that waited take turns": (
        "SETTLE",
        "told = 'load'",
        "told = 'look'",
        test_after_a_failed_load_those_that_waited_load_side_by_side,
    ),
    "nobody ever loads beside others": (
        "MOST_NOTICES",
        None,
        1_000,
        test_with_a_delete_each_fifth_of_a_second_nobody_waits_for_ever,
    ),
    "a refused fill tells nobody": (
        "SETTLE",
        "redis.call('PUBLISH'",
        "if not granted then return 0 end redis.call('PUBLISH'",
        test_a_claim_that_waits_gets_no_value_from_before_the_delete,
    ),
    "each fill is published": ("SETTLE", "if not awaited then return 1 end", "", test_nobody_publishes_if_nobody_waits),
    "bytes that are no entry count as filled": (
        "NO_ENTRY_MS",
        None,
        1,
        lambda: test_what_is_no_entry_does_not_count_as_filled(poison="bytes"),
    ),
    "another type in the value's place is an error": (
        "CLAIM",
        "redis.pcall('GET'",
        "redis.call('GET'",
        lambda: test_what_is_no_entry_does_not_count_as_filled(poison="a list"),
    ),
    "an absence does not remove the old value": (
        "SETTLE",
        "redis.call('DEL', KEYS[1])",
        "redis.call('PING')",
        test_a_value_that_the_store_cannot_take_raises_and_removes_the_old_one,
    ),
    "a delete leaves the token": (
        "LeasedStore.delete",
        None,
        RedisStore.delete,
        test_a_delete_in_mid_load_refuses_the_fill,
    ),
    "a lease that was granted to a cancelled caller is not given back": (
        "LeasedStore._give_back",
        None,
        lambda *_: None,
        lambda: test_a_cancelled_caller_leaves_no_lease_behind(cancel_ms=26, shared=False),
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_without_one_of_its_rules_a_test_fails(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule of the lease is there for a failure, which a test above shows."""
    what, old, new, test = BROKEN[rule]
    if old is not None:
        before = getattr(lease, what)
        assert old in before
        new = before.replace(old, new)
    monkeypatch.setattr(f"cachelab.lease.{what}", new)
    with pytest.raises((AssertionError, TimeoutError)):
        test()


# Arguments


@pytest.mark.parametrize(
    "options",
    [{"lease_s": 0}, {"lease_s": -1.0}, {"lease_s": float("nan")}, {"keep_s": -1.0}, {"lease_s": float("inf")}],
)
@in_virtual_time
async def test_a_lease_needs_a_length(options: Any) -> None:
    """Less than a millisecond is none, and Redis takes no endless one."""
    with pytest.raises(ValueError, match=r"^(lease_s must be a millisecond or more|keep_s must be 0 or more seconds)"):
        LeasedStore(FakeRedis().client(), int, namespace="test", version=1, **options)


@in_virtual_time
async def test_a_client_that_cannot_listen_is_refused() -> None:
    """The client of a cluster has no `pubsub` before redis-py 8."""

    class OldCluster:
        """What an old client of a cluster is like."""

        connection_pool = None
        get_encoder = staticmethod(FakeRedis().client().get_encoder)

    old: Any = OldCluster()
    with pytest.raises(ValueError, match="takes redis-py 8 or newer"):
        LeasedStore(old, int, namespace="test", version=1)
    RedisStore(old, int, namespace="test", version=1)


@in_virtual_time
async def test_a_key_that_has_no_name_is_a_type_error() -> None:
    """In each verb, before anything is sent."""
    redis = FakeRedis()
    async with fleet(redis, Versions(), 1) as (node,):
        for call in (node.store.claim(1.5), node.store.delete(1.5)):
            with pytest.raises(TypeError, match="A key is an int"):
                await call
        assert redis.commands == []


def test_a_cluster_can_listen() -> None:
    """With the redis-py that these tests run on, the lease works on a cluster, or refuses it."""
    assert hasattr(RedisCluster, "pubsub") == (int(__import__("redis").__version__.partition(".")[0]) >= 8)
    assert issubclass(RedisConnectionError, RedisError)
