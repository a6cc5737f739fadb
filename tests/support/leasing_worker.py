"""A process that reads keys through a cache with leases. A test starts several, and kills some.

    python -m tests.support.leasing_worker SETTINGS

It reads a line for each order from its standard input: a key, or "close". For a key, ten callers ask at once, and it
answers with a line: the seconds of the slowest, how long the machine held this process up meanwhile, the values, and
the store's errors. The origin is the row `row:KEY` in Redis. Each load notes the process id in the list `loads:KEY`,
and takes `load_s` seconds.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from cachelab import Cache, Flight, LeasedStore, redis_client
from tests.support.fakes import now

__all__ = ["NAMESPACE", "leased_store"]

NAMESPACE = "soak"
TICK_S = 0.005


def leased_store(client: Any, lease_s: float = 1.0) -> LeasedStore[int]:
    """The store that all of these processes share."""
    return LeasedStore(client, int, namespace=NAMESPACE, version=1, lease_s=lease_s)


def loader(database: Redis, load_s: float) -> Callable[[Any], Any]:
    """Reads the row, notes the load, and then takes its time."""

    async def load(key: Any) -> int:
        row = int(await database.get(f"row:{key}") or 0)
        await database.rpush(f"loads:{key}", os.getpid())
        await asyncio.sleep(load_s)
        return row

    return load


class Stalls:
    """How many seconds the event loop was held up since the last reading, in all."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            began = now()
            await asyncio.sleep(TICK_S)
            late_s = now() - began - TICK_S
            self._seconds += late_s if late_s > 2 * TICK_S else 0.0

    def read(self) -> float:
        """The seconds; from now on they are counted anew."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


async def main(url: str, load_s: float, lease_s: float) -> None:
    """Read keys until the end of the input."""
    loop = asyncio.get_running_loop()
    async with (
        redis_client(url, timeout_s=5.0) as client,
        redis_client(url, timeout_s=5.0) as database,
        leased_store(client, lease_s) as store,
        Cache(store, loader(database, load_s), ttl=60.0, flight=Flight()) as cache,
    ):
        await asyncio.gather(client.ping(), database.ping())
        stalls = Stalls()
        print("ready", flush=True)
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            key, began, _ = int(line), now(), stalls.read()
            values = await asyncio.gather(*(cache.get(key) for _ in range(10)))
            print(json.dumps([now() - began, stalls.read(), sorted(set(values)), cache.store_errors]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
