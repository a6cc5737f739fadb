"""Nodes as real processes: what they count, what they leave alone, and that none outlives its notebook."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from cachelab import lab
from cachelab.lab.real_redis import connect as connecting
from cachelab.lab.real_redis.url import VARIABLE
from tests.support.notebooks import ROOT
from tests.support.servers import real_server

TRAFFIC = lab.Workload(rate=100, seconds=3, keys=40, nodes=3, seed=7)
NOTEBOOK = """
import asyncio, signal
from cachelab import lab
async def main():
    redis = await lab.connect()
    workload = lab.Workload(rate=100, seconds=1, keys=40, nodes=2)
    print((await lab.pods(workload, redis, cache="redis", load_time_s={load_time_s})).errors)
{before}
asyncio.run(main())
"""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real server that is not the notebook's own, and named in the environment."""
    with real_server() as (path, _):
        monkeypatch.setenv(VARIABLE, f"unix://{path}")
        yield f"unix://{path}"


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any Redis."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(connecting, "server_binaries", list)


def asked() -> dict[int, list[int]]:
    """The keys for which each node asks."""
    keys = defaultdict(list)
    for request in TRAFFIC.requests():
        keys[request.node].append(request.key)
    return keys


async def at_work(client: Any) -> int:
    """How many pods have asked the Redis for a key and are connected still."""
    return sum(one["cmd"] in ("get", "mget") for one in await client.client_list())


async def soon(client: Any, condition: Callable[[int], bool], seconds: float = 20.0) -> bool:
    """Whether the number of pods at work meets the condition before the deadline."""
    until = time.monotonic() + seconds
    while not (met := condition(await at_work(client))) and time.monotonic() < until:
        await asyncio.sleep(0.02)
    return met


@pytest.mark.usefixtures("no_server")
def test_memory_alone_loads_each_key_in_each_pod() -> None:
    """With a memory of its own each pod loads each of its keys once, and needs no Redis for it."""

    async def scenario() -> lab.Fleet:
        async with await lab.connect() as redis:
            return await lab.pods(TRAFFIC, redis, cache="memory", load_time_s=0.001)

    fleet = asyncio.run(scenario())
    assert fleet.keys == len({request.key for request in TRAFFIC.requests()})
    assert fleet.loads == sum(len(set(keys)) for keys in asked().values()) > fleet.keys
    for node, row in enumerate(fleet.rows):
        requests, keys = len(asked()[node]), len(set(asked()[node]))
        assert row.pop("seconds") >= keys * 0.001
        hits = requests - keys
        counts = {"pod": node, "requests": requests, "keys": keys, "memory": hits, "redis": 0, "loads": keys}
        assert row == counts | {"errors": 0}


def test_a_shared_redis_saves_loads_and_outlives_the_pods(url: str) -> None:
    """Over Redis the pods load hardly more than each key once, and new ones on a warm Redis nothing at all.

    The keys are below the prefix, and are all that a cold start deletes.
    """

    async def scenario() -> None:
        async with await lab.connect() as redis, Redis.from_url(url) as other:
            await other.mset({"theirs": 1, redis.prefix + "mine": 1})
            first = await lab.pods(TRAFFIC, redis, cache="redis")
            again = await lab.pods(TRAFFIC, redis, cache="redis", warm=True)
            cold = await lab.pods(TRAFFIC, redis, cache="both")
            both = await lab.pods(TRAFFIC, redis, cache="both", warm=True)
            separate = sum(len(set(keys)) for keys in asked().values())
            for fleet in (first, cold):
                assert fleet.keys <= fleet.loads < separate
            assert again.loads == both.loads == 0
            for fleet in (first, again, cold, both):
                assert fleet.errors == 0
                assert all(row["memory"] + row["redis"] + row["loads"] == row["requests"] for row in fleet.rows)
            assert [row["redis"] for row in both.rows] == [len(set(asked()[node])) for node in range(3)]
            found = set(await other.keys("*"))
            pods = {f"{redis.prefix}pods:v1:{key}".encode() for key in range(1, 41)}
            assert found - pods == {b"theirs", f"{redis.prefix}mine".encode()}
            assert len(found & pods) == first.keys
        async with Redis.from_url(url) as other:
            assert await other.keys("*") == [b"theirs"]

    asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("cache", ["redis", "both"])
def test_fakeredis_cannot_be_shared(cache: Any) -> None:
    """Where the only Redis is inside this process, one sentence says so, and what to do."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(TRAFFIC, redis, cache=cache)

    with pytest.raises(lab.NoRedis, match=r"cannot share a fakeredis: install redis-server or name a Redis in CACHELA"):
        asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize(
    ("requests", "options", "sentence"),
    [
        (TRAFFIC, {"cache": "disk"}, 'cache must be "memory", "redis" or "both", not \'disk\''),
        ([], {"cache": "memory"}, "has no requests"),
        ([lab.Request(0, 0, 1, True)], {"cache": "memory"}, "Pods only read"),
    ],
)
def test_mistakes_are_named(requests: Any, options: Any, sentence: str) -> None:
    """What pods cannot do is said before any is started."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(requests, redis, **options)

    with pytest.raises(ValueError, match=sentence):
        asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
def test_a_pod_that_fails_says_why() -> None:
    """A pod that ends in an error is named, with the last line that it said."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(TRAFFIC, redis, cache="memory", ttl=0)

    with pytest.raises(lab.PodFailed, match=r"^Pod 0 ended with code 1: ValueError: ttl must be more than 0 seconds"):
        asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
def test_the_notebook_goes_on_meanwhile() -> None:
    """The loop that waits for pods runs everything else as ever."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def scenario() -> None:
        async with await lab.connect() as redis:
            ticking = asyncio.create_task(tick())
            await lab.pods(TRAFFIC, redis, cache="memory", load_time_s=0.005)
            ticking.cancel()

    asyncio.run(scenario())
    assert ticks >= 5


def test_cancelled_pods_are_gone(url: str) -> None:
    """Whoever cancels the call is not kept waiting, and no pod is left."""

    async def scenario() -> None:
        async with await lab.connect() as redis, Redis.from_url(url) as other:
            call = asyncio.create_task(lab.pods(TRAFFIC, redis, cache="redis", load_time_s=60))
            assert await soon(other, lambda pods: pods == 3)
            call.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(call, 10)
            assert call.cancelled()
            assert await soon(other, lambda pods: pods == 0)

    asyncio.run(scenario())


def signalled(number: signal.Signals, url: str, *, load_time_s: float, before: str = "") -> tuple[str, str, bool]:
    """What a notebook writes whose process group gets the signal while two pods work, and whether they are gone."""
    notebook = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK.format(load_time_s=load_time_s, before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )

    async def scenario() -> tuple[str, str, bool]:
        async with Redis.from_url(url) as other:
            assert await soon(other, lambda pods: pods == 2)
            os.killpg(notebook.pid, number)
            return *notebook.communicate(timeout=20), await soon(other, lambda pods: pods == 0)

    with notebook:
        try:
            return asyncio.run(scenario())
        finally:
            notebook.kill()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_no_pod_outlives_its_notebook(name: str, url: str) -> None:
    """A notebook that is killed, or interrupted, leaves no pod behind."""
    _, errors, gone = signalled(signal.Signals[name], url, load_time_s=60)
    assert gone
    assert ("KeyboardInterrupt" in errors) == (name == "SIGINT")


def test_an_interrupt_that_does_not_wake_the_loop(url: str) -> None:
    """Jupyter's handler only marks the cell's task as cancelled; the call notices it all the same."""
    before = "signal.signal(signal.SIGINT, lambda *_: [task.cancel() for task in asyncio.all_tasks()])"
    _, errors, gone = signalled(signal.SIGINT, url, load_time_s=60, before=before)
    assert gone
    assert "CancelledError" in errors


def test_an_interrupt_reaches_no_pod(url: str) -> None:
    """Pods that run beside the cell that is interrupted go on."""
    before = "signal.signal(signal.SIGINT, lambda *_: None)"
    output, _, _ = signalled(signal.SIGINT, url, load_time_s=0.05, before=before)
    assert output.endswith("\n0\n")
