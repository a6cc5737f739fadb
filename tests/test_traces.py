"""Traces: those made by rule, those read from a file, the log to try it on, and the bar that shows how far it is."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable

import pytest

from cachelab import lab

# Traces made by rule


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (lambda: lab.zipf_trace(20_000, 1_000), "4cc1111a8a566102"),
        (lambda: lab.zipf_trace(20_000, 1_000, 0.8, seed=2), "ee347f6b3ee85401"),
        (lambda: lab.scan_trace(20_000, 1_000), "482867632bbcee8c"),
        (lambda: lab.loop_trace(20_000, 120), "71a6040cf4ec2daf"),
        (lambda: lab.shifting_trace(20_000, 1_000, moves=3), "b4de3c0b728f366c"),
    ],
    ids=["zipf", "zipf 0.8", "scan", "loop", "shifting"],
)
def test_a_made_trace_is_the_same_everywhere(make: Callable[[], list[int]], digest: str) -> None:
    """Its digest is the one written here, whichever Python runs it."""
    assert hashlib.sha256(repr(make()).encode()).hexdigest()[:16] == digest


def test_a_zipf_trace_asks_by_popularity() -> None:
    """Each key has its share of the requests, within five standard deviations."""
    counts = Counter(lab.zipf_trace(20_000, 50, 0.9))
    for key, probability in enumerate(lab.zipf_popularity(50, 0.9), start=1):
        assert abs(counts[key] - 20_000 * probability) < 5 * math.sqrt(20_000 * probability)


def test_a_scan_asks_for_each_of_its_keys_once() -> None:
    """A quarter of the requests are for keys above the popular ones, and no such key comes twice."""
    scanned = [key for key in lab.scan_trace(20_000, 1_000) if key > 1_000]
    assert (len(scanned), len(set(scanned))) == (5_000, 5_000)


def test_a_loop_goes_round() -> None:
    """Every key in order, then again from the first."""
    assert lab.loop_trace(7, 3) == [1, 2, 3, 1, 2, 3, 1]


def test_a_hot_set_moves() -> None:
    """The most popular key of each part stands a quarter of the keys above that of the part before."""
    keys = lab.shifting_trace(20_000, 1_000, moves=3)
    hottest = [Counter(keys[start : start + 5_000]).most_common(1)[0][0] for start in range(0, 20_000, 5_000)]
    assert hottest == [1, 251, 501, 751]


@pytest.mark.parametrize("make", [lab.zipf_trace, lab.scan_trace, lab.loop_trace, lab.shifting_trace])
@pytest.mark.parametrize("numbers", [(0, 5), (5, 0)])
def test_a_trace_of_nothing_is_refused(make: Callable[[int, int], list[int]], numbers: tuple[int, int]) -> None:
    """One sentence says what a trace needs."""
    with pytest.raises(ValueError, match="at least one request and one key, not"):
        make(*numbers)
