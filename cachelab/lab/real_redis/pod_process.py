"""A node as a process of its own, which `lab.pods` starts: python -m cachelab.lab.real_redis.pod_process

It talks in lines of JSON. Input: its order, and an empty line when all are ready; output: an empty line when it is
ready, and its report. It ends at once when its input closes: then the notebook that asked is gone, however it went.
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

__all__ = ["work"]


async def work(order: dict[str, Any]) -> dict[str, Any]:
    """Ask for the keys of the order one after the other, and report who answered. Raises what PING raises."""
    keys, kind, ttl = order["keys"], order["cache"], order["ttl"]

    async def load(key: int) -> str:
        await asyncio.sleep(order["load_time_s"])
        return f"user {key}"

    client = None if kind == "memory" else make_client(order["url"], order["timeout_s"], is_cluster=order["is_cluster"])
    levels: list[Cache[int, str]] = []
    if client is not None:
        await client.ping()
        levels += [Cache(RedisStore(client, str, namespace=order["namespace"], version=1), load, ttl=ttl, name="redis")]
    if kind != "redis":
        levels += [Cache(MemoryStore(len(keys) or 1), levels[0] if levels else load, ttl=ttl, name="memory")]
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
    while os.read(0, 1):  # not sys.stdin: Python could not end while a thread waits inside it
        pass
    os._exit(1)


if __name__ == "__main__":
    if line := sys.stdin.buffer.readline():
        print(json.dumps(asyncio.run(work(json.loads(line)))), flush=True)
