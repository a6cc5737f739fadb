"""A node with a lease as a process, which `lab.leased_pods` starts: python -m cachelab.lab.real_redis.leased_process

It reads and writes lines. It reads its job as JSON and writes its process id when it is ready. For each key that it
reads then, many callers ask at once, and it writes a report as JSON. Each load notes its process id in a list in Redis.
When its input closes, the notebook that started it has ended or was killed, and so the process ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.real_redis.url import make_client
from cachelab.lease import LeasedStore
from cachelab.stores.redis_store import RedisStore

__all__ = ["loads_list", "serve"]

CALLERS = 50


def loads_list(namespace: str, key: int) -> str:
    """The name of the list in which the loads of a key are noted."""
    return f"{namespace}.loads.{key}"


async def serve(job: dict[str, Any]) -> None:
    """Answer until the input ends. Raises what PING raises."""
    client = make_client(job["url"], job["timeout_s"], is_cluster=job["is_cluster"])
    await client.ping()
    namespace, lease_s = job["namespace"], job["lease_s"]

    async def load(key: int) -> str:
        await client.rpush(loads_list(namespace, key), os.getpid())
        await asyncio.sleep(job["load_s"])
        return f"user {key}"

    options: dict[str, Any] = {"namespace": namespace, "version": 1}
    store = (
        RedisStore(client, str, **options) if lease_s is None else LeasedStore(client, str, lease_s=lease_s, **options)
    )
    cache: Cache[int, str] = Cache(store, load, ttl=60.0, flight=Flight())
    loop = asyncio.get_running_loop()
    print(os.getpid(), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        key, began = int(line), time.perf_counter()
        values = await asyncio.gather(*(cache.get(key) for _ in range(CALLERS)))
        report = {
            "seconds": time.perf_counter() - began,
            "values": sorted(map(str, set(values))),
            "errors": cache.store_errors,
        }
        print(json.dumps(report), flush=True)
    os._exit(0)  # a load may still be waiting


if __name__ == "__main__":
    if first := sys.stdin.readline():
        asyncio.run(serve(json.loads(first)))
