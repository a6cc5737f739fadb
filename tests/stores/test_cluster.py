"""The store, a cache over it and the notebooks' Redis on a real cluster: keys of every node, moving ones, lost ones."""

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
from cachelab.lab.real_redis.url import VARIABLE
from cachelab.stores.redis_store import RedisStore
from tests.support.cluster import RealCluster, cluster_client, real_cluster
from tests.support.fakes import Origin, now, tally
from tests.support.notebooks import ROOT
from tests.support.servers import need_server, runs, soon

KEYS = range(60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RealCluster]:
    """A cluster that stays whole."""
    with real_cluster() as whole:
        yield whole


@asynccontextmanager
async def store_on(cluster: RealCluster, namespace: str, timeout_s: float = 5.0) -> AsyncIterator[RedisStore]:
    """A store with a client of its own."""
    async with cluster_client(cluster.url, timeout_s) as redis:
        yield RedisStore(redis, int, namespace=namespace, version=1)


async def key_itself(key: int) -> int:
    """A loader that needs no origin."""
    return key


def slot(store: RedisStore, key: int) -> int:
    """The slot of a key in the cluster."""
    return key_slot(store.key(key).encode())


def keys_of(store: RedisStore, cluster: RealCluster, number: int) -> list[int]:
    """Those of our keys that the node with this number had when the cluster began."""
    return [key for key in KEYS if slot(store, key) in cluster.nodes[number].slots]


async def fill(store: RedisStore) -> None:
    """Each key is its own value."""
    for key in KEYS:
        await store.set(key, Entry(key, now() + 60.0))


def values(entries: list[Any]) -> list[Any]:
    """The values, and None for a miss."""
    return [None if entry is MISS else entry.value for entry in entries]


def test_many_keys_of_every_node_come_back_in_order(cluster: RealCluster) -> None:
    """One call asks all nodes, each for its own; what is not there is a miss in its place."""

    async def scenario() -> None:
        async with store_on(cluster, "many") as store:
            await fill(store)
            assert all(len(keys_of(store, cluster, number)) > 10 for number in range(3))
            asked = [*reversed(KEYS), 1_000, 0, 0]
            assert values(await store.get_many(asked)) == [*reversed(KEYS), None, 0, 0]

    asyncio.run(scenario())


def test_a_cache_over_a_cluster(cluster: RealCluster) -> None:
    """Loads once for all processes, here two clients; a delete through one is a miss for the other."""

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


@pytest.mark.parametrize("moved", ["half", "wholly"])
@pytest.mark.parametrize("call", ["get", "get_many", "set", "delete"])
def test_a_key_that_moves_is_followed(cluster: RealCluster, moved: str, call: str) -> None:
    """Each call finds the key at its new node, whether the cluster is still moving the slot or has done so."""

    async def scenario() -> None:
        async with store_on(cluster, f"moves-{moved}-{call}") as store:
            await fill(store)
            key = next(key for key in keys_of(store, cluster, 0) if slot(store, key) not in moved_slots)
            moved_slots.add(slot(store, key))
            cluster.begin_move(slot(store, key), cluster.nodes[2])
            if moved == "wholly":
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
            if moved == "half":
                cluster.end_move(slot(store, key), cluster.nodes[2])
            assert values([answer] if call == "get" else [await store.get(key)]) == [expected]
            async with store_on(cluster, f"moves-{moved}-{call}") as fresh:  # asks the new owner at once
                assert values([await fresh.get(key)]) == [expected]

    moved_slots = MOVED.setdefault(cluster, set())
    asyncio.run(scenario())


MOVED: dict[RealCluster, set[int]] = {}
"""The slots that have a new owner: each test moves another one."""


@pytest.mark.parametrize("outage", ["SIGKILL", "SIGSTOP"])
def test_without_one_node_the_others_keys_still_hit(outage: str) -> None:
    """Each read of a key of a node that is dead or hangs is one counted miss; no other key notices."""

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
                # a time-out each, and as much again for a busy machine; a client that tries again needs ten times that
                assert now() - began < 2 * 0.3 * len(lost)
                assert (cache.hits - hits, cache.store_errors - errors) == (0, len(lost))
                assert [await cache.get(key) for key in kept] == kept
                assert (cache.hits - hits, cache.store_errors - errors) == (len(kept), len(lost))

    with real_cluster() as cluster:
        asyncio.run(scenario(cluster))


def test_connect_leaves_only_the_keys_of_others(cluster: RealCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebooks' Redis is the cluster that is named; at the end our keys are gone from each node, and no others."""
    monkeypatch.setenv(VARIABLE, cluster.url)

    async def keys_on(number: int) -> set[str]:
        return set(cluster.nodes[number].ask("KEYS", "*cachelab*"))

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


def test_a_cluster_dies_with_the_test_process(tmp_path: Path) -> None:
    """All three nodes, also when the process is killed and can clean up nothing."""
    need_server()
    code = (
        "import os, signal; from tests.support.cluster import real_cluster\n"
        "with real_cluster() as cluster:\n"
        "    print(*(node.pid for node in cluster.nodes), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}  # the folders of the nodes stay behind
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=env)
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3
    assert soon(lambda: not any(map(runs, pids)))
