"""What guards cost: a hit in memory, which meets none, and a call of a loader or a store that passes through them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cachelab import Breaker, Bulkhead, Cache, MemoryStore, TimeLimit
from tests.bench.timing import Round, interleaved, report

__all__ = ["ALL", "EACH", "GUARDED_HIT", "HIT", "LOAD", "measure"]

HIT, GUARDED_HIT, LOAD, ALL = "a hit", "a hit behind all guards", "a loader that does nothing", "all guards around it"
EACH: dict[str, Callable[[Any], Any]] = {
    "a time limit": lambda load: TimeLimit(load, 60.0),
    "a bulkhead": lambda load: Bulkhead(load, running=4, waiting=16),
    "a breaker": lambda load: Breaker(load),
}


async def _load(key: int) -> int:
    return key


def _guarded(inside: Any) -> Any:
    return Bulkhead(Breaker(TimeLimit(inside, 60.0)), running=4, waiting=16)


def _rounds_of(call: Callable[[int], Awaitable[Any]], calls: int) -> Round:
    async def one_round() -> float:
        start = time.perf_counter()
        for key in range(calls):
            await call(key % 100)
        return (time.perf_counter() - start) / calls

    return one_round


async def measure(rounds: int = 61, calls: int = 2_000) -> dict[str, float]:
    """Seconds of a call for each way: the least of many rounds."""
    plain: Cache[int, int] = Cache(MemoryStore(1_000), _load, ttl=3_600)
    guarded: Cache[int, int] = Cache(_guarded(MemoryStore(1_000)), _guarded(_load), ttl=3_600)
    for key in range(100):
        await asyncio.gather(plain.get(key), guarded.get(key))
    ways = {HIT: plain.get, GUARDED_HIT: guarded.get, LOAD: _load, ALL: _guarded(_load)}
    ways |= {name: guard(_load) for name, guard in EACH.items()}
    return await interleaved({name: _rounds_of(call, calls) for name, call in ways.items()}, rounds, typical=min)


if __name__ == "__main__":
    report(asyncio.run(measure()), HIT)
