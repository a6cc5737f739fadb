"""What a write costs: `store.put(key, entry)` of a new key into a full store, beside cachetools' `LRUCache`.

The entries are built before. With one TTL they expire in the order of the puts, with jittered TTLs they do not.
`LRUCache` has no TTL at all. Each put evicts an entry that has not expired.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

from cachelab import Entry, MemoryStore
from cachelab.eviction import FIFO, LFU, S3FIFO, SIEVE, WTinyLFU
from tests.bench.timing import Round, interleaved, missing, report

__all__ = ["JITTERED", "ONE_TTL", "YARDSTICK", "measure"]

YARDSTICK, TTL_CACHE = "cachetools LRUCache", "cachetools TTLCache"
ONE_TTL, JITTERED = "one TTL", "jittered TTLs"
TTL_S, JITTER, BOUND = 3_600, 0.1, 10_000


def _entries(keys: range, jitter: float) -> list[tuple[int, Entry[int]]]:
    chance, now = Random(keys.start), time.monotonic()
    return [(key, Entry(key, now + TTL_S * (1 + jitter * (2 * chance.random() - 1)))) for key in keys]


def _put_all(put: Callable[[int, Any], None], entries: list[tuple[int, Entry[int]]]) -> float:
    start = time.perf_counter()
    for key, entry in entries:
        put(key, entry)
    return time.perf_counter() - start


def _rounds_of(put: Callable[[int, Any], None], jitter: float, puts: int) -> Round:
    """Rounds of new keys. Before the first of them the store is filled, twice over."""
    first = 2 * BOUND
    _put_all(put, _entries(range(first), jitter))

    async def one_round() -> float:
        nonlocal first
        entries = _entries(range(first, first + puts), jitter)
        first += puts
        return _put_all(put, entries) / puts

    return one_round


async def measure(rounds: int = 61, puts: int = 2_000) -> dict[str, float]:
    """The least seconds of one put for each: other work can only add to them."""
    import cachetools

    lru: Any = cachetools.LRUCache(BOUND)
    ttl: Any = cachetools.TTLCache(BOUND, TTL_S)
    ways = {YARDSTICK: _rounds_of(lru.__setitem__, 0.0, puts)}
    for name, jitter in ((ONE_TTL, 0.0), (JITTERED, JITTER)):
        ways[name] = _rounds_of(MemoryStore[int](BOUND).put, jitter, puts)
    for policy in (FIFO, LFU, S3FIFO, SIEVE, WTinyLFU):
        ways[f"{policy.__name__}, {ONE_TTL}"] = _rounds_of(MemoryStore[int](BOUND, policy=policy).put, 0.0, puts)
    ways[TTL_CACHE] = _rounds_of(ttl.__setitem__, 0.0, puts)
    return await interleaved(ways, rounds, typical=min)


if __name__ == "__main__":
    try:
        report(asyncio.run(measure()), YARDSTICK)
    except ModuleNotFoundError as error:
        sys.exit(missing(error))
