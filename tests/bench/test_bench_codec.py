"""The bounds on the envelope, as ratios within one run."""

import asyncio

import pytest

from tests.bench import bench_codec
from tests.bench.bench_codec import BARE, JSON, OURS, PICKLE, PROFILES
from tests.bench.tiers import bound_in_tiers, bounds_in_tiers

pytestmark = pytest.mark.xdist_group("bench")


@pytest.fixture(scope="module")
def seconds() -> dict[str, dict[str, float]]:
    """One run for each size, with all competitors in turns."""
    return {size: asyncio.run(bench_codec.measure(profile)) for size, profile in PROFILES.items()}


@bounds_in_tiers("size", {"tiny": (5.0, 4.0), "1 kB": (3.0, 2.5), "10 kB": (2.2, 1.8), "100 kB": (2.1, 1.7)})
def test_the_envelope_adds_a_constant_and_a_share(
    seconds: dict[str, dict[str, float]], size: str, bound: float
) -> None:
    """Both ways, against the bare value through msgspec, which nothing else beats: 3.1, 1.8, 1.4 and 1.3 times."""
    assert seconds[size][OURS] <= bound * seconds[size][BARE]


@pytest.mark.long
@pytest.mark.parametrize("size", PROFILES)
def test_with_its_envelope_it_is_quicker_than_json_without(seconds: dict[str, dict[str, float]], size: str) -> None:
    """Checksum, key, version and times included, against the standard library's json of the bare value: 0.3 to 0.42."""
    assert seconds[size][OURS] < seconds[size][JSON]


@pytest.mark.parametrize("size", PROFILES)
@bound_in_tiers(landing=1.2, soak=1.0)
def test_with_its_envelope_it_is_quicker_than_pickle_without(
    seconds: dict[str, dict[str, float]], size: str, bound: float
) -> None:
    """The same against pickle: 0.62 to 0.79."""
    assert seconds[size][OURS] < bound * seconds[size][PICKLE]
