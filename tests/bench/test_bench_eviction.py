"""The bounds on the speed of a replay: ratios within one run, in turns."""

import asyncio

import pytest

from tests.bench import bench_eviction
from tests.bench.bench_eviction import KEYS, PEERS, YARDSTICK

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.xdist_group("bench")]

pytest.importorskip("libcachesim", reason="libcachesim, the yardstick, is not installed: it has wheels for Linux only")


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """One run with all competitors in turns, room for a tenth of the keys."""
    return asyncio.run(bench_eviction.measure(KEYS // 10, rounds=4))


@pytest.mark.parametrize(
    ("policy", "share"),
    [("FIFO", 0.25), ("LRU", 0.25), ("SIEVE", 0.25), ("S3FIFO", 0.12), ("WTinyLFU", 0.07)],
)
def test_a_replay_has_a_share_of_libcachesims_speed(seconds: dict[str, float], policy: str, share: float) -> None:
    """Python against C, on the same million requests."""
    assert seconds[YARDSTICK] / seconds[policy] >= share


@pytest.mark.parametrize("policy", PEERS)
def test_a_replay_is_quicker_than_a_peers(seconds: dict[str, float], policy: str) -> None:
    """Each against the library that has the same policy."""
    if PEERS[policy] not in seconds:
        pytest.skip(f"{PEERS[policy]} is not installed")
    assert seconds[policy] < seconds[PEERS[policy]]


def test_an_lru_curve_is_quick() -> None:
    """A million requests and 20 sizes in less than 5 seconds."""
    assert bench_eviction.curve_seconds() < 5.0
