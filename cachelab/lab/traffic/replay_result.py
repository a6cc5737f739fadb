"""The trace: one row for each request, and the few summaries that the chapters need."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from cachelab.lab.sim.database import Query

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "ReplayResult"]


class Row(NamedTuple):
    """One request: seconds since the start, where, what, how it was answered, how long it took, how stale it was.

    `cache` is the name of the cache that answered the caller, "" where none told; then `outcome` is "miss" if the
    request made a query and "hit" if not. `version` is the commit number of the answer, None if it had none.
    """

    when: float
    node: int
    key: int
    op: str
    cache: str
    outcome: str
    result: str
    latency_s: float
    version: int | None
    stale_s: float
    error: str


@dataclass
class ReplayResult:
    """What `replay` saw. `frame` has the rows as a DataFrame, `queries` the origin's side of it.

    Ratios and percentiles are over reads. `seconds` is the length of the workload, `capacity` the origin's C / s.
    """

    rows: list[Row]
    queries: list[Query]
    seconds: float
    start: float = 0.0
    capacity: float | None = None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame, one column for each field of `Row`."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=Row._fields)

    @cached_property
    def reads(self) -> list[Row]:
        """The rows that are reads. Raises ValueError if there are none: nothing can be said about their latency."""
        reads = [row for row in self.rows if row.op == "read"]
        if not reads:
            raise ValueError("This trace has no reads: give the workload a rate above 0 reads per second.")
        return reads

    def share(self, *outcomes: str) -> float:
        """The share of reads with one of these outcomes, 0 to 1."""
        return sum(row.outcome in outcomes for row in self.reads) / len(self.reads)

    @property
    def hit_ratio(self) -> float:
        """The share of reads answered from the cache, fresh or stale, 0 to 1."""
        return self.share("hit", "stale")

    @property
    def error_share(self) -> float:
        """The share of requests that ended in an error, 0 to 1."""
        return sum(row.result == "error" for row in self.rows) / len(self.rows)

    @property
    def stale_share(self) -> float:
        """The share of reads whose answer was out of date when it arrived, 0 to 1."""
        return sum(row.stale_s > 0 for row in self.reads) / len(self.reads)

    @property
    def max_stale_s(self) -> float:
        """How long the most outdated answer had been out of date, in seconds."""
        return max(row.stale_s for row in self.reads)

    @property
    def mean_latency_s(self) -> float:
        """Mean seconds from asking to the answer."""
        return math.fsum(row.latency_s for row in self.reads) / len(self.reads)

    @cached_property
    def sorted_latencies_s(self) -> list[float]:
        """The latencies of the reads in seconds, shortest first."""
        return sorted(row.latency_s for row in self.reads)

    def percentile_s(self, percent: float) -> float:
        """The latency in seconds that `percent` % of the reads do not exceed (the nearest rank)."""
        ranked = self.sorted_latencies_s
        return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]

    @property
    def origin_load(self) -> float:
        """Read queries at the origin per second of the workload."""
        return sum(query.kind == "read" for query in self.queries) / self.seconds

    def queries_per_second(self, bin_s: float = 1.0) -> list[float]:
        """Queries that began in each interval of `bin_s` seconds, per second, from the start on."""
        counts = [0] * (1 + int(max((query.began - self.start for query in self.queries), default=0.0) / bin_s))
        for query in self.queries:
            counts[int((query.began - self.start) / bin_s)] += 1
        return [count / bin_s for count in counts]

    def digest(self) -> str:
        """A fingerprint of every row and query, to the nanosecond: the same seed must give the same one anywhere."""
        sha = hashlib.sha256()
        for row in self.rows:
            sha.update(repr(tuple(round(x, 9) if isinstance(x, float) else x for x in row)).encode())
        for query in self.queries:
            sha.update(f"{query.kind} {query.key} {query.asked:.9f} {query.began:.9f} {query.ended:.9f}".encode())
        return sha.hexdigest()[:16]
