"""Che's approximation: what hit ratio an LRU cache will have, without a simulation.

Problem: how large must a cache be? Replaying a trace answers that for the trace; a formula answers it for a popularity.
Idea: a key is in an LRU cache if it was requested within the last t requests, where t is the number of requests after
    which as many different keys have come as fit into the cache. That number hardly varies, so take it as a constant:
    the t for which the expected number of keys in the cache, Σ(1 − e^(−p·t)), is the size of the cache.
Guarantee: exact in the limit of many keys; within .005 of the simulation for Zipf popularity and 100 entries or more.
Not guaranteed: anything where requests depend on each other (scans, loops, a hot set that moves), or while the cache
    is not yet full.
Cost: a pass over all keys for each step of Newton's method, about ten steps.
Source: Che, Tung, Wang, IEEE JSAC 20(7), 2002; why it is so accurate: Fricker, Robert, Roberts, ITC 24, 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, inf

__all__ = ["che_hit_ratio", "che_time"]


def che_time(popularity: Sequence[float], size: int) -> float:
    """t, in requests: how long a key stays in a cache of `size` entries after its last use.

    `popularity` has each key's share of the requests, which is more than 0; the shares add up to 1. Raises ValueError
    unless `size` is at least 1 and less than the number of keys: a larger cache never evicts.
    """
    if not 1 <= size < len(popularity):
        raise ValueError(f"size must be at least 1 and less than the number of keys, {len(popularity)}, not {size!r}.")
    t, step = float(size), inf
    while step > 1e-9 * t:  # the sum is concave in t: from below, Newton's method never oversteps the solution
        missing = size + sum(expm1(-p * t) for p in popularity)  # size − Σ(1 − e^(−p·t)): t is found when this is 0
        step = missing / sum(p * exp(-p * t) for p in popularity)
        t += step
    return t


def che_hit_ratio(popularity: Sequence[float], size: int) -> float:
    """h: the share of requests that hit in an LRU cache of `size` entries, 0 to 1; arguments as in `che_time`."""
    t = che_time(popularity, size)
    return -sum(p * expm1(-p * t) for p in popularity)  # h = Σ p·(1 − e^(−p·t))
