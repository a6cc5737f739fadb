"""Traces of keys for the eviction policies: the same seed, the same trace, on every machine and Python version."""

from itertools import accumulate
from random import Random

__all__ = ["loop", "scan_polluted", "shifting", "texts", "zipf", "zipf_popularity"]


def zipf_popularity(keys: int, exponent: float) -> list[float]:
    """The share of each key: that of rank r is proportional to r ** -exponent."""
    weights = [rank**-exponent for rank in range(1, keys + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def zipf(requests: int, keys: int, exponent: float, seed: int = 1) -> list[int]:
    """Independent requests for keys 1, the most popular, to `keys`."""
    cumulative = list(accumulate(zipf_popularity(keys, exponent)))
    return Random(seed).choices(range(1, keys + 1), cum_weights=cumulative, k=requests)


def scan_polluted(requests: int, keys: int, seed: int = 1) -> list[int]:
    """Zipf 1.0 over `keys`; every 1,500 requests, 500 keys come by that are asked for once and never again."""
    popular = iter(zipf(requests, keys, 1.0, seed))
    return [keys + number if number % 2_000 >= 1_500 else next(popular) for number in range(1, requests + 1)]


def loop(requests: int, keys: int) -> list[int]:
    """Keys 1 to `keys` in order, again and again."""
    return [1 + number % keys for number in range(requests)]


def shifting(requests: int, keys: int, moves: int = 1, seed: int = 1) -> list[int]:
    """A hot set that moves: Zipf 1.0, and after each of `moves` + 1 equal parts all ranks move up by `keys` / 4."""
    ranks = zipf(requests, keys, 1.0, seed)
    return [rank + (moves + 1) * number // requests * (keys // 4) for number, rank in enumerate(ranks)]


def texts(keys: list[int]) -> list[str]:
    """The same trace with texts for keys."""
    return [f"user:{key}" for key in keys]
