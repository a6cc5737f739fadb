"""The bounds on what guards cost."""

import pytest

from tests.bench import bench_guards
from tests.bench.bench_guards import ALL, GUARDED_HIT, HIT
from tests.bench.tiers import bound_in_tiers
from tests.bench.timing import in_a_fresh_process

pytestmark = pytest.mark.xdist_group("bench")


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """One run of all ways, in turns."""
    return in_a_fresh_process(bench_guards.measure)


@bound_in_tiers(landing=1.3, soak=1.1)
def test_a_hit_in_memory_meets_no_guard(seconds: dict[str, float], bound: float) -> None:
    """Behind guards of the store and of the loader it costs the same."""
    assert seconds[GUARDED_HIT] <= bound * seconds[HIT]


@bound_in_tiers(landing=45.0, soak=30.0)
def test_all_guards_cost_a_load_as_much_as_some_hits(seconds: dict[str, float], bound: float) -> None:
    """20 to 22 times a hit, some microseconds. Most of it is the timer of the time limit."""
    assert seconds[ALL] <= bound * seconds[HIT]
