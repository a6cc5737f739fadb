"""Che's approximation against the simulation."""

import math
from collections import Counter

import pytest

from cachelab.eviction import LRU, che_hit_ratio, che_time, count_hits
from cachelab.lab import loop_trace, shifting_trace, zipf_popularity, zipf_trace


@pytest.mark.parametrize("exponent", [0.6, *(pytest.param(one, marks=pytest.mark.long) for one in (0.8, 1.0)), 1.2])
@pytest.mark.parametrize("size", [100, 300, 1_000, 3_000])
def test_it_is_within_half_a_percent_of_lru(exponent: float, size: int) -> None:
    """200,000 requests for 10,000 keys by Zipf's law, after as many more that have filled the cache."""
    keys = zipf_trace(400_000, 10_000, exponent)
    policy: LRU[int] = LRU(size)
    count_hits(policy, keys[:200_000])
    simulated = count_hits(policy, keys[200_000:]).hit_ratio
    assert che_hit_ratio(zipf_popularity(10_000, exponent), size) == pytest.approx(simulated, abs=0.005)


@pytest.mark.parametrize("size", [1, 10, 99])
def test_equal_keys_hit_in_proportion_to_the_room(size: int) -> None:
    """With N equally popular keys and room for C, h = C / N and t = −N·ln(1 − C / N)."""
    equal = [1 / 100] * 100
    assert che_hit_ratio(equal, size) == pytest.approx(size / 100)
    assert che_time(equal, size) == pytest.approx(-100 * math.log(1 - size / 100))


def test_the_expected_number_of_keys_is_the_size_of_the_cache() -> None:
    """Σ(1 − e^(−p·t)) = C is the equation that t solves."""
    popularity = zipf_popularity(1_000, 1.0)
    for size in (1, 50, 999):
        t = che_time(popularity, size)
        assert sum(1 - math.exp(-p * t) for p in popularity) == pytest.approx(size)


@pytest.mark.parametrize("size", [0, 100, 101])
def test_a_size_that_makes_no_sense_is_refused(size: int) -> None:
    """There must be some room, but not for every key."""
    with pytest.raises(ValueError, match="size must be at least 1 and less than the number of keys, 100"):
        che_hit_ratio([1 / 100] * 100, size)


def test_it_is_wrong_about_a_loop() -> None:
    """In a loop requests depend on each other: by the formula half of them hit, and in truth none does."""
    keys = loop_trace(10_000, 100)
    assert che_hit_ratio([1 / 100] * 100, 50) == pytest.approx(0.5)
    assert count_hits(LRU(50), keys).hits == 0


def test_it_is_wrong_about_a_hot_set_that_moves_often() -> None:
    """A key's share of the whole trace hides that all its requests are in one part of the trace."""
    keys = shifting_trace(50_000, 2_000, moves=9)
    shares = [count / len(keys) for count in Counter(keys).values()]
    assert che_hit_ratio(shares, 200) < count_hits(LRU(200), keys).hit_ratio - 0.1
