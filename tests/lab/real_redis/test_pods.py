"""Nodes as real processes: what they count, which keys they leave alone, and that none outlives its notebook."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from cachelab import lab
from cachelab.lab.real_redis import connect as connecting
from cachelab.lab.real_redis.url import URL_VARIABLE
from tests.support.notebooks import ROOT
from tests.support.servers import real_server

TRAFFIC = lab.Workload(rate=100, seconds=3, keys=40, nodes=3, seed=7)
NOTEBOOK = """
import asyncio, signal
from cachelab import lab
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & ignores it
async def main():
    redis = await lab.connect()
    workload = lab.Workload(rate=100, seconds=1, keys=40, nodes=2)
    print((await lab.pods(workload, redis, cache="redis", load_time_s={load_time_s})).errors)
{before}
asyncio.run(main())
"""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real server that the notebook did not start. The environment names it."""
    with real_server() as (path, _):
        monkeypatch.setenv(URL_VARIABLE, f"unix://{path}")
        yield f"unix://{path}"


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have no Redis."""
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setattr(connecting, "server_binaries", list)


def keys_by_node() -> dict[int, list[int]]:
    """The keys that each node reads."""
    keys = defaultdict(list)
    for request in TRAFFIC.requests():
        keys[request.node].append(request.key)
    return keys


async def pods_at_work(client: Any) -> int:
    """How many pods have read a key from the Redis and are still connected."""
    return sum(one["cmd"] in ("get", "mget") for one in await client.client_list())


async def pods_become(client: Any, count: int, seconds: float = 20.0) -> bool:
    """Whether `count` pods are at work at some moment before the deadline."""
    deadline = time.monotonic() + seconds
    while not (reached := await pods_at_work(client) == count) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return reached


@pytest.mark.usefixtures("no_server")
def test_with_memory_alone_each_pod_loads_each_of_its_keys() -> None:
    """With a store in its own memory, each pod loads each of its keys once, and needs no Redis."""

    async def scenario() -> lab.Fleet:
        async with await lab.connect() as redis:
            return await lab.pods(TRAFFIC, redis, cache="memory", load_time_s=0.001)

    fleet = asyncio.run(scenario())
    assert fleet.keys == len({request.key for request in TRAFFIC.requests()})
    assert fleet.loads == sum(len(set(keys)) for keys in keys_by_node().values()) > fleet.keys
    for node, row in enumerate(fleet.rows):
        requests, keys = len(keys_by_node()[node]), len(set(keys_by_node()[node]))
        assert row.pop("seconds") >= keys * 0.001
        hits = requests - keys
        counts = {"pod": node, "requests": requests, "keys": keys, "memory": hits, "redis": 0, "loads": keys}
        assert row == counts | {"errors": 0}


@pytest.mark.long
def test_a_shared_redis_saves_loads_and_outlives_the_pods(url: str) -> None:
    """Over Redis the pods together load each key hardly more than once, and new pods on a warm Redis load nothing.

    The keys begin with the prefix, and a cold start deletes no other keys.
    """

    async def scenario() -> None:
        async with await lab.connect() as redis, Redis.from_url(url) as other:
            await other.mset({"theirs": 1, redis.prefix + "mine": 1})
            first = await lab.pods(TRAFFIC, redis, cache="redis")
            again = await lab.pods(TRAFFIC, redis, cache="redis", warm=True)
            cold = await lab.pods(TRAFFIC, redis, cache="both")
            both = await lab.pods(TRAFFIC, redis, cache="both", warm=True)
            separate = sum(len(set(keys)) for keys in keys_by_node().values())
            for fleet in (first, cold):
                assert fleet.keys <= fleet.loads < separate
            assert again.loads == both.loads == 0
            for fleet in (first, again, cold, both):
                assert fleet.errors == 0
                assert all(row["memory"] + row["redis"] + row["loads"] == row["requests"] for row in fleet.rows)
            assert [row["redis"] for row in both.rows] == [len(set(keys_by_node()[node])) for node in range(3)]
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
    """If the only Redis is inside this process, a sentence says so, and what to do."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(TRAFFIC, redis, cache=cache)

    sentence = "cannot share a fakeredis: install redis-server or name a Redis in CACHELAB_REDIS_URL, then restart"
    with pytest.raises(lab.RedisNotUsable, match=sentence):
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
    """What pods cannot do is said before any pod is started."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(requests, redis, **options)

    with pytest.raises(ValueError, match=sentence):
        asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
def test_a_pod_that_fails_says_why() -> None:
    """The error names the pod, and has the last line that it printed."""

    async def scenario() -> None:
        async with await lab.connect() as redis:
            await lab.pods(TRAFFIC, redis, cache="memory", ttl=0)

    with pytest.raises(lab.PodFailed, match=r"^Pod 0 ended with code 1: ValueError: ttl must be more than 0 seconds"):
        asyncio.run(scenario())


@pytest.mark.usefixtures("no_server")
def test_the_notebook_goes_on_while_pods_run() -> None:
    """The loop that waits for pods still runs other tasks."""
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


def test_a_cancelled_call_ends_its_pods(url: str) -> None:
    """The cancellation takes effect at once, and no pod is left."""

    async def scenario() -> None:
        async with await lab.connect() as redis, Redis.from_url(url) as other:
            call = asyncio.create_task(lab.pods(TRAFFIC, redis, cache="redis", load_time_s=60))
            assert await pods_become(other, 3)
            call.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait_for(call, 10)
            assert call.cancelled()
            assert await pods_become(other, 0)

    asyncio.run(scenario())


def after_signal(
    number: signal.Signals, url: str, *, load_time_s: float, before: str = "", folder: Path = ROOT
) -> tuple[str, str, bool]:
    """Send the signal to a notebook's process group while two pods work.

    Returns what the notebook prints on stdout and on stderr, and whether its pods have ended.
    """
    notebook = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK.format(load_time_s=load_time_s, before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )

    async def scenario() -> tuple[str, str, bool]:
        async with Redis.from_url(url) as other:
            assert await pods_become(other, 2)
            os.killpg(notebook.pid, number)
            return *notebook.communicate(timeout=20), await pods_become(other, 0)

    with notebook:
        try:
            return asyncio.run(scenario())
        finally:
            notebook.kill()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_no_pod_outlives_its_notebook(name: str, url: str, tmp_path: Path) -> None:
    """A notebook that is killed or interrupted leaves no pod behind, in whichever folder it was started."""
    _, errors, ended = after_signal(signal.Signals[name], url, load_time_s=60, folder=tmp_path)
    assert ended
    assert ("KeyboardInterrupt" in errors) == (name == "SIGINT")


def test_an_interrupt_that_does_not_wake_the_loop_ends_the_pods(url: str) -> None:
    """Jupyter's handler only marks the cell's task as cancelled, and the call notices that by itself."""
    before = "signal.signal(signal.SIGINT, lambda *_: [task.cancel() for task in asyncio.all_tasks()])"
    _, errors, ended = after_signal(signal.SIGINT, url, load_time_s=60, before=before)
    assert ended
    assert "CancelledError" in errors


@pytest.mark.long
def test_an_interrupt_does_not_reach_the_pods(url: str) -> None:
    """If the notebook ignores the interrupt, its pods finish their work without an error."""
    before = "signal.signal(signal.SIGINT, lambda *_: None)"
    output, _, _ = after_signal(signal.SIGINT, url, load_time_s=0.05, before=before)
    assert output.endswith("\n0\n")
