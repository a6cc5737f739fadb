"""Real workers: the service of chapter 15 as processes, each behind uvicorn on a port of its own.

    async with lab.real_workers(2, redis) as service:
        answer = await service.get(0, "/users/7")

`uvicorn --workers 2` would start them too, with one port for both: then nobody chooses which one answers, and when the
process that supervises them is killed, they stay. These end with the block, and when the notebook ends or is killed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from cachelab.entry import checked_count
from cachelab.lab.real_redis.connect import FoundRedis
from cachelab.lab.real_redis.pods import TIMEOUT_S, Pod, in_a_thread
from cachelab.lab.web_app.profiles import ProfileDatabase

__all__ = ["RealService", "real_workers"]

_numbers = count(1)  # what an earlier service has left in Redis is not found


@dataclass(frozen=True)
class RealService:
    """Workers that run: the URL of each, the SQLite file of their database, and a client."""

    urls: list[str]
    database: str
    client: httpx.AsyncClient = field(repr=False)

    async def get(self, worker: int, path: str) -> httpx.Response:
        """What this worker answers to GET. Raises what httpx raises, a time-out after 10 s among them."""
        return await self.client.get(self.urls[worker] + path)


@asynccontextmanager
async def real_workers(workers: int, redis: FoundRedis) -> AsyncIterator[RealService]:
    """Start this many workers on this Redis, wait until they answer, and kill them at the end of the block.

    On a fakeredis, which processes cannot share, each worker has one of its own. Raises `PodFailed` if a worker does
    not start, and ValueError for fewer than 1.
    """
    checked_count("workers", workers)
    with _folder() as folder, ExitStack() as stack:
        database = ProfileDatabase(Path(folder) / "users.db").path
        pods = [stack.enter_context(Pod(number, "web_app.worker_process")) for number in range(workers)]
        job = {"database": database, "namespace": f"{redis.prefix}service-{next(_numbers)}", "timeout_s": TIMEOUT_S}
        job |= {"url": redis._url, "is_cluster": redis.kind == "cluster"}
        ports = await in_a_thread(_start, pods, job)
        async with httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=200)) as client:
            yield RealService([f"http://127.0.0.1:{port}" for port in ports], database, client)


def _start(pods: list[Pod], job: dict[str, Any]) -> list[int]:
    for pod in pods:
        pod.send(json.dumps(job))
    return [int(pod.receive()) for pod in pods]


@contextmanager
def _folder() -> Iterator[str]:
    """A folder, which is removed at the end."""
    folder = tempfile.mkdtemp(prefix="cachelab-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # on Windows a file may be open until its process has ended
