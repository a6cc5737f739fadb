"""Nodes that are real processes: each has its own cache, and all share one Redis.

    fleet = await lab.pods(lab.Workload(rate=400, seconds=5, keys=200, nodes=5), redis, cache="redis")

Each pod reads the keys of its node one after the other, in real time: the times in the workload do not count. The
processes end when the call returns or is interrupted, and when the notebook ends or is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from cachelab.lab.real_redis.connect import FoundRedis
from cachelab.lab.real_redis.url import URL_VARIABLE, RedisNotUsable
from cachelab.lab.traffic.workload import Request, Workload
from cachelab.stores.redis_store import RedisStore

__all__ = ["Fleet", "Pod", "PodFailed", "TIMEOUT_S", "in_a_thread", "need_a_shared_redis", "pods"]

T = TypeVar("T")

PACKAGE_PARENT = Path(__file__).parents[3]  # the folder that holds `cachelab`
TIMEOUT_S = 2.0  # many processes on few cores wait for each other, and a time-out would count as an error of Redis


class PodFailed(RuntimeError):
    """A pod ended without a report; the text has the last line that it printed."""


@dataclass(frozen=True)
class Fleet:
    """What the pods did.

    `rows`   a dict for each pod: its number as `pod`, how many `requests` it made for how many different `keys`, how
             many of them its `memory` and how many `redis` answered, its `loads`, its `errors` of Redis, and `seconds`
    `keys`   how many different keys all pods together asked for
    """

    rows: list[dict[str, int | float]]
    keys: int

    @property
    def loads(self) -> int:
        """The loads of all pods together."""
        return sum(int(row["loads"]) for row in self.rows)

    @property
    def errors(self) -> int:
        """The errors of Redis in all pods together."""
        return sum(int(row["errors"]) for row in self.rows)


async def pods(
    workload: Workload | Iterable[Request],
    redis: FoundRedis,
    *,
    cache: Literal["memory", "redis", "both"],
    ttl: float = 60.0,
    load_time_s: float = 0.005,
    warm: bool = False,
) -> Fleet:
    """Start a process for each node of the workload, let all begin together, and return what they counted.

    `cache`         a MemoryStore in each pod, the Redis that all share, or both: memory over Redis
    `ttl`           the TTL of an entry, in seconds
    `load_time_s`   how many seconds a load takes
    `warm`          keep what the last call left in Redis; otherwise it is deleted first

    Raises `RedisNotUsable` if processes cannot share this Redis (memory alone needs none), `PodFailed` if a pod ends
    before it has reported, and ValueError for another `cache`, or for a workload that has writes or no requests.
    """
    if cache not in ("memory", "redis", "both"):
        raise ValueError(f'cache must be "memory", "redis" or "both", not {cache!r}.')
    keys_of: dict[int, list[int]] = defaultdict(list)
    for request in workload.requests() if isinstance(workload, Workload) else workload:
        if request.write:
            raise ValueError("Pods only read: give them a workload without writes.")
        keys_of[request.node].append(request.key)
    if not keys_of:
        raise ValueError("The workload has no requests: give it more seconds or a higher rate.")
    keys = set().union(*keys_of.values())
    job: dict[str, Any] = {"cache": cache, "ttl": ttl, "load_time_s": load_time_s}
    if cache != "memory":
        need_a_shared_redis(redis)
        namespace, is_cluster = f"{redis.prefix}pods", redis.kind == "cluster"
        job |= {"url": redis._url, "timeout_s": TIMEOUT_S, "is_cluster": is_cluster, "namespace": namespace}
        if not warm:
            store = RedisStore(redis.client(), str, namespace=namespace, version=1)
            for key in keys:
                await store.delete(key)
    with ExitStack() as stack:
        running = [(stack.enter_context(Pod(node)), job | {"keys": keys_of[node]}) for node in sorted(keys_of)]
        return Fleet(await in_a_thread(_run_jobs, running), len(keys))


def need_a_shared_redis(redis: FoundRedis) -> None:
    """Raise `RedisNotUsable` if processes cannot share this Redis."""
    if redis.kind == "fake":
        raise RedisNotUsable(
            f"Processes cannot share a fakeredis: install redis-server or name a Redis in {URL_VARIABLE}, then restart."
        )


async def in_a_thread(function: Callable[..., T], *arguments: Any) -> T:
    """What the function returns. It runs in a thread, because on Windows not every loop has pipes.

    Jupyter's interrupt does not wake a loop that waits, so this one never waits for long.
    """
    result = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        while not result.done():
            await asyncio.wait([result], timeout=0.1)
        return result.result()
    finally:
        result.cancel()


def _run_jobs(running: list[tuple[Pod, dict[str, Any]]]) -> list[dict[str, int | float]]:
    """Send each pod its job, wait until all are ready, let them begin, and collect their reports."""
    for pod, job in running:
        pod.send(json.dumps(job))
    for pod, _ in running:
        pod.receive()
    for pod, _ in running:
        pod.send("")
    return [{"pod": pod.number} | json.loads(pod.receive()) for pod, _ in running]


class Pod:
    """One process, with a pipe to it and one from it, and `module` as its program. The end of the block kills it.

    Its stderr goes to a file: a pipe that is not read would fill up and stop the process.
    """

    def __init__(self, number: int, module: str = "real_redis.pod_process") -> None:
        self.number = number
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        search_path = filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"cachelab.lab.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(search_path)},
            start_new_session=True,  # an interrupt goes to the notebook only, which ends the pods (not on Windows)
        )

    def send(self, line: str) -> None:
        """Send a line. A pod that has ended is noticed when its answer is missing."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def receive(self) -> str:
        """The next line from the pod. Raises `PodFailed` if there is none."""
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line.decode()
        code = self._process.wait()
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        reason = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
        raise PodFailed(f"Pod {self.number} ended with code {code}: {reason}")

    def kill(self) -> None:
        """Kill the process, and return when it is dead."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Pod:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
