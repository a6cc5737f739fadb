"""A store, a cache over it, and the notebooks' Redis on a real cluster, whose keys move and whose nodes fail."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import RedisCluster
from redis.crc import key_slot

from cachelab import lab
from cachelab.cache import Cache
from cachelab.entry import MISS, Entry
from cachelab.flight import Flight
from cachelab.lab.real_redis.url import URL_VARIABLE
from cachelab.stores.redis_store import RedisStore
from tests.support.cluster import RealCluster, cluster_client, real_cluster
from tests.support.fakes import Origin, now, tally
from tests.support.notebooks import ROOT
from tests.support.servers import becomes_true, is_running, need_server

KEYS = range(60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    """A cluster that keeps all its nodes."""
    with real_cluster() as cluster:
        yield cluster


@asynccontextmanager
async def store_on(cluster: RealCluster, namespace: str, timeout_s: float = 5.0) -> AsyncIterator[RedisStore[Any]]:
    """A store on the cluster with a client of its own."""
    async with cluster_client(cluster.url, timeout_s) as redis:
        yield RedisStore(redis, int, namespace=namespace, version=1)


async def key_itself(key: int) -> int:
    """A loader that returns the key, and needs no origin."""
    return key


def slot(store: RedisStore[Any], key: int) -> int:
    """The slot of a key in the cluster."""
    return key_slot(store.key(key).encode())


def keys_of(store: RedisStore[Any], cluster: RealCluster, number: int) -> list[int]:
    """Those of `KEYS` that the node with this number had when the cluster began."""
    return [key for key in KEYS if slot(store, key) in cluster.nodes[number].slots]


async def fill(store: RedisStore[Any]) -> None:
    """Store each key with itself as its value."""
    for key in KEYS:
        await store.set(key, Entry(key, now() + 60.0))


def values(entries: list[Any]) -> list[Any]:
    """The values of the entries, with None for a miss."""
    return [None if entry is MISS else entry.value for entry in entries]


def test_get_many_returns_the_keys_of_all_nodes_in_order(cluster: RealCluster) -> None:
    """One call reads from all nodes, each key from its own node; a key without an entry is a miss in its place."""

    async def scenario() -> None:
        async with store_on(cluster, "many") as store:
            await fill(store)
            assert all(len(keys_of(store, cluster, number)) > 10 for number in range(3))
            keys = [*reversed(KEYS), 1_000, 0, 0]
            assert values(await store.get_many(keys)) == [*reversed(KEYS), None, 0, 0]

    asyncio.run(scenario())


def test_two_caches_share_a_cluster(cluster: RealCluster) -> None:
    """A key is loaded once for both caches, each with a client of its own; a delete in one is a miss in the other."""

    async def scenario() -> None:
        origin = Origin(7, load_time_s=0.0)
        async with (
            store_on(cluster, "cache") as store,
            store_on(cluster, "cache") as other_store,
            Cache(store, origin, ttl=60.0, flight=Flight()) as cache,
            Cache(other_store, origin, ttl=60.0, flight=Flight()) as other,
        ):
            for each in (cache, cache, other):
                assert set(await asyncio.gather(*map(each.get, KEYS))) == {7}
            assert (origin.calls, tally(cache), tally(other)) == (60, (60, 0, 60, 0), (60, 0, 0, 0))
            await asyncio.gather(*map(cache.delete, KEYS))
            await asyncio.gather(*map(other.get, KEYS))
            assert (origin.calls, cache.store_errors, other.store_errors) == (120, 0, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("move", ["under way", "complete"])
@pytest.mark.parametrize("call", ["get", "get_many", "set", "delete"])
def test_each_call_follows_a_key_that_moves(cluster: RealCluster, move: str, call: str) -> None:
    """Each call finds the key on its new node, whether the move of its slot is under way or complete."""

    async def scenario() -> None:
        async with store_on(cluster, namespace) as store:
            await fill(store)
            key = next(key for key in keys_of(store, cluster, 0) if slot(store, key) not in moved_slots)
            moved_slots.add(slot(store, key))
            cluster.begin_move(slot(store, key), cluster.nodes[2])
            if move == "complete":
                cluster.end_move(slot(store, key), cluster.nodes[2])
            calls: dict[str, Callable[[], Awaitable[Any]]] = {
                "get": lambda: store.get(key),
                "get_many": lambda: store.get_many(KEYS),
                "set": lambda: store.set(key, Entry(-1, now() + 60.0)),
                "delete": lambda: store.delete(key),
            }
            answer = await calls[call]()
            if call == "get_many":
                assert values(answer) == list(KEYS)
            expected = {"set": -1, "delete": None}.get(call, key)
            if move == "under way":
                cluster.end_move(slot(store, key), cluster.nodes[2])
            assert values([answer] if call == "get" else [await store.get(key)]) == [expected]
            async with store_on(cluster, namespace) as new_client:  # whose first request goes to the new owner
                assert values([await new_client.get(key)]) == [expected]

    namespace = f"moves-{move.replace(' ', '-')}-{call}"
    moved_slots = MOVED.setdefault(cluster, set())
    asyncio.run(scenario())


MOVED: dict[RealCluster, set[int]] = {}
"""The slots that have moved. Each test moves a slot of its own."""


@pytest.mark.long
@pytest.mark.parametrize("outage", ["SIGKILL", "SIGSTOP"])
def test_the_keys_of_other_nodes_hit_while_one_node_fails(outage: str) -> None:
    """If a node was killed or hangs, each read of one of its keys is one counted miss. Other keys are not affected."""

    async def scenario(cluster: RealCluster) -> None:
        async with (
            store_on(cluster, "outage") as patient,
            store_on(cluster, "outage", timeout_s=0.3) as store,
            Cache(store, key_itself, ttl=60.0, flight=Flight()) as cache,
        ):
            await fill(patient)
            lost = keys_of(store, cluster, 1)[:4]
            kept = keys_of(store, cluster, 0) + keys_of(store, cluster, 2)
            os.kill(cluster.nodes[1].pid, signal.Signals[outage])
            for _ in range(2):
                hits, errors, began = cache.hits, cache.store_errors, now()
                assert [await cache.get(key) for key in lost] == lost
                # a time-out for each key, and as much again for a busy machine; with retries it would be ten times that
                assert now() - began < 2 * 0.3 * len(lost)
                assert (cache.hits - hits, cache.store_errors - errors) == (0, len(lost))
                assert [await cache.get(key) for key in kept] == kept
                assert (cache.hits - hits, cache.store_errors - errors) == (len(kept), len(lost))

    with real_cluster() as cluster:
        asyncio.run(scenario(cluster))


def test_connect_deletes_its_own_keys_only(cluster: RealCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lab.connect` finds the cluster; at the end its own keys are deleted from each node, and no other keys."""
    monkeypatch.setenv(URL_VARIABLE, cluster.url)

    async def keys_on(number: int) -> set[str]:
        return set(cluster.nodes[number].run("KEYS", "*cachelab*"))

    async def scenario() -> None:
        async with await lab.connect() as redis, await lab.connect() as other:
            assert (redis.kind, other.kind) == ("cluster", "cluster")
            ours = [f"{redis.prefix}{number}" for number in range(60)]
            theirs = [f"{other.prefix}{number}" for number in range(60)]
            theirs += [f"cachelab:{number}" for number in range(60)] + [f"x{key}" for key in ours]
            client = redis.client()
            assert isinstance(client, RedisCluster)
            for key in ours + theirs:
                await client.set(key, "value")
            before = [await keys_on(number) for number in range(3)]
            assert all(keys & set(ours) and keys & set(theirs) for keys in before)
            await redis.aclose()
            assert [await keys_on(number) for number in range(3)] == [keys - set(ours) for keys in before]

    asyncio.run(scenario())


@pytest.mark.long
def test_a_cluster_ends_with_the_test_process(tmp_path: Path) -> None:
    """All three nodes end, also when the test process is killed and cannot clean up."""
    need_server()
    code = (
        "import os, signal; from tests.support.cluster import real_cluster\n"
        "with real_cluster() as cluster:\n"
        "    print(*(node.pid for node in cluster.nodes), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}  # the folders of the nodes are not removed
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3
    assert becomes_true(lambda: not any(map(is_running, pids)))
