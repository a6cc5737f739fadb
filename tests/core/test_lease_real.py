"""The lease and the bus on a real server and on a real cluster, with nodes that have clients of their own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from itertools import count
from typing import Any, TypeAlias

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cachelab import MISS
from cachelab.stores.redis_store import redis_client
from tests.support.cluster import cluster_client, need_listening_clients, real_cluster
from tests.support.fakes import now
from tests.support.fleet import Forwarding, Node, Versions, timed
from tests.support.servers import real_server

NewClient: TypeAlias = Callable[[], Any]
_numbers = count()


@contextmanager
def one_server() -> Iterator[NewClient]:
    """A server, and how to make a client of it."""
    with real_server() as (path, _):
        yield lambda: redis_client(f"unix://{path}", timeout_s=5.0)


@contextmanager
def three_masters() -> Iterator[NewClient]:
    """A cluster, and how to make a client of it."""
    need_listening_clients()
    with real_cluster() as cluster:
        yield lambda: cluster_client(cluster.url)


@pytest.fixture(scope="module", params=[one_server, three_masters], ids=["one server", "a cluster"])
def new_client(request: pytest.FixtureRequest) -> Iterator[NewClient]:
    """How to make a client of the Redis that these tests share."""
    redis: AbstractContextManager[NewClient] = request.param()
    with redis as new_client:
        yield new_client


@asynccontextmanager
async def fleet(new_client: NewClient, load: Any, size: int, **options: Any) -> AsyncIterator[list[Node]]:
    """So many nodes with keys of their own. At the end they have kept nothing, and there is no lease in Redis."""
    namespace = f"real{next(_numbers)}"
    nodes = [Node(new_client(), load, namespace=namespace, **options) for _ in range(size)]
    try:
        yield nodes
        async for name in nodes[0].client.scan_iter(match=f"*{namespace}:*:lease"):
            pytest.fail(f"There is a lease left: {name!r}")
    finally:
        for node in nodes:
            await node.close()
        assert [node.left() for node in nodes] == [0] * size
        for node in nodes:
            await node.client.aclose()


@pytest.mark.parametrize("wrap", [lambda store: store, Forwarding], ids=["the store", "a wrapper round it"])
def test_a_fleet_loads_each_key_once(new_client: NewClient, wrap: Any) -> None:
    """Four nodes with ten callers for each of twelve keys, which live on all masters: twelve loads, and no error."""

    async def scenario() -> None:
        load = Versions(load_time_s=0.5)
        async with fleet(new_client, load, 4, wrap=wrap, lease_s=20.0) as nodes:
            keys = [*range(10), "a:b{c}", ("eu", None)]
            gets = [node.l2.get(key) for key in keys for node in nodes for _ in range(10)]
            answers, seconds = await timed(asyncio.gather(*gets))
            assert (set(answers), load.calls, sum(node.l2.store_errors for node in nodes)) == ({1}, 12, 0)
            assert seconds < 10.0  # nobody has waited until a lease ended
            assert set(await asyncio.gather(*gets_again(nodes, keys))) == {1}
            assert load.calls == 12

    asyncio.run(scenario())


async def begun(load: Versions) -> None:
    """Return when a load has begun, and the other nodes wait for it."""
    while not load.calls:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)


def gets_again(nodes: list[Node], keys: list[Any]) -> list[Any]:
    """A call of `get` for each key on each node."""
    return [node.l2.get(key) for key in keys for node in nodes]


def test_a_delete_in_mid_load_refuses_the_fill(new_client: NewClient) -> None:
    """The old value is stored nowhere, whichever node deletes; those that waited get the new one."""

    async def scenario() -> None:
        load = Versions(load_time_s=0.4)
        async with fleet(new_client, load, 3) as nodes:
            callers = [asyncio.create_task(node.l2.get(1)) for node in nodes]
            await begun(load)
            load.version = 2
            await nodes[2].store.delete(1)
            answers: list[Any] = await asyncio.gather(*callers)
            assert (sorted(answers), load.calls) == ([1, 2, 2], 2)
            assert (await nodes[0].store.get(1)).value == 2

    asyncio.run(scenario())


@pytest.mark.long
def test_a_lease_shorter_than_the_load_is_taken_over(new_client: NewClient) -> None:
    """Lease 0.3 s, load 1 s: a load each 0.3 s until the first one has filled."""

    async def scenario() -> None:
        load = Versions(load_time_s=1.0)
        async with fleet(new_client, load, 6, lease_s=0.3) as nodes:
            assert set(await asyncio.gather(*(node.l2.get(1) for node in nodes))) == {1}
            assert await nodes[0].store.get(1) is not MISS
            assert 1 < load.calls <= 5  # 4, and one more if the machine has held a load up; in virtual time 4

    asyncio.run(scenario())


def test_what_is_no_entry_does_not_count_as_filled(new_client: NewClient) -> None:
    """Strange bytes and a list in the value's place: one load each, filled over."""

    async def scenario() -> None:
        load = Versions(load_time_s=0.3)
        async with fleet(new_client, load, 3) as nodes:
            store, client = nodes[0].store, nodes[0].client
            await client.set(store.key(1), b"no entry", px=60_000)
            await client.rpush(store.key(2), "x")
            await client.pexpire(store.key(2), 60_000)
            async with asyncio.timeout(10.0):
                await asyncio.gather(*(node.l2.get(key) for node in nodes for key in (1, 2)))
                assert load.calls == 2
                await asyncio.gather(*(node.l2.get(key) for node in nodes for key in (1, 2)))
            assert (load.calls, [node.l2.store_errors for node in nodes]) == (2, [0, 0, 0])

    asyncio.run(scenario())


@pytest.mark.long
def test_a_fleet_refreshes_once_a_life(new_client: NewClient) -> None:
    """Four nodes read a key of half a second for two and a half: one load for each life, and one to begin."""

    async def scenario() -> None:
        load = Versions(load_time_s=0.05)
        async with fleet(new_client, load, 4, ttl=0.5, stale_for=30.0) as nodes:
            end = now() + 2.5

            async def reader(node: Node) -> None:
                while now() < end:
                    await node.l2.get(1)
                    await asyncio.sleep(0.01)

            await asyncio.gather(*map(reader, nodes))
            assert 4 <= load.calls <= 6  # a life begins when its load has ended

    asyncio.run(scenario())


@pytest.mark.long
def test_one_write_is_heard_by_each_process(new_client: NewClient) -> None:
    """Each node of four hears each of twenty deletes once, and then answers with the new value."""

    async def scenario() -> None:
        load = Versions(load_time_s=0.001)
        async with fleet(new_client, load, 4) as nodes:
            for node in nodes:
                await node.bus.__aenter__()
            async with asyncio.timeout(10.0):
                while not all(node.bus.confirmed for node in nodes):
                    await asyncio.sleep(0.01)
                for number in range(20):
                    await asyncio.gather(*(node.l1.get(("eu", number)) for node in nodes))
                    load.version += 1
                    await nodes[number % 4].bus.delete(("eu", number))
                    while not all(node.bus.heard == number + 1 for node in nodes):
                        await asyncio.sleep(0.001)
                    answers = await asyncio.gather(*(node.l1.get(("eu", number)) for node in nodes))
                    assert answers == [load.version] * 4
                await asyncio.sleep(1.2)  # with a test of the connection, which is silent by now
            assert [(node.bus.heard, node.bus.confirmed, node.bus.failed) for node in nodes] == [(20, 1, 0)] * 4

    asyncio.run(scenario())


@pytest.mark.long
@pytest.mark.parametrize("outage", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_without_redis_each_node_loads_once_and_nobody_waits_long(outage: signal.Signals) -> None:
    """In mid-lease: those that wait are woken by the broken connection, or wait for lease, time-out and load."""

    async def scenario(path: Any, pid: int) -> None:
        load = Versions(load_time_s=0.3)
        clients = [redis_client(f"unix://{path}", timeout_s=0.5) for _ in range(4)]
        nodes = [Node(client, load, lease_s=1.0) for client in clients]
        try:
            gets = [asyncio.create_task(timed(node.l2.get(1))) for node in nodes for _ in range(5)]
            await begun(load)
            assert load.calls == 1
            os.kill(pid, outage)
            answers = await asyncio.gather(*gets)
            longest = 0.15 + 0.3 if outage == signal.SIGKILL else 1.0 + 0.5 + 0.3
            assert ({value for value, _ in answers}, load.calls <= 4) == ({1}, True)
            assert max(seconds for _, seconds in answers) < longest + 0.5  # a busy machine
        finally:
            os.kill(pid, signal.SIGCONT) if outage == signal.SIGSTOP else None
            for node in nodes:
                await node.close()
                await node.client.aclose()

    with real_server() as (path, pid):
        asyncio.run(scenario(path, pid))


def test_a_client_that_subscribes_again_by_itself_has_missed_something() -> None:
    """redis-py with retries hides a broken subscription. Those that wait look again, and the bus forgets everything."""

    async def scenario(path: Any) -> None:
        load = Versions(load_time_s=1.0)
        clients = [Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 3)) for _ in range(2)]
        nodes = [Node(client, load, lease_s=20.0) for client in clients]
        async with clients[0], clients[1], nodes[1].bus as bus, asyncio.timeout(10.0):
            gets = [asyncio.create_task(timed(node.l2.get(1))) for node in nodes]
            await begun(load)
            while not bus.confirmed:
                await asyncio.sleep(0.01)
            before = await clients[0].info("commandstats")
            await clients[0].client_kill_filter(_type="pubsub")
            while bus.confirmed < 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            after = await clients[0].info("commandstats")
            assert after["cmdstat_eval"]["calls"] == before["cmdstat_eval"]["calls"] + 1
            assert [value for value, _ in await asyncio.gather(*gets)] == [1, 1]
            assert (load.calls, bus.failed, [node.l2.store_errors for node in nodes]) == (1, 0, [0, 0])
            for node in nodes:
                await node.close()

    with real_server() as (path, _):
        asyncio.run(scenario(path))
