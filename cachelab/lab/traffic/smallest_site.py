"""The sites of exercise 14.2: the same readers on one process or on four, and what a store leaves for the origin."""

from __future__ import annotations

from functools import lru_cache

from cachelab.eviction import LRU, count_hits_with_ttl
from cachelab.lab.traffic.workload import Request, Workload

__all__ = ["STORES", "origin_load"]

STORES = ("nothing", "memory", "redis")
"""From the smallest to the largest: no cache, a memory in each process, one Redis for all of them."""
RATE, SECONDS, USERS = 100.0, 200.0, 1_500


@lru_cache(maxsize=2)
def _requests(processes: int) -> list[Request]:
    return Workload(rate=RATE, seconds=SECONDS, keys=USERS, zipf=1.0, nodes=processes, seed=14).requests()


@lru_cache(maxsize=256)
def origin_load(processes: int, store: str, entries: int, ttl: float) -> float:
    """How many queries a second the origin gets, when the site runs on so many processes.

    There are 100 reads a second for 200 s, for 1,500 users of uneven popularity. `store` is "nothing", "memory" (one in
    each process, with room for `entries` each) or "redis" (one, with room for `entries`); LRU evicts. An entry lives
    for `ttl` seconds. Raises ValueError for another store, and unless the numbers are above 0.
    """
    if store not in STORES:
        raise ValueError(f"The stores are {', '.join(map(repr, STORES))}, not {store!r}.")
    if not (processes >= 1 and entries >= 1 and ttl > 0):
        raise ValueError("A site needs at least one process, room for one entry, and a TTL above 0 seconds.")
    requests = _requests(processes)
    if store == "nothing":
        return len(requests) / SECONDS
    misses = 0
    for place in range(processes if store == "memory" else 1):
        here = [request for request in requests if store == "redis" or request.node == place]
        keys, times_s = [request.key for request in here], [request.when for request in here]
        misses += len(here) - count_hits_with_ttl(LRU(entries), keys, times_s, ttl).hits
    return misses / SECONDS
