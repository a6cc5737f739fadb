"""The bounds on a question to the Bloom filter, as ratios within one run, and its size beside rbloom's."""

import asyncio

import pytest

from tests.bench import bench_bloom
from tests.bench.bench_bloom import ADD, HASH, OURS, PEER, PEER_BLAKE2B
from tests.bench.tiers import bound_in_tiers
from tests.bench.timing import missing

pytestmark = pytest.mark.xdist_group("bench")


@pytest.fixture(scope="module")
def seconds() -> dict[str, float]:
    """One run with all competitors in turns."""
    try:
        return asyncio.run(bench_bloom.measure())
    except ModuleNotFoundError as error:
        pytest.fail(missing(error), pytrace=False)


@bound_in_tiers(landing=3.6, soak=2.6)
def test_a_question_costs_little_more_than_its_hash(seconds: dict[str, float], bound: float) -> None:
    """The key's name and a blake2b digest, and then up to seven bits in Python: 2.1 times."""
    assert seconds[OURS] <= bound * seconds[HASH]


@bound_in_tiers(landing=2.0, soak=1.4)
def test_an_add_costs_little_more_than_a_question(seconds: dict[str, float], bound: float) -> None:
    """It sets all seven bits, where a question about an unknown key ends at the first that is not set: 1.2 times."""
    assert seconds[ADD] <= bound * seconds[OURS]


@bound_in_tiers(landing=2.7, soak=2.0)
def test_with_the_same_hash_it_is_not_far_from_rust(seconds: dict[str, float], bound: float) -> None:
    """Against rbloom with blake2b, for which it calls Python: 1.7 times."""
    assert seconds[OURS] <= bound * seconds[PEER_BLAKE2B]


@bound_in_tiers(landing=50.0, soak=35.0)
def test_rbloom_with_the_hash_of_python_is_much_quicker(seconds: dict[str, float], bound: float) -> None:
    """25 times. That hash of a string is another one in each process, so such a filter cannot be shared or saved."""
    assert 5 * seconds[PEER] < seconds[OURS] <= bound * seconds[PEER]


@pytest.mark.long
def test_it_is_as_large_as_rbloom_and_errs_as_rarely() -> None:
    """Both follow the formula: 9.585 bits for each key, and one in a hundred unknown keys is found."""
    try:
        sizes = bench_bloom.sizes()
    except ModuleNotFoundError as error:
        pytest.fail(missing(error), pytrace=False)
    assert abs(sizes[OURS][0] - sizes[PEER][0]) < 8 / bench_bloom.EXPECTED
    assert [0.008 < rate < 0.012 for _, rate in sizes.values()] == [True, True]
