"""What a crowd costs: 1,000 callers of one load, beside as many tasks that await one bare future, and the peers."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from cachelab import Flight
from tests.bench.timing import Round, interleaved, missing, report

__all__ = ["BARE", "OURS", "measure"]

Call = Callable[[int], Coroutine[Any, Any, int]]
Load = Callable[[int], Coroutine[Any, Any, int]]
BARE, OURS = "tasks on a bare future", "cachelab"
CALLERS, TTL_S, BOUND = 1_000, 3_600, 100_000


def _crowd(calls_of: Callable[[Load], Call], most: int = 1) -> Round:
    """One round: the callers call, the load ends, the callers return. Its key is new, loaded at most `most` times."""
    opened: list[asyncio.Future[int]] = []
    loads = key = 0

    async def load(key: int) -> int:
        nonlocal loads
        loads += 1
        return await opened[-1]

    call = calls_of(load)

    async def one_round() -> float:
        nonlocal loads, key
        loads, key = 0, key + 1
        loop = asyncio.get_running_loop()
        opened[:] = [loop.create_future()]
        gc.collect()
        start = time.perf_counter()
        callers = [loop.create_task(call(key)) for _ in range(CALLERS)]
        await asyncio.sleep(0)  # they call
        await asyncio.sleep(0)  # the load begins
        opened[0].set_result(key)
        for caller in callers:
            await caller
        seconds = time.perf_counter() - start
        assert loads <= most
        return seconds / CALLERS

    return one_round


def _ours(load: Load) -> Call:
    flight = Flight()
    return lambda key: flight.do(key, load)


def _peers() -> dict[str, Callable[[Load], Call]]:
    import aiocache
    import async_lru
    import cachebox
    import cashews
    import moka_py

    memory = cashews.Cache()
    memory.setup("mem://", size=BOUND)
    return {
        "moka-py": moka_py.cached(maxsize=BOUND, ttl=TTL_S, wait_concurrent=True),
        "cachebox": cachebox.cached(cachebox.TTLCache(BOUND, TTL_S)),
        "async-lru": async_lru.alru_cache(maxsize=BOUND, ttl=TTL_S),
        "cashews": memory(ttl=TTL_S, protected=True),
        "aiocache": aiocache.cached_stampede(ttl=TTL_S, cache=aiocache.SimpleMemoryCache, lease=60),
    }


async def measure(rounds: int = 41, *, peers: bool = True) -> dict[str, float]:
    """Seconds per caller for each competitor: the least of the rounds, in which they take turns."""
    ways = {BARE: _crowd(lambda load: load, most=CALLERS), OURS: _crowd(_ours)}
    if peers:
        ways |= {name: _crowd(decorate) for name, decorate in _peers().items()}
    return await interleaved(ways, rounds, typical=min)


if __name__ == "__main__":
    try:
        report(asyncio.run(measure()), BARE)
    except ModuleNotFoundError as error:
        sys.exit(missing(error))
