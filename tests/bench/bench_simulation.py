"""How many requests of Zipf traffic through a `Cache` in memory the lab plays in a second of real time."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from cachelab import Cache, MemoryStore, lab

__all__ = ["TRAFFIC", "measure", "measure_workload"]

TRAFFIC = lab.Workload(rate=200.0, seconds=300.0, keys=1_000, zipf=1.0, write_rate=1.0, seed=1)


async def _scenario() -> lab.ReplayResult:
    db = lab.SlowDatabase(users=1_000, connections=8, service_s=0.05)
    cache = Cache(MemoryStore(500), db.fetch_user, ttl=30.0, listen=lab.listen)
    return await lab.replay(TRAFFIC, cache, db=db)


def measure(
    scenario: Callable[[], Coroutine[Any, Any, lab.ReplayResult]] = _scenario,
    traffic: lab.Workload = TRAFFIC,
    rounds: int = 3,
) -> float:
    """The best rate of so many runs, in requests per second of real time. Making the workload is not counted."""
    requests = len(traffic.requests())
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        lab.run(scenario)
        best = min(best, time.perf_counter() - start)
    return requests / best


def measure_workload(rounds: int = 3) -> float:
    """The shortest time to make the traffic, in seconds per request. Each round has a seed of its own."""
    best = float("inf")
    for seed in range(rounds):
        traffic = replace(TRAFFIC, seed=1_000 + seed)
        start = time.perf_counter()
        requests = traffic.requests()
        best = min(best, (time.perf_counter() - start) / len(requests))
    return best


if __name__ == "__main__":
    rate, making = measure(), measure_workload()
    print(f"{rate:,.0f} requests per second")
    print(f"making the workload takes {making * 1e6:.1f} µs a request, {making * rate:.2f} x of playing it")
