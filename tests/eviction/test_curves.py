"""Hits on a trace, at one size and at many."""

from math import inf
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab import MISS, Entry, MemoryStore
from cachelab.eviction import (
    LRU,
    Policy,
    count_hits,
    count_hits_with_ttl,
    lru_curve,
    miss_ratio_curve,
    stack_distances,
)
from tests.support.fakes import PROPERTY
from tests.support.policy_contract import POLICIES, reproducible


def test_hit_ratio_and_miss_ratio_add_up_to_one() -> None:
    """Of four requests one hits."""
    counted = count_hits(LRU(2), [1, 2, 1, 3])
    assert (counted.hit_ratio, counted.miss_ratio) == (0.25, 0.75)


def test_a_trace_without_requests_has_no_ratio() -> None:
    """Both ratios raise ZeroDivisionError."""
    counted = count_hits(LRU[int](2), [])
    with pytest.raises(ZeroDivisionError):
        assert counted.hit_ratio
    with pytest.raises(ZeroDivisionError):
        assert counted.miss_ratio


def test_stack_distances_count_the_keys_used_since() -> None:
    """b comes again at once, c after two other keys, a after three; x comes once and has no depth."""
    assert stack_distances("abbcxac") == [1, 0, 1, 1]


@PROPERTY
@given(keys=st.lists(st.integers(1, 12), min_size=1, max_size=120))
def test_one_pass_gives_the_lru_curve(keys: list[int]) -> None:
    """For any trace and every size, `lru_curve` gives exactly what a pass of LRU for each size gives."""
    assert lru_curve(keys, range(1, 15)) == miss_ratio_curve(LRU, keys, range(1, 15))


def test_an_entry_expires_at_its_ttl() -> None:
    """With a TTL of ten seconds, a request at nine hits and one at ten misses; a hit does not prolong the life."""
    assert count_hits_with_ttl(LRU(2), "aaa", [0, 9, 10], 10).hits == 1


def test_an_expired_entry_makes_room_for_a_new_one() -> None:
    """b expires and is purged, so that c evicts nobody: a, which was used before b, is still there and hits."""
    assert count_hits_with_ttl(LRU(2), "baca", [0, 5, 10, 11], 10).hits == 1


def test_a_time_that_goes_back_counts_as_the_one_before() -> None:
    """The third line of the log is older than the second, and its entry lives from the second on."""
    assert count_hits_with_ttl(LRU(3), "abcc", [0, 20, 5, 29], 10).hits == 1


def test_a_trace_with_times_is_replayed_on_a_new_policy() -> None:
    """Nobody knows when the keys of a used policy expire, and a key needs a time."""
    used = LRU[str](2)
    count_hits(used, "a")
    with pytest.raises(ValueError, match="has keys already"):
        count_hits_with_ttl(used, "a", [0], 1)
    with pytest.raises(ValueError, match="zip"):
        count_hits_with_ttl(LRU(2), "ab", [0], 1)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@PROPERTY
@given(steps=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=120), bound=st.integers(1, 8))
def test_entries_expire_as_in_a_store(policy: type[Policy[Any]], steps: list[tuple[int, int]], bound: int) -> None:
    """A store with the same policy, bound and TTL has the same hits; without a TTL they are those of `count_hits`."""
    now, hits, keys, times = 0, 0, [], []
    store = MemoryStore[int](bound, policy=reproducible(policy), clock=lambda: now)
    for key, pause in steps:
        now += pause
        keys.append(key)
        times.append(now)
        if store.peek(key) is MISS:
            store.put(key, Entry(key, now + 6))
        else:
            hits += 1
    assert count_hits_with_ttl(policy(bound), keys, times, 6).hits == hits
    assert count_hits_with_ttl(policy(bound), keys, times, inf) == count_hits(policy(bound), keys)
