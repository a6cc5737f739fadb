"""What a synchronous hit costs beside `lru_cache` and the peers.

It is measured for `MemoryStore.peek` with a TTL, a bound and each policy, and with LRU behind a lock.
"""

import asyncio
import functools
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cachelab import Entry, Locked, MemoryStore
from cachelab.eviction import FIFO, LFU, LRU, S3FIFO, SIEVE, WTinyLFU
from tests.bench.timing import Round, interleaved, missing, report

__all__ = ["LOCKED", "PEERS", "POLICIES", "YARDSTICK", "measure"]

YARDSTICK = "functools.lru_cache"
LOCKED = "LRU, locked"
POLICIES = {policy.__name__: policy for policy in (LRU, FIFO, SIEVE, S3FIFO, WTinyLFU, LFU)}
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
    """The median seconds of one hit for each competitor."""
    import cachetools
    import theine

    @functools.lru_cache(maxsize=BOUND)
    def remembered(key: int) -> int:
        return key

    stores: dict[str, MemoryStore[int]] = {name: MemoryStore(BOUND, policy=POLICIES[name]) for name in POLICIES}
    ttl_cache: Any = cachetools.TTLCache(BOUND, TTL_S)
    tiny: Any = theine.Cache(BOUND)
    for key in range(KEYS):
        remembered(key)
        for store in stores.values():
            await store.set(key, Entry(key, time.monotonic() + TTL_S))
        ttl_cache[key] = key
        tiny.set(key, key, timedelta(seconds=TTL_S))
    ways: dict[str, Callable[[int], Any]] = {YARDSTICK: remembered, PEERS[0]: ttl_cache.get, PEERS[1]: tiny.get}
    ways |= {name: store.peek for name, store in stores.items()}
    ways[LOCKED] = Locked(stores["LRU"]).peek
    return await interleaved({name: _rounds_of(read, calls) for name, read in ways.items()}, rounds)


if __name__ == "__main__":
    try:
        report(asyncio.run(measure()), YARDSTICK)
    except ModuleNotFoundError as error:
        sys.exit(missing(error))
