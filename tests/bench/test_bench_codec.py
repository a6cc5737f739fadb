"""The bounds on the envelope, as ratios within one run."""

import asyncio

import pytest

from tests.bench import bench_codec
from tests.bench.bench_codec import BARE, JSON, OURS, PICKLE, PROFILES

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("bench")]


@pytest.fixture(scope="module")
def seconds() -> dict[str, dict[str, float]]:
    """One run for each size, with all competitors in turns."""
    return {size: asyncio.run(bench_codec.measure(profile)) for size, profile in PROFILES.items()}


@pytest.mark.parametrize(("size", "times"), [("tiny", 4.0), ("1 kB", 2.5), ("10 kB", 1.8), ("100 kB", 1.7)])
def test_the_envelope_adds_a_constant_and_a_share(
    seconds: dict[str, dict[str, float]], size: str, times: float
) -> None:
    """Both ways, against the bare value through msgspec, which is the quickest there is."""
    assert seconds[size][OURS] <= times * seconds[size][BARE]


@pytest.mark.parametrize("peer", [JSON, PICKLE])
@pytest.mark.parametrize("size", PROFILES)
def test_with_its_envelope_it_is_quicker_than_others_without(
    seconds: dict[str, dict[str, float]], size: str, peer: str
) -> None:
    """Checksum, key, version and times included, against the standard library's serializers of the bare value."""
    assert seconds[size][OURS] < seconds[size][peer]
