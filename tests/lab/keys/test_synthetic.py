"""Traces made by a rule."""

import hashlib
import math
from collections import Counter
from collections.abc import Callable

import pytest

from cachelab import lab


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
def test_a_synthetic_trace_is_the_same_everywhere(make: Callable[[], list[int]], digest: str) -> None:
    """Its digest is the one written here, with every version of Python."""
    assert hashlib.sha256(repr(make()).encode()).hexdigest()[:16] == digest


def test_the_keys_of_a_zipf_trace_follow_their_popularity() -> None:
    """Each key has its share of the requests, within five standard deviations."""
    counts = Counter(lab.zipf_trace(20_000, 50, 0.9))
    for key, probability in enumerate(lab.zipf_popularity(50, 0.9), start=1):
        assert abs(counts[key] - 20_000 * probability) < 5 * math.sqrt(20_000 * probability)


def test_a_scan_requests_each_of_its_keys_once() -> None:
    """A quarter of the requests are for keys above the popular ones, and each of these keys comes once."""
    scanned = [key for key in lab.scan_trace(20_000, 1_000) if key > 1_000]
    assert (len(scanned), len(set(scanned))) == (5_000, 5_000)


def test_a_loop_repeats_its_keys_in_order() -> None:
    """After the last key comes the first one again."""
    assert lab.loop_trace(7, 3) == [1, 2, 3, 1, 2, 3, 1]


def test_the_hot_set_of_a_shifting_trace_moves() -> None:
    """From each part to the next, the most popular key rises by a quarter of the number of keys."""
    keys = lab.shifting_trace(20_000, 1_000, moves=3)
    hottest = [Counter(keys[start : start + 5_000]).most_common(1)[0][0] for start in range(0, 20_000, 5_000)]
    assert hottest == [1, 251, 501, 751]


@pytest.mark.parametrize("make", [lab.zipf_trace, lab.scan_trace, lab.loop_trace, lab.shifting_trace])
@pytest.mark.parametrize("numbers", [(0, 5), (5, 0)])
def test_an_empty_trace_is_refused(make: Callable[[int, int], list[int]], numbers: tuple[int, int]) -> None:
    """The error says in one sentence what a trace needs."""
    with pytest.raises(ValueError, match="at least one request and one key, not"):
        make(*numbers)
