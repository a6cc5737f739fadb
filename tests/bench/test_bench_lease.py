"""The bounds on what a cold key costs a fleet with leases: four processes with fifty callers each, a load of 300 ms."""

import pytest

from tests.bench import bench_lease
from tests.bench.bench_lease import LOAD_S, Cost
from tests.bench.lease_worker import LEASE, NO_LEASE, OTHERS, POLL_1, POLL_50
from tests.bench.tiers import bound_in_tiers

pytestmark = pytest.mark.xdist_group("bench")


@pytest.fixture(scope="module")
def costs() -> dict[str, Cost]:
    """One run of all ways, in turns."""
    return bench_lease.measure()


@pytest.mark.long
def test_a_fleet_loads_a_cold_key_once(costs: dict[str, Cost]) -> None:
    """Without leases each process loads it. 22 commands are sent, where a poll of 50 ms sends 43."""
    assert (costs[LEASE].loads, costs[LEASE].errors, costs[NO_LEASE].loads) == (1, 0, bench_lease.PROCESSES)
    assert costs[LEASE].commands <= 30 < costs[POLL_50].commands < costs[POLL_1].commands


@bound_in_tiers(landing=1.3, soak=1.1)
def test_the_last_answer_comes_soon_after_the_load(costs: dict[str, Cost], bound: float) -> None:
    """Those that wait are told: 1.03 to 1.04 times the load."""
    assert costs[LEASE].last_s <= bound * LOAD_S


@pytest.mark.long
@pytest.mark.parametrize("peer", OTHERS)
def test_no_other_way_has_fewer_loads_and_commands(costs: dict[str, Cost], peer: str) -> None:
    """redis-py's lock comes near, with 27 commands; but its last answer comes 1.4 times the load after the first."""
    if peer not in costs:
        pytest.skip(f"{peer} is not installed, or does not run with this redis-py")
    assert costs[peer].loads >= costs[LEASE].loads
    assert costs[peer].commands > costs[LEASE].commands
