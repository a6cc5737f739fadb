"""Workloads: popularity, arrivals, random streams, and what is refused."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from cachelab.lab.traffic.workload import Workload

TRAFFIC = Workload(rate=100.0, seconds=100.0, keys=50, seed=1)


@pytest.mark.parametrize("zipf", [0.0, 0.8, 1.0, 1.5])
def test_popularity_follows_zipf(zipf: float) -> None:
    """The probability of rank r is r ** -zipf divided by the sum over all ranks."""
    popularity = Workload(rate=1.0, seconds=1.0, keys=4, zipf=zipf).popularity()
    total = sum(rank**-zipf for rank in (1, 2, 3, 4))
    assert popularity == pytest.approx([rank**-zipf / total for rank in (1, 2, 3, 4)])


def test_keys_are_drawn_by_their_popularity() -> None:
    """In ten thousand requests each key has its share, within five standard deviations."""
    requests = TRAFFIC.requests()
    counts = Counter(request.key for request in requests)
    for key, probability in enumerate(TRAFFIC.popularity(), start=1):
        expected = probability * len(requests)
        assert abs(counts[key] - expected) < 5 * math.sqrt(expected)


def test_arrivals_are_poisson() -> None:
    """The number of arrivals, and the mean and standard deviation of the gaps, are those of a Poisson process."""
    times = [0.0, *(request.when for request in TRAFFIC.requests())]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = math.fsum(gaps) / len(gaps)
    deviation = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert [len(gaps) / 1e6, mean, deviation] == pytest.approx([0.01, 0.01, 0.01], rel=0.03)


def test_the_gaps_are_exponential() -> None:
    """A share of 1/e of the gaps is longer than the mean."""
    times = [request.when for request in TRAFFIC.requests()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.02)


def test_requests_come_in_order_of_time() -> None:
    """Reads and writes are merged in order, and all come within the length of the workload."""
    times = [request.when for request in Workload(rate=50.0, write_rate=50.0, seconds=20.0, keys=5).requests()]
    assert times == sorted(times)
    assert 0.0 < times[0] < times[-1] <= 20.0


def test_times_are_whole_microseconds() -> None:
    """The last bits of a logarithm may differ between machines, but a rounded time does not."""
    assert all(request.when == round(request.when, 6) for request in TRAFFIC.requests())


def test_the_same_seed_gives_the_same_requests_and_another_seed_others() -> None:
    """A workload is a value: equal parameters give equal requests."""
    again, other = (Workload(rate=100.0, seconds=100.0, keys=50, seed=seed) for seed in (1, 2))
    assert (again.requests() == TRAFFIC.requests(), other.requests() == TRAFFIC.requests()) == (True, False)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"write_rate": 20.0}, ("when", "node", "key")),
        ({"nodes": 5}, ("when", "key")),
        ({"zipf": 0.5}, ("when", "node")),
        ({"keys": 10}, ("when", "node")),
    ],
    ids=str,
)
def test_each_parameter_has_a_random_stream_of_its_own(change: dict[str, Any], kept: tuple[str, ...]) -> None:
    """A change of one parameter changes nothing else: more writes change no read, and more nodes no key."""
    changed = Workload(**{"rate": 100.0, "seconds": 100.0, "keys": 50, "seed": 1} | change)
    reads = [request for request in changed.requests() if not request.write]
    for field in kept:
        assert [getattr(r, field) for r in reads] == [getattr(r, field) for r in TRAFFIC.requests()]


def test_writes_come_at_their_own_rate() -> None:
    """Writes are added to the reads and do not replace any."""
    requests = Workload(rate=100.0, write_rate=20.0, seconds=100.0, keys=50).requests()
    writes = sum(request.write for request in requests)
    assert [writes, len(requests) - writes] == pytest.approx([2_000, 10_000], rel=0.05)


def test_every_node_gets_its_share() -> None:
    """The requests are spread evenly over the nodes."""
    counts = Counter(r.node for r in Workload(rate=100.0, seconds=100.0, keys=5, nodes=4).requests())
    assert [counts[node] / sum(counts.values()) for node in range(4)] == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"keys": 0}, "at least one key to ask for: keys=1_000, for example, not 0"),
        ({"nodes": 0}, "at least one node, not 0"),
        ({"rate": 0.0}, "a finite rate above 0 requests per second"),
        ({"rate": -1.0, "write_rate": 5.0}, "a finite rate above 0 requests per second"),
        ({"rate": math.nan}, "a finite rate above 0 requests per second"),
        ({"rate": math.inf}, "rate"),
        ({"write_rate": math.inf}, "rate"),
        ({"seconds": 0.0}, "a finite length above 0 seconds"),
        ({"seconds": math.inf}, "a finite length above 0 seconds"),
        ({"zipf": -1.0}, "a skew of 0 or more"),
    ],
    ids=str,
)
def test_a_workload_that_cannot_be_sent_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    """The error comes when the workload is made, and not as a hang when it is replayed."""
    with pytest.raises(ValueError, match=f"A workload needs.*{sentence}"):
        Workload(**{"rate": 10.0, "seconds": 10.0, "keys": 10} | wrong)
