"""Traces of keys made by a rule: Zipf popularity, scans, a loop, a hot set that moves.

A policy that wins on one of them loses on another. The same numbers and the same seed give the same trace on every
machine and Python version. To read a trace of your own, see `read_trace` and `read_access_log`.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random

from cachelab.lab.traffic.workload import zipf_popularity

__all__ = ["loop_trace", "scan_trace", "shifting_trace", "zipf_trace"]


def zipf_trace(requests: int, keys: int, exponent: float = 1.0, *, seed: int = 1) -> list[int]:
    """Independent requests for the keys 1 to `keys`. The probability of key r is proportional to r ** -exponent.

    Like the other functions of this module, it raises ValueError if there would be no request or no key.
    """
    _check(requests, keys)
    cumulative = list(accumulate(zipf_popularity(keys, exponent)))
    return Random(seed).choices(range(1, keys + 1), cum_weights=cumulative, k=requests)


def scan_trace(requests: int, keys: int, *, seed: int = 1) -> list[int]:
    """Zipf 1.0 over `keys`. After every 1,500 requests come 500 for other keys, each requested once and never again."""
    popular = iter(zipf_trace(requests, keys, seed=seed))
    return [keys + number if number % 2_000 >= 1_500 else next(popular) for number in range(1, requests + 1)]


def loop_trace(requests: int, keys: int) -> list[int]:
    """The keys 1 to `keys` in order, again and again."""
    _check(requests, keys)
    return [1 + number % keys for number in range(requests)]


def shifting_trace(requests: int, keys: int, *, moves: int = 1, seed: int = 1) -> list[int]:
    """A hot set that moves: Zipf 1.0 in `moves` + 1 equal parts, whose keys rise by `keys` / 4 from part to part."""
    ranks = zipf_trace(requests, keys, seed=seed)
    return [rank + (moves + 1) * number // requests * (keys // 4) for number, rank in enumerate(ranks)]


def _check(requests: int, keys: int) -> None:
    if requests < 1 or keys < 1:
        raise ValueError(f"A trace needs at least one request and one key, not {requests} and {keys}.")
