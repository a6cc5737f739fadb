"""OPT has the hits of the best possible choice, and no policy has more."""

from collections.abc import Hashable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import OPT, count_hits, miss_ratio_curve
from cachelab.lab import loop_trace, zipf_trace
from tests.support.fakes import PROPERTY
from tests.support.policy_contract import POLICIES

small_traces = st.lists(st.integers(1, 6), min_size=1, max_size=14)


def most_hits(keys: list[int], bound: int) -> int:
    """The most hits that any choice of evictions gives. All choices are tried."""

    @cache
    def best(now: int, resident: frozenset[int]) -> int:
        if now == len(keys):
            return 0
        key = keys[now]
        if key in resident:
            return 1 + best(now + 1, resident)
        if len(resident) < bound:
            return best(now + 1, resident | {key})
        return max(best(now + 1, resident - {victim} | {key}) for victim in resident)

    return best(0, frozenset())


@PROPERTY
@given(keys=small_traces, bound=st.integers(1, 5))
def test_no_choice_of_evictions_has_more_hits(keys: list[int], bound: int) -> None:
    """OPT has exactly the hits of the best of all possible choices."""
    assert count_hits(OPT(bound, keys), keys).hits == most_hits(keys, bound)


@PROPERTY
@given(keys=st.lists(st.integers(1, 15), min_size=1, max_size=200), bound=st.integers(1, 10))
def test_no_policy_has_more_hits(keys: list[int], bound: int) -> None:
    """OPT's hits are the ceiling for all policies, on any trace."""
    ceiling = count_hits(OPT(bound, keys), keys).hits
    assert all(count_hits(policy(bound), keys).hits <= ceiling for policy in POLICIES)


@pytest.mark.parametrize("bound", [10, 90, 99])
def test_on_a_loop_only_the_keys_that_do_not_fit_miss(bound: int) -> None:
    """N keys in turn and room for C: once the cache is full, C − 1 of N − 1 requests hit."""
    keys = loop_trace(100_000, 100)
    assert count_hits(OPT(bound, keys), keys).hit_ratio == pytest.approx((bound - 1) / 99, abs=0.002)


def test_keys_of_mixed_types_need_no_order() -> None:
    """OPT compares moments, never keys."""
    keys: list[Hashable] = [1, "a", None, 1, (2,), "a", 1]
    assert count_hits(OPT(2, keys), keys).hits == 2


def test_a_key_that_was_removed_is_skipped() -> None:
    """Its moment is still in the heap, and the key with the next moment is evicted instead."""
    keys = [1, 2, 3, 4, 2, 1, 3]
    policy = OPT(3, keys)
    for key in keys[:3]:
        policy.add(key)
    policy.remove(3)
    assert [policy.evict() for _ in range(2)] == [1, 2]


def test_another_future_is_refused() -> None:
    """A request that is not in OPT's future is an error, and so is one after the end of that future."""
    policy = OPT(2, [1, 2])
    with pytest.raises(ValueError, match="Request 0 is for 2, but OPT was given another sequence"):
        policy.add(2)
    count_hits(policy, [1, 2])
    with pytest.raises(ValueError, match="Request 2 is for 1"):
        policy.hit(1)


@pytest.mark.parametrize("bound", [0, -1, 2.5])
def test_a_bound_must_be_a_whole_number_of_at_least_one(bound: Any) -> None:
    """As for every other policy."""
    with pytest.raises(ValueError, match="bound must be a whole number of at least 1"):
        OPT(bound, [1, 2])


def test_an_empty_policy_cannot_evict() -> None:
    """Like every other policy, it raises KeyError."""
    with pytest.raises(KeyError):
        OPT(2, [1, 2]).evict()


def test_curves_need_no_special_case() -> None:
    """A curve needs only a function of the size. With OPT, more room never hurts."""
    keys = zipf_trace(20_000, 1_000, 1.0)
    curve = miss_ratio_curve(lambda size: OPT(size, keys), keys, [10, 100, 500, 1_000])
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] == pytest.approx(len(set(keys)) / 20_000)
