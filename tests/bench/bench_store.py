"""What a synchronous hit costs: `MemoryStore.peek`, with TTL and bound, beside `functools.lru_cache` and the peers."""

import asyncio
import functools
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cachelab import Entry, MemoryStore
from tests.bench.timing import Round, interleaved, missing, report

__all__ = ["OURS", "PEERS", "YARDSTICK", "measure"]

OURS, YARDSTICK = "cachelab MemoryStore.peek", "functools.lru_cache"
PEERS = ["cachetools TTLCache", "theine"]
KEYS, TTL_S, BOUND = 1_000, 3_600, 10_000


def _rounds_of(read: Callable[[int], Any], calls: int) -> Round:
    async def one_round() -> float:
        keys = [number % KEYS for number in range(calls)]
        start = time.perf_counter()
        for key in keys:
            read(key)
        return (time.perf_counter() - start) / calls

    return one_round


async def measure(rounds: int = 61, calls: int = 3_000) -> dict[str, float]:
    """Median seconds of one hit for each competitor."""
    import cachetools
    import theine

    @functools.lru_cache(maxsize=BOUND)
    def remembered(key: int) -> int:
        return key

    store: MemoryStore[int] = MemoryStore(BOUND)
    ttl_cache: Any = cachetools.TTLCache(BOUND, TTL_S)
    tiny: Any = theine.Cache(BOUND)
    for key in range(KEYS):
        remembered(key)
        await store.set(key, Entry(key, time.monotonic() + TTL_S))
        ttl_cache[key] = key
        tiny.set(key, key, timedelta(seconds=TTL_S))
    ways = {YARDSTICK: remembered, OURS: store.peek, PEERS[0]: ttl_cache.get, PEERS[1]: tiny.get}
    return await interleaved({name: _rounds_of(read, calls) for name, read in ways.items()}, rounds)


if __name__ == "__main__":
    try:
        report(asyncio.run(measure()), YARDSTICK)
    except ModuleNotFoundError as error:
        sys.exit(missing(error))
