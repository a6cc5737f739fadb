"""Hits on a trace, at one size and at many."""

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import LRU, count_hits, lru_curve, miss_ratio_curve, stack_distances
from tests.support.fakes import PROPERTY


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
