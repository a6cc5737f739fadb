"""What a cache changes over HTTP: the queries of the database. What a hit costs is not to be seen there.

The figures in the docstrings were measured on two cores with little else to do.
"""

import asyncio

import pytest

from tests.bench import bench_http
from tests.bench.bench_http import CONSTANT, NO_CACHE, OURS, OURS_ON_REDIS, PEERS, Result
from tests.bench.tiers import bound_in_tiers

pytestmark = pytest.mark.xdist_group("bench")


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """One run with all ways in turns."""
    return asyncio.run(bench_http.measure())


@bound_in_tiers(landing=1.6, soak=1.25)
def test_a_hit_in_memory_is_not_to_be_seen_in_a_request(results: dict[str, Result], bound: float) -> None:
    """Against an endpoint that answers with the same user each time."""
    assert results[OURS].seconds <= bound * results[CONSTANT].seconds


@pytest.mark.parametrize("peer", PEERS)
@bound_in_tiers(landing=1.5, soak=1.2)
def test_a_request_costs_no_more_than_with_a_peer(results: dict[str, Result], peer: str, bound: float) -> None:
    """Against the library's cache in memory, where it is installed."""
    if peer not in results:
        pytest.skip(f"{peer} is not installed")
    assert results[OURS].seconds <= bound * results[peer].seconds


@pytest.mark.long
def test_a_cache_saves_queries(results: dict[str, Result]) -> None:
    """Without a cache each request is a query; with one each user is queried once, at most."""
    assert results[NO_CACHE].queries == 1.0
    cached = [way for way in results if way not in (NO_CACHE, CONSTANT)]
    assert {OURS, OURS_ON_REDIS} <= set(cached)
    assert all(0 < results[way].queries < 0.1 for way in cached)
