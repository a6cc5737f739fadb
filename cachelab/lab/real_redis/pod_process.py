"""A node as a process, which `lab.pods` starts: python -m cachelab.lab.real_redis.pod_process

It reads and writes lines. It reads its job as JSON, writes an empty line when it is ready, waits for an empty line,
which says that all pods are ready, and at the end writes its report as JSON. When its input closes, the notebook that
started it has ended or was killed, and the process ends at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

from cachelab.cache import Cache
from cachelab.lab.real_redis.url import make_client
from cachelab.stores.memory import MemoryStore
from cachelab.stores.redis_store import RedisStore

__all__ = ["run_job"]


async def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Read the keys of the job one after the other, and report what answered. Raises what PING raises."""
    keys, cache, ttl = job["keys"], job["cache"], job["ttl"]

    async def load(key: int) -> str:
        await asyncio.sleep(job["load_time_s"])
        return f"user {key}"

    client = None
    levels: list[Cache[int, str]] = []  # the lowest first
    if cache in ("redis", "both"):
        client = make_client(job["url"], job["timeout_s"], is_cluster=job["is_cluster"])
        await client.ping()
        store = RedisStore(client, str, namespace=job["namespace"], version=1)
        levels.append(Cache(store, load, ttl=ttl, name="redis"))
    if cache in ("memory", "both"):
        memory: MemoryStore[str] = MemoryStore(len(keys) or 1)
        if levels:
            levels.append(Cache(memory, levels[0], ttl=ttl, name="memory"))
        else:
            levels.append(Cache(memory, load, ttl=ttl, name="memory"))
    print(flush=True)
    _wait_for_start()

    began = time.perf_counter()
    for key in keys:
        await levels[-1].get(key)
    seconds = time.perf_counter() - began
    if client is not None:
        await client.aclose()
    hits = {level.name: level.hits for level in levels}
    return {
        "requests": len(keys),
        "keys": len(set(keys)),
        "memory": hits.get("memory", 0),
        "redis": hits.get("redis", 0),
        "loads": levels[0].loads,
        "errors": levels[0].store_errors,
        "seconds": seconds,
    }


def _wait_for_start() -> None:
    if not sys.stdin.buffer.readline():
        os._exit(1)
    threading.Thread(target=_end_with_the_notebook, daemon=True).start()


def _end_with_the_notebook() -> None:
    while os.read(0, 1):  # not from sys.stdin: while a thread waits inside sys.stdin, Python cannot end
        pass
    os._exit(1)


if __name__ == "__main__":
    if line := sys.stdin.buffer.readline():
        print(json.dumps(asyncio.run(run_job(json.loads(line)))), flush=True)
