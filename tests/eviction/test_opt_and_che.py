"""The ceiling and the formula: OPT against every possible choice, Che's approximation against the simulation."""

import math
from collections import Counter
from collections.abc import Hashable
from functools import cache

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import (
    LRU,
    OPT,
    che_hit_ratio,
    che_time,
    count_hits,
    miss_ratio_curve,
)
from cachelab.lab import loop_trace, shifting_trace, zipf_popularity, zipf_trace
from tests.eviction.test_eviction import POLICIES
from tests.support.fakes import PROPERTY

small_traces = st.lists(st.integers(1, 6), min_size=1, max_size=14)


def most_hits(keys: list[int], bound: int) -> int:
    """The most hits that any choice of victims gives: all choices are tried."""

    @cache
    def best(now: int, inside: frozenset[int]) -> int:
        if now == len(keys):
            return 0
        key = keys[now]
        if key in inside:
            return 1 + best(now + 1, inside)
        if len(inside) < bound:
            return best(now + 1, inside | {key})
        return max(best(now + 1, inside - {victim} | {key}) for victim in inside)

    return best(0, frozenset())


class TestOPT:
    """Belady's rule."""

    @PROPERTY
    @given(keys=small_traces, bound=st.integers(1, 5))
    def test_no_choice_of_victims_has_more_hits(self, keys: list[int], bound: int) -> None:
        """Nor fewer: OPT's hits are those of the best of all possible choices."""
        assert count_hits(OPT(bound, keys), keys).hits == most_hits(keys, bound)

    @PROPERTY
    @given(keys=st.lists(st.integers(1, 15), min_size=1, max_size=200), bound=st.integers(1, 10))
    def test_it_is_the_ceiling_of_all_policies(self, keys: list[int], bound: int) -> None:
        """No policy has more hits, on any trace."""
        ceiling = count_hits(OPT(bound, keys), keys).hits
        assert all(count_hits(policy(bound), keys).hits <= ceiling for policy in POLICIES)

    @pytest.mark.parametrize("bound", [10, 90, 99])
    def test_a_loop_costs_it_what_does_not_fit(self, bound: int) -> None:
        """Of N keys in turn, C − 1 of N − 1 requests hit once the cache is full."""
        keys = loop_trace(100_000, 100)
        assert count_hits(OPT(bound, keys), keys).hit_ratio == pytest.approx((bound - 1) / 99, abs=0.002)

    def test_keys_of_mixed_types_need_no_order(self) -> None:
        """Moments are compared, never keys."""
        keys: list[Hashable] = [1, "a", None, 1, (2,), "a", 1]
        assert count_hits(OPT(2, keys), keys).hits == 2

    def test_a_key_that_was_removed_is_skipped(self) -> None:
        """Its moment is still in the heap, and the next farthest leaves instead."""
        keys = [1, 2, 3, 4, 2, 1, 3]
        policy = OPT(3, keys)
        for key in keys[:3]:
            policy.add(key)
        policy.remove(3)
        assert [policy.evict() for _ in range(2)] == [1, 2]

    def test_another_future_is_refused(self) -> None:
        """A request that OPT was not told of is an error, and so is one after the end."""
        policy = OPT(2, [1, 2])
        with pytest.raises(ValueError, match="request 0 for 2 is not what OPT was told"):
            policy.add(2)
        count_hits(policy, [1, 2])
        with pytest.raises(ValueError, match="request 2 for 1"):
            policy.hit(1)

    def test_an_empty_policy_has_nobody_to_evict(self) -> None:
        """As every policy."""
        with pytest.raises(KeyError):
            OPT(2, [1, 2]).evict()

    def test_curves_need_no_special_case(self) -> None:
        """A function of the size is all that a curve asks for; more room never hurts."""
        keys = zipf_trace(20_000, 1_000, 1.0)
        curve = miss_ratio_curve(lambda size: OPT(size, keys), keys, [10, 100, 500, 1_000])
        assert curve == sorted(curve, reverse=True)
        assert curve[-1] == pytest.approx(len(set(keys)) / 20_000)


class TestChe:
    """A formula for LRU."""

    @pytest.mark.parametrize("exponent", [0.6, 0.8, 1.0, 1.2])
    @pytest.mark.parametrize("size", [100, 300, 1_000, 3_000])
    def test_it_is_within_half_a_percent_of_lru(self, exponent: float, size: int) -> None:
        """200,000 requests for 10,000 keys by Zipf's law, after as many that fill the cache."""
        keys = zipf_trace(400_000, 10_000, exponent)
        policy: LRU[int] = LRU(size)
        count_hits(policy, keys[:200_000])
        simulated = count_hits(policy, keys[200_000:]).hit_ratio
        assert che_hit_ratio(zipf_popularity(10_000, exponent), size) == pytest.approx(simulated, abs=0.005)

    @pytest.mark.parametrize("size", [1, 10, 99])
    def test_equal_keys_hit_in_proportion_to_the_room(self, size: int) -> None:
        """N equal keys, room for C: h = C / N, and t = −N·ln(1 − C / N)."""
        equal = [1 / 100] * 100
        assert che_hit_ratio(equal, size) == pytest.approx(size / 100)
        assert che_time(equal, size) == pytest.approx(-100 * math.log(1 - size / 100))

    def test_the_keys_in_the_cache_are_as_many_as_there_is_room_for(self) -> None:
        """Σ(1 − e^(−p·t)) = C, which is what t was solved for."""
        popularity = zipf_popularity(1_000, 1.0)
        for size in (1, 50, 999):
            t = che_time(popularity, size)
            assert sum(1 - math.exp(-p * t) for p in popularity) == pytest.approx(size)

    @pytest.mark.parametrize("size", [0, 100, 101])
    def test_a_size_that_makes_no_sense_is_refused(self, size: int) -> None:
        """No room, or room for everybody."""
        with pytest.raises(ValueError, match="size must be at least 1 and less than the number of keys, 100"):
            che_hit_ratio([1 / 100] * 100, size)

    def test_it_says_nothing_about_a_loop(self) -> None:
        """Where requests depend on each other the formula is wrong: half by the formula, none in truth."""
        keys = loop_trace(10_000, 100)
        assert che_hit_ratio([1 / 100] * 100, 50) == pytest.approx(0.5)
        assert count_hits(LRU(50), keys).hits == 0

    def test_nor_about_a_hot_set_that_moves_often(self) -> None:
        """The share of each key over the whole trace hides that it is asked for in one part of it."""
        keys = shifting_trace(50_000, 2_000, moves=9)
        shares = [count / len(keys) for count in Counter(keys).values()]
        assert che_hit_ratio(shares, 200) < count_hits(LRU(200), keys).hit_ratio - 0.1
