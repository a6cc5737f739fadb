"""Chapter 2: what it says of a site with writes. Its races are enumerated, so they are no samples."""

from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("02")


@claim(
    "In this sample stale answers fall from 11.36% to 0.00%, and the origin hardly notices: a delete costs one load."
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


@claim(
    "With two nodes, the stalest answer of this sample is 28.04 s out of date again, and only the TTL of 30 s bounds "
    "it."
)
def only_the_ttl_bounds_it(two_nodes: Any) -> None:
    """Most of the TTL, and not more than the TTL and a query."""
    assert 20 < two_nodes.max_stale_s <= 30.1
