"""libcachesim, the referee of the eviction policies, by the authors of SIEVE and S3-FIFO. Only tests use it."""

import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["NAMES", "Verdict", "process_trace", "write_trace"]

NAMES = {
    "FIFO": "FIFO",
    "LFU": "LFU",
    "LRU": "LRU",
    "OPT": "Belady",
    "S3FIFO": "S3FIFO",
    "SIEVE": "Sieve",
    "WTinyLFU": "WTinyLFU",
}
"""The referee's name for each policy of ours."""
NEVER = -1


class Verdict(NamedTuple):
    """How many of the requests hit, and how many seconds of processor time the referee took."""

    hits: int
    seconds: float


def write_trace(keys: Sequence[int], path: Path) -> Path:
    """Write a trace in the referee's binary format: time, key, size 1, and the number of the key's next request."""
    next_use: dict[int, int] = {}
    records: list[bytes] = []
    for number in range(len(keys) - 1, -1, -1):
        records.append(struct.pack("<IQIq", number, keys[number], 1, next_use.get(keys[number], NEVER)))
        next_use[keys[number]] = number
    path.write_bytes(b"".join(reversed(records)))
    return path


def process_trace(policy: str, size: int, trace: Path, **options: Any) -> Verdict:
    """Replay a trace that `write_trace` has written through the referee's version of a policy of ours."""
    import libcachesim

    cache = getattr(libcachesim, NAMES[policy])(size, **options)
    reader = libcachesim.TraceReader(str(trace), libcachesim.TraceType.ORACLE_GENERAL_TRACE)
    requests = trace.stat().st_size // struct.calcsize("<IQIq")
    start = time.process_time()
    miss_ratio, _ = cache.process_trace(reader)
    return Verdict(round((1 - miss_ratio) * requests), time.process_time() - start)
