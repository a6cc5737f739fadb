"""Our policies against libcachesim: exactly the same hits on the same trace at the same size."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cachelab.eviction import FIFO, LFU, LRU, OPT, S3FIFO, SIEVE, Policy, WTinyLFU, count_hits
from cachelab.lab import loop_trace, scan_trace, shifting_trace, zipf_trace
from tests.support.referee import process_trace, write_trace

pytest.importorskip("libcachesim", reason="libcachesim, the referee, is not installed: it has wheels for Linux only")

REQUESTS, KEYS = 200_000, 10_000
TRACES: dict[str, Callable[[int], list[int]]] = {
    "zipf 0.8": lambda requests: zipf_trace(requests, KEYS, 0.8),
    "zipf 1.0": lambda requests: zipf_trace(requests, KEYS, 1.0),
    "zipf 1.2": lambda requests: zipf_trace(requests, KEYS, 1.2),
    "scan-polluted": lambda requests: scan_trace(requests, KEYS),
    "shifting": lambda requests: shifting_trace(requests, KEYS),
    "shifting often": lambda requests: shifting_trace(requests, KEYS, moves=9),
    "loop": lambda requests: loop_trace(requests, KEYS),
    "short loop": lambda requests: loop_trace(requests, 1_200),
}
EXACT: list[type[Policy[Any]]] = [FIFO, LFU, LRU, S3FIFO, SIEVE]
SIZES = [KEYS // 100, KEYS // 10]
QUICK_REQUESTS, QUICK = 50_000, ["zipf 1.0", "scan-polluted", "short loop"]
TABLE_POWER = 16
"""The referee's hash table has 2 to that power slots. The default, 24, takes longer to set up than a short trace."""

quick_traces = pytest.mark.parametrize("trace", QUICK)
every_trace = pytest.mark.parametrize("trace", TRACES)
every_size = pytest.mark.parametrize("size", SIZES)
every_exact_policy = pytest.mark.parametrize("policy", EXACT)


@cache
def keys_of(trace: str, requests: int) -> list[int]:
    """A trace. It is made once."""
    return TRACES[trace](requests)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """The file of a trace for the referee. It is written once."""
    folder = tmp_path_factory.mktemp("traces")
    return cache(lambda trace, requests: write_trace(keys_of(trace, requests), folder / f"{trace} {requests}"))


Written = Callable[[str, int], Path]


@quick_traces
@every_size
@every_exact_policy
def test_hits_are_those_of_libcachesim(policy: type[Policy[Any]], size: int, trace: str, written: Written) -> None:
    """On a shorter trace, for every policy whose rule leaves no choice."""
    assert_equal(policy, size, trace, QUICK_REQUESTS, written)


@pytest.mark.long
@every_trace
@every_size
@every_exact_policy
def test_hits_are_those_of_libcachesim_on_the_whole_grid(
    policy: type[Policy[Any]], size: int, trace: str, written: Written
) -> None:
    """On all traces, at full length."""
    assert_equal(policy, size, trace, REQUESTS, written)


@quick_traces
@every_size
def test_opt_has_the_hits_of_libcachesims_belady(size: int, trace: str, written: Written) -> None:
    """OPT is the policy that libcachesim calls Belady."""
    keys = keys_of(trace, QUICK_REQUESTS)
    assert count_hits(OPT(size, keys), keys).hits == referees_hits("OPT", size, trace, QUICK_REQUESTS, written)


@pytest.mark.parametrize("trace", ["zipf 1.0", "scan-polluted"])
@every_size
def test_w_tinylfu_is_near_that_of_libcachesim(size: int, trace: str, written: Written) -> None:
    """On a shorter trace."""
    assert_near(size, trace, QUICK_REQUESTS, written)


@pytest.mark.long
@every_trace
@every_size
def test_w_tinylfu_is_near_that_of_libcachesim_on_the_whole_grid(size: int, trace: str, written: Written) -> None:
    """On all traces, at full length."""
    assert_near(size, trace, REQUESTS, written)


def assert_equal(policy: type[Policy[Any]], size: int, trace: str, requests: int, written: Written) -> None:
    """Our hits are as many as the referee's."""
    ours = count_hits(policy(size), keys_of(trace, requests)).hits
    assert ours == referees_hits(policy.__name__, size, trace, requests, written)


def referees_hits(policy: str, size: int, trace: str, requests: int, written: Written) -> int:
    """How many hits the referee counts."""
    return process_trace(policy, size, written(trace, requests), hashpower=TABLE_POWER).hits


def assert_near(size: int, trace: str, requests: int, written: Written) -> None:
    """Our W-TinyLFU's hit ratio is at most .006 less than the referee's; it may be more, as its counts age faster."""
    ours = count_hits(WTinyLFU(size), keys_of(trace, requests)).hits
    referees = referees_hits("WTinyLFU", size, trace, requests, written)
    assert ours / requests >= referees / requests - 0.006
