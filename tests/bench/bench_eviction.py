"""How fast a trace is replayed: our policies beside libcachesim's LRU, and beside cachetools and theine.

libcachesim, which is written in C and reads the trace from a file, is the yardstick. Its hash table gets the size that
suits this trace best, since a table of its default size takes several times as long to fill. The figures are processor
times, and of several rounds the least: other work can only add to them, and it adds most to those of Python.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import cachetools

from cachelab.eviction import FIFO, LFU, LRU, S3FIFO, SIEVE, Policy, WTinyLFU, count_hits, lru_curve
from cachelab.lab import zipf_trace
from tests.bench.timing import Round, interleaved, missing
from tests.support.referee import process_trace, write_trace

__all__ = [
    "AT_DEFAULT",
    "CURVE_SIZES",
    "KEYS",
    "PEERS",
    "POLICIES",
    "REQUESTS",
    "YARDSTICK",
    "curve_seconds",
    "measure",
]

REQUESTS, KEYS = 1_000_000, 100_000
POLICIES: list[type[Policy[int]]] = [FIFO, LRU, LFU, SIEVE, S3FIFO, WTinyLFU]
YARDSTICK, AT_DEFAULT = "libcachesim LRU", "libcachesim LRU, default table"
PEERS = {"FIFO": "cachetools FIFO", "LRU": "cachetools LRU", "LFU": "cachetools LFU", "WTinyLFU": "theine W-TinyLFU"}
"""The peer that has the same policy."""
TABLE_POWER = 18
CURVE_SIZES = range(KEYS // 20, KEYS + 1, KEYS // 20)


def _timed(replay: Callable[[], object]) -> Round:
    async def one_round() -> float:
        start = time.process_time()
        replay()
        return (time.process_time() - start) / REQUESTS

    return one_round


def _replay_ours(policy: type[Policy[int]], size: int, keys: list[int]) -> None:
    count_hits(policy(size), keys)


def _replay_cachetools(policy: Callable[[int], Any], size: int, keys: list[int]) -> None:
    peer = policy(size)
    get = peer.get
    for key in keys:
        if get(key) is None:
            peer[key] = True


def _replay_theine(size: int, keys: list[int]) -> None:
    import theine

    tlfu: Any = theine.Cache(size)
    get, set_ = tlfu.get, tlfu.set
    for key in keys:
        _, found = get(key)
        if not found:
            set_(key, True)
    tlfu.close()


@cache
def _has_theine() -> bool:
    try:
        _replay_theine(1, [])
    except ModuleNotFoundError as error:
        print(missing(error))
        return False
    return True


async def measure(size: int, rounds: int = 5) -> dict[str, float]:
    """The least processor seconds of a request for each. A peer that is not installed is named and left out."""
    keys = zipf_trace(REQUESTS, KEYS, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        trace = write_trace(keys, Path(folder) / "trace")

        def referee(**options: int) -> Round:
            async def one_round() -> float:
                return process_trace("LRU", size, trace, **options).seconds / REQUESTS

            return one_round

        ways = {YARDSTICK: referee(hashpower=TABLE_POWER), AT_DEFAULT: referee()}
        for policy in POLICIES:
            ways[policy.__name__] = _timed(partial(_replay_ours, policy, size, keys))
        for name, peer in (("FIFO", cachetools.FIFOCache), ("LRU", cachetools.LRUCache), ("LFU", cachetools.LFUCache)):
            ways[PEERS[name]] = _timed(partial(_replay_cachetools, peer, size, keys))
        if _has_theine():
            ways[PEERS["WTinyLFU"]] = _timed(partial(_replay_theine, size, keys))
        return await interleaved(ways, rounds, min)


def curve_seconds() -> float:
    """The seconds that an LRU curve over 20 sizes takes."""
    keys = zipf_trace(REQUESTS, KEYS, 1.0)
    start = time.perf_counter()
    lru_curve(keys, CURVE_SIZES)
    return time.perf_counter() - start


def main() -> None:
    """Print the speed of each as a share of the yardstick's speed."""
    for size in (KEYS // 10, KEYS // 100):
        least = asyncio.run(measure(size))
        print(f"{REQUESTS:,} requests by Zipf's law for {KEYS:,} keys, room for {size:,}: speed, yardstick = 1")
        for name, seconds in least.items():
            print(f"  {name:<30}  {least[YARDSTICK] / seconds:6.3f}  {seconds * 1e9:8,.0f} ns a request")
    print(f"An LRU curve over {len(CURVE_SIZES)} sizes: {curve_seconds():.1f} s")


if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as error:
        if error.name != "libcachesim":
            raise
        sys.exit("libcachesim, the yardstick, is not installed. The extra `test` brings it, on Linux on x86-64.")
