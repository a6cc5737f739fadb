"""Nodes that are real processes, each with its own cache, and one Redis for all of them.

    fleet = await lab.pods(lab.Workload(rate=400, seconds=5, keys=200, nodes=5), redis, cache="redis")

Each pod asks for the keys of its node one after the other, on the wall clock: the times of the workload do not count.
The processes end with the call, also when it is interrupted, and with the notebook, also when that is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from cachelab.lab.real_redis.connect import FoundRedis
from cachelab.lab.real_redis.url import VARIABLE, NoRedis
from cachelab.lab.traffic.workload import Request, Workload
from cachelab.stores.redis_store import RedisStore

__all__ = ["Fleet", "PodFailed", "pods"]

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 2.0  # many processes on few cores wait for each other, and a time-out would count as an error of Redis


class PodFailed(RuntimeError):
    """A pod ended without a report; the text has the last thing it said."""


@dataclass(frozen=True)
class Fleet:
    """What the pods did.

    `rows`   one for each pod: requests, different keys among them, how many its memory and Redis answered, loads,
             errors of Redis, and seconds
    `keys`   how many different keys were asked for by anybody
    """

    rows: list[dict[str, int | float]]
    keys: int

    @property
    def loads(self) -> int:
        """The loads of all pods."""
        return sum(int(row["loads"]) for row in self.rows)

    @property
    def errors(self) -> int:
        """The errors of Redis that all pods met."""
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
    """Start a process for each node of the workload, let all begin together, and return their counts.

    `cache`   a MemoryStore in each pod, the Redis that all share, or both: memory over Redis
    `ttl`     seconds; `load_time_s` is how many a load takes
    `warm`    begin with what the call before left in Redis; otherwise that is deleted first

    Raises `NoRedis` if the Redis is not one that processes can share (memory alone needs none), `PodFailed`, and
    ValueError for a workload that has writes or no requests.
    """
    if cache not in ("memory", "redis", "both"):
        raise ValueError(f'cache must be "memory", "redis" or "both", not {cache!r}.')
    asked: dict[int, list[int]] = defaultdict(list)
    for request in workload.requests() if isinstance(workload, Workload) else workload:
        if request.write:
            raise ValueError("Pods only read: give them a workload without writes.")
        asked[request.node].append(request.key)
    if not asked:
        raise ValueError("The workload has no requests: give it more seconds or a higher rate.")
    keys = {key for keys_of_one in asked.values() for key in keys_of_one}
    order: dict[str, Any] = {"cache": cache, "ttl": ttl, "load_time_s": load_time_s}
    if cache != "memory":
        if redis.kind == "fake":
            raise NoRedis(
                f"Processes cannot share a fakeredis: install redis-server or name a Redis in {VARIABLE}, then restart."
            )
        namespace, is_cluster = f"{redis.prefix}pods", redis.kind == "cluster"
        order |= {"url": redis._url, "timeout_s": TIMEOUT_S, "is_cluster": is_cluster, "namespace": namespace}
        if not warm:
            store = RedisStore(redis.client(), str, namespace=namespace, version=1)
            for key in keys:
                await store.delete(key)
    with ExitStack() as stack:
        running = [(stack.enter_context(_Pod(node)), order | {"keys": asked[node]}) for node in sorted(asked)]
        # in a thread, since not every loop of Windows has pipes
        talk = asyncio.get_running_loop().run_in_executor(None, _converse, running)
        stack.callback(talk.cancel)
        while not talk.done():
            await asyncio.wait([talk], timeout=0.1)  # Jupyter's interrupt does not wake a loop that sleeps
        return Fleet(talk.result(), len(keys))


def _converse(running: list[tuple[_Pod, dict[str, Any]]]) -> list[dict[str, int | float]]:
    for pod, order in running:
        pod.tell(json.dumps(order))
    for pod, _ in running:
        pod.hear()
    for pod, _ in running:
        pod.tell("")
    return [{"pod": pod.number} | json.loads(pod.hear()) for pod, _ in running]


class _Pod:
    """One process. What it says on stderr goes to a file, which no one has to read for it to go on."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cachelab.lab.real_redis.pod_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
            start_new_session=True,  # an interrupt goes to the notebook, which ends the pods (not on Windows)
        )

    def tell(self, line: str) -> None:
        """Send a line; a pod that is gone is noticed when its answer is missing."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def hear(self) -> str:
        """The next line. Raises `PodFailed` if there is none."""
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line.decode()
        code = self._process.wait()
        self._said.seek(0)
        words = self._said.read().decode(errors="replace").split("\n")
        reason = next((line.strip() for line in reversed(words) if line.strip()), "it said nothing")
        raise PodFailed(f"Pod {self.number} ended with code {code}: {reason}")

    def __enter__(self) -> _Pod:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
