"""Hits on a trace, at one size and at many."""

from hypothesis import given, strategies as st

from cachelab.eviction import LRU, count_hits, lru_curve, miss_ratio_curve
from tests.support.fakes import PROPERTY


def test_hit_ratio_and_miss_ratio_add_up_to_one() -> None:
    """Of four requests one hits."""
    counted = count_hits(LRU(2), [1, 2, 1, 3])
    assert (counted.hit_ratio, counted.miss_ratio) == (0.25, 0.75)


@PROPERTY
@given(keys=st.lists(st.integers(1, 12), min_size=1, max_size=120))
def test_one_pass_gives_the_lru_curve(keys: list[int]) -> None:
    """For any trace and every size, `lru_curve` gives exactly what a pass of LRU for each size gives."""
    assert lru_curve(keys, range(1, 15)) == miss_ratio_curve(LRU, keys, range(1, 15))
