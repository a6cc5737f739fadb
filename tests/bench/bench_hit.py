"""What a hit costs: `await cache.get(key)` in memory, with TTL, bound and counters, beside the peers' decorators."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cachelab import Cache, Flight, MemoryStore
from cachelab.freshness import Freshness
from tests.bench.timing import Round, interleaved, missing, report

__all__ = ["EMPTY", "EVERYTHING_ON", "OURS", "PEERS", "measure"]

Call = Callable[[int], Awaitable[Any]]
EMPTY, OURS = "an empty coroutine", "cachelab"
EVERYTHING_ON = "cachelab, flight and freshness on"
PEERS = ["moka-py", "cachebox", "async-lru", "cashews", "aiocache"]
KEYS, TTL_S, BOUND = 1_000, 3_600, 10_000


async def _empty(key: int) -> None:
    pass


async def _load(key: int) -> int:
    return key


def _rounds_of(call: Call, calls: int) -> Round:
    async def one_round() -> float:
        keys = [number % KEYS for number in range(calls)]
        start = time.perf_counter()
        for key in keys:
            await call(key)
        return (time.perf_counter() - start) / calls

    return one_round


def _peers() -> dict[str, Call]:
    import aiocache
    import async_lru
    import cachebox
    import cashews
    import moka_py

    memory = cashews.Cache()
    memory.setup("mem://", size=BOUND)
    return {
        "moka-py": moka_py.cached(maxsize=BOUND, ttl=TTL_S)(_load),
        "cachebox": cachebox.cached(cachebox.TTLCache(BOUND, TTL_S))(_load),
        "async-lru": async_lru.alru_cache(maxsize=BOUND, ttl=TTL_S)(_load),
        "cashews": memory(ttl=TTL_S)(_load),
        "aiocache": aiocache.cached(ttl=TTL_S, cache=aiocache.SimpleMemoryCache)(_load),
    }


async def measure(rounds: int = 61, calls: int = 2_000) -> dict[str, float]:
    """Seconds of a hit for each competitor, and of an empty coroutine: the least of many rounds of a millisecond or so.

    The least, since a busy neighbour takes a larger share from the shortest way, an empty coroutine.
    """
    ours: Cache[int, int] = Cache(MemoryStore(BOUND), _load, ttl=TTL_S)
    heard: Cache[int, int] = Cache(MemoryStore(BOUND), _load, ttl=TTL_S, listen=lambda event: None)
    freshness = Freshness(stale_for=TTL_S, beta=1.0, jitter=0.1)
    full: Cache[int, int] = Cache(MemoryStore(BOUND), _load, ttl=TTL_S, flight=Flight(), freshness=freshness)
    peers = _peers()
    for call in (ours.get, full.get, heard.get, *peers.values()):
        for key in range(KEYS):
            await call(key)
    ways = {EMPTY: _rounds_of(_empty, calls), OURS: _rounds_of(ours.get, calls)}
    ways[EVERYTHING_ON] = _rounds_of(full.get, calls)
    ways["cachelab, somebody listens"] = _rounds_of(heard.get, calls)
    for name, call in peers.items():
        ways[name] = _rounds_of(call, calls if name in PEERS[:3] else calls // 20)
    return await interleaved(ways, rounds, typical=min)


if __name__ == "__main__":
    try:
        report(asyncio.run(measure()), EMPTY)
    except ModuleNotFoundError as error:
        sys.exit(missing(error))
