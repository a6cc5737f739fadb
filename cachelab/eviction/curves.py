"""How many hits a policy has on a trace of keys, at one size or at many.

Problem: which policy, and how many entries? A service cannot try them all, but its log of keys can be replayed.
Idea: a cache without values needs only the policy: the very class that a store uses, called in the same order. For LRU,
    one pass answers for all sizes: a request hits in every cache that is larger than the number of different keys
    requested since this key's last request. If the trace has times, entries can expire in a replay, too.
Guarantee: the hits are those of a store with that policy and bound that fills every miss at once and removes nothing.
    `lru_curve` gives exactly the numbers of `miss_ratio_curve` with LRU. In `count_hits_with_ttl` entries expire, and
    are purged, as in a `MemoryStore`; in the other functions no entry expires.
Not guaranteed: that tomorrow's keys look like the trace. Every entry counts as one, whatever its size.
Cost: a few dict operations for each request; FIFO, LRU and SIEVE reach about a third of the speed of a simulator in C.
    `lru_curve`: O(n log n) time, and two integers in memory for each request.
Source: Mattson, Gecsei, Slutz, Traiger, IBM Systems Journal 9(2), 1970, for the stack distance; Fenwick, Software:
    Practice and Experience 24(3), 1994, for the tree. Plain lists: numpy would have nothing to vectorise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import accumulate
from math import inf
from typing import NamedTuple, TypeVar

from cachelab.eviction.policy import Policy

__all__ = ["HitCount", "count_hits", "count_hits_with_ttl", "lru_curve", "miss_ratio_curve", "stack_distances"]

K = TypeVar("K")


class HitCount(NamedTuple):
    """How many requests a trace had, and how many of them hit."""

    requests: int
    hits: int

    @property
    def hit_ratio(self) -> float:
        """The share of requests that hit, 0 to 1. Raises ZeroDivisionError for a trace without requests."""
        return self.hits / self.requests

    @property
    def miss_ratio(self) -> float:
        """The share of requests that miss, 0 to 1. Raises ZeroDivisionError for a trace without requests."""
        return (self.requests - self.hits) / self.requests


def count_hits(policy: Policy[K], keys: Collection[K]) -> HitCount:
    """Request `keys` in order, and count the hits. A policy that has keys already goes on from there."""
    resident, hit, add, evict = policy.resident, policy.hit, policy.add, policy.evict
    free = policy.bound - len(policy)
    misses = 0
    for key in keys:
        if key in resident:
            hit(key)
        else:
            if misses >= free:
                evict()
            add(key)
            misses += 1
    return HitCount(len(keys), len(keys) - misses)


def count_hits_with_ttl(policy: Policy[K], keys: Collection[K], times_s: Collection[float], ttl_s: float) -> HitCount:
    """Request `keys` at `times_s`, and count the hits if an entry expires `ttl_s` seconds after it was stored.

    Before a write stores its entry, it purges up to two that have expired. A time before the one that precedes it in
    the trace counts as that one. Raises ValueError if there are not as many times as keys, or if the policy has keys.
    """
    if len(policy):
        raise ValueError("The policy has keys already, and nobody knows when they expire.")
    expires: dict[K, float] = {}
    stored: deque[tuple[K, float]] = deque()
    hits, now = 0, -inf
    for key, time_s in zip(keys, times_s, strict=True):
        now = max(now, time_s)
        if key in policy.resident:
            if now < expires[key]:
                policy.hit(key)
                hits += 1
                continue
            policy.remove(key)
        _purge(policy, stored, expires, now)
        if len(policy) >= policy.bound:
            policy.evict()
        policy.add(key)
        expires[key] = now + ttl_s
        stored.append((key, now + ttl_s))
    return HitCount(len(keys), hits)


def _purge(policy: Policy[K], stored: deque[tuple[K, float]], expires: dict[K, float], now: float) -> None:
    """Remove the two entries that expired first, if there are any. What was evicted or stored anew is passed over."""
    removed = 0
    while removed < 2 and stored and stored[0][1] <= now:
        key, moment = stored.popleft()
        if key in policy.resident and expires[key] == moment:
            policy.remove(key)
            removed += 1


def miss_ratio_curve(policy: Callable[[int], Policy[K]], keys: Collection[K], sizes: Iterable[int]) -> list[float]:
    """The miss ratio of `policy(size)` for each size. Each size is a pass over `keys` with a new policy."""
    return [count_hits(policy(size), keys).miss_ratio for size in sizes]


def lru_curve(keys: Collection[K], sizes: Iterable[int]) -> list[float]:
    """The miss ratio of LRU for each size, all in one pass."""
    hits = [0, *accumulate(stack_distances(keys))]
    return [HitCount(len(keys), hits[min(size, len(hits) - 1)]).miss_ratio for size in sizes]


def stack_distances(keys: Collection[K]) -> list[int]:
    """How many requests found their key at each depth of the LRU stack. Those at [0] hit in a cache of one entry.

    A Fenwick tree over the requests marks the last use of each key. It begins with a mark at every request, even those
    still to come. A key that is used again loses its earlier mark. So the marks up to a past request count the keys
    that were not used after it.
    """
    end = len(keys) + 1
    marks = [place & -place for place in range(end)]  # node i of the tree counts the marks in (i − (i & −i), i]
    last_use: dict[K, int] = {}
    hits_at_depth = [0] * len(set(keys))
    for now, key in enumerate(keys, 1):
        then = last_use.get(key)
        if then:
            deeper, place = -1, then
            while place:
                deeper += marks[place]
                place &= place - 1
            hits_at_depth[len(last_use) - 1 - deeper] += 1
            while then < end:
                marks[then] -= 1
                then += then & -then
        last_use[key] = now
    return hits_at_depth
