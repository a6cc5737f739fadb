"""Chapter 2: what it says of a site with writes. Its races are enumerated, so they are no samples."""

from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("02")


@claim(
    "In this sample stale answers fall from 11.36% to 0.00%, and the origin hardly notices: a delete costs one load at "
    "most, even if many callers miss the key at once (chapter 5)."
)
def stale_answers_fall(ttl_only: Any, deleted: Any) -> None:
    """From percents to less than a thousandth, for less than a query a second."""
    assert ttl_only.stale_share > 0.05
    assert deleted.stale_share < 0.001
    assert deleted.origin_load == pytest.approx(ttl_only.origin_load, abs=1)


@claim(
    "(A read that is under way when the write commits may still be answered with the old version, for the length of "
    "one query and its wait for a connection."
)
def reads_under_way(deleted: Any) -> None:
    """No answer is older than that."""
    assert deleted.max_stale_s <= 0.1


@claim("The second node costs hits whether it is told or not, because each node has to load each key for itself.")
def the_second_node_costs_hits(deleted: Any, one_told: Any, both_told: Any) -> None:
    """Some percents of them, and more of the origin's work."""
    for two_nodes in (one_told, both_told):
        assert two_nodes.hit_ratio < deleted.hit_ratio - 0.03
        assert two_nodes.origin_load > 1.2 * deleted.origin_load
    assert both_told.hit_ratio == pytest.approx(one_told.hit_ratio, abs=0.02)


@claim("If only one node is told, the stalest answer of this sample is 28.04 s out of date, as with the TTL alone.")
def only_the_ttl_bounds_it(ttl_only: Any, one_told: Any, both_told: Any) -> None:
    """Most of the TTL, and not more than the TTL and a query. If both are told, only a read under way is stale."""
    assert 20 < one_told.max_stale_s <= 30.1
    assert 20 < ttl_only.max_stale_s <= 30.1
    assert both_told.max_stale_s <= 0.1
