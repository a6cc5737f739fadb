"""The sketch: counts of many keys in a few bytes."""

import math
from collections import Counter

import pytest
from hypothesis import given, strategies as st

from cachelab.eviction import Sketch
from cachelab.eviction.sketch import digest, secret_digest
from cachelab.lab import zipf_trace
from tests.support.eviction_models import SketchModel
from tests.support.fakes import PROPERTY


@PROPERTY
@given(capacity=st.integers(1, 20), notes=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 255)), max_size=99))
def test_it_does_what_the_obvious_model_does(capacity: int, notes: list[tuple[int, int]]) -> None:
    """Each of two places keeps the most that was noted; the smaller is the estimate. A 0 means halving all."""
    sketch, model = Sketch(capacity), SketchModel(capacity)
    for key, count in notes:
        if count:
            sketch.note(digest(key), count)
            model.note(key, count)
        else:
            sketch.halve()
            model.halve()
    assert [sketch.estimate(digest(key)) for key in range(1, 31)] == [model.estimate(key) for key in range(1, 31)]


def test_an_estimate_is_never_too_low() -> None:
    """It is too high for keys that share both places with others, and these are no more than by chance."""
    sketch = Sketch(1_000)
    truth = Counter(zipf_trace(9_999, 10_000, 0.8))
    for key, count in truth.items():
        sketch.note(digest(key), min(count, 15))
    over = [sketch.estimate(digest(key)) - min(count, 15) for key, count in truth.items()]
    assert min(over) == 0
    sharing = (1 - math.exp(-2 * len(truth) / 65_536)) ** 2
    assert 0 < sum(excess > 0 for excess in over) / len(over) < sharing


@pytest.mark.parametrize("capacity", [1, 1_365, 1_366, 43_690])
def test_a_sketch_has_48_to_96_bytes_for_each_entry(capacity: int) -> None:
    """As many as the next power of two."""
    assert 48 * capacity <= len(Sketch(capacity)._counts) < 96 * capacity


@pytest.mark.parametrize("capacity", [1_365, 10_922])
def test_at_most_12_percent_share_both_places(capacity: int) -> None:
    """The sketch has its least bytes for an entry, and 10 keys for each. With the checksum it is at most twice as much.

    Another 20,000 keys are unknown; those whose estimate is above 0 share both places.
    """
    for hashed, most in ((secret_digest(), 0.12 + 0.015), (digest, 2 * 0.12)):
        for name in (int, "user:{}".format):
            sketch = Sketch(capacity)
            for number in range(10 * capacity):
                sketch.note(hashed(name(number)), 1)
            sharing = sum(sketch.estimate(hashed(name(number))) for number in range(10**7, 10**7 + 20_000))
            assert sharing / 20_000 <= most


@pytest.mark.parametrize("capacity", [100, 10_000, 50_000])
def test_keys_spread_over_all_counters(capacity: int) -> None:
    """Unknown keys seem known about as rarely as by chance, whether keys are consecutive numbers or strings.

    A checksum is not a random function: for some such sets it is up to three times as often.
    """
    known, unknown = range(8 * capacity), range(10**7, 10**7 + 20_000)
    counters = 1 << math.ceil(math.log2(48 * capacity))
    for name in (int, "user:{}".format):
        sketch = Sketch(capacity)
        for number in known:
            sketch.note(digest(name(number)), 1)
        mistaken = sum(sketch.estimate(digest(name(number))) for number in unknown)
        expected = (1 - math.exp(-2 * len(known) / counters)) ** 2
        assert 0 < mistaken / len(unknown) < 4 * expected
