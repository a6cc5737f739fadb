"""The result of a replay: one row for each request, and the few summaries that the chapters need."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from cachelab.lab.sim.database import Query

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReplayResult", "Row"]


class Row(NamedTuple):
    """One request: when and where it came, what it asked for, how it was answered, after how long, and how stale.

    `when`       seconds since the start of the replay
    `op`         "read" or "write"
    `cache`      the name of the cache that the request called; "" if no cache reported to `lab.listen`
    `outcome`    as that cache reported it; without a report, "hit" if the request made no query and raised no error,
                 otherwise "miss"; "" for a write. "stale" means served after the end of its TTL
    `result`     "value", "absent" or "error"; `error` is the name of the error's type
    `version`    the commit number of the answer, None if it had none
    `stale_s`    for how many seconds the answer had been out of date when it arrived, whatever the outcome: a hit may
                 be out of date, and a value past its TTL may be the latest
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
    """What happened in a replay: the `rows`, and the `queries` that the origin served meanwhile.

    `refused` has the moments, in seconds since the start, of the calls that an origin refused because it was down
    (`lab.Down`). They are no queries.

    Ratios and percentiles are over reads, but `error_share` is over all requests. `seconds` is the length of the
    workload. `start` is when the replay began, in seconds on the loop's clock. `capacity` is how many queries the
    origin can serve per second. `attempts` is when each attempt of a reader began, in seconds since the start of the
    replay: there are more of them than reads if readers try again.
    """

    rows: list[Row]
    queries: list[Query]
    seconds: float
    start: float = 0.0
    capacity: float | None = None
    refused: Sequence[float] = ()
    attempts: Sequence[float] = ()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame, one column for each field of `Row`."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=Row._fields)

    @cached_property
    def reads(self) -> list[Row]:
        """The rows that are reads. Raises ValueError if there are none, for then nothing can be said about them."""
        reads = [row for row in self.rows if row.op == "read"]
        if not reads:
            raise ValueError("This result has no reads: give the workload a rate above 0 reads per second.")
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
        """The share of all requests, reads and writes, that ended in an error, 0 to 1."""
        return sum(row.result == "error" for row in self.rows) / len(self.rows)

    def answered_share(self, start: float, end: float) -> float:
        """The share of the reads sent from `start` until before `end` that got an answer, 0 to 1; 1 if there were none.

        Both are in seconds since the start of the replay.
        """
        answered = [row.result != "error" for row in self.reads if start <= row.when < end]
        return sum(answered) / len(answered) if answered else 1.0

    def back_after_s(self, moment: float, share: float = 0.99, over_s: float = 5.0) -> float:
        """How many whole seconds after `moment` the service is back, or `math.inf` if it does not come back.

        It is back if from then on, in any `over_s` seconds that begin with a whole second after `moment`, the share of
        the reads that are answered is `share` or more. What is not observed for `over_s` seconds does not count.
        """
        begins = range(int(self.seconds - moment - over_s) + 1)
        good = [self.answered_share(moment + begin, moment + begin + over_s) >= share for begin in begins]
        last_bad = max((begin for begin in begins if not good[begin]), default=-1)
        return last_bad + 1 if last_bad + 1 < len(good) else math.inf

    @property
    def stale_share(self) -> float:
        """The share of reads whose answer was out of date when it arrived, 0 to 1. For outcomes, see `share`."""
        return sum(row.stale_s > 0 for row in self.reads) / len(self.reads)

    @property
    def max_stale_s(self) -> float:
        """How long the most outdated answer had been out of date, in seconds."""
        return max(row.stale_s for row in self.reads)

    @property
    def mean_latency_s(self) -> float:
        """The mean time from a read to its answer, in seconds."""
        return math.fsum(row.latency_s for row in self.reads) / len(self.reads)

    @cached_property
    def sorted_latencies_s(self) -> list[float]:
        """The latencies of the reads in seconds, shortest first."""
        return sorted(row.latency_s for row in self.reads)

    def percentile_s(self, percent: float) -> float:
        """The latency in seconds that `percent` % of the reads do not exceed, by the nearest rank."""
        ranked = self.sorted_latencies_s
        return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]

    @property
    def origin_load(self) -> float:
        """Read queries at the origin, without writes, per second of the workload."""
        return sum(query.kind == "read" for query in self.queries) / self.seconds

    def queries_per_second(self, bin_s: float = 1.0, *, asked: bool = False) -> list[float]:
        """The rate of queries, reads and writes, in each `bin_s` seconds from the start, counted by when they began.

        With `asked` they are counted by when they were asked. That rate may be above what the origin can serve.
        """
        return _rates([(query.asked if asked else query.began) - self.start for query in self.queries], bin_s)

    def refused_per_second(self) -> list[float]:
        """How many calls were refused in each second from the start."""
        return _rates(self.refused, 1.0)

    def digest(self) -> str:
        """A fingerprint of every row and query, to the nanosecond. The same seed gives the same digest everywhere."""
        sha = hashlib.sha256()
        for row in self.rows:
            sha.update(repr(tuple(round(x, 9) if isinstance(x, float) else x for x in row)).encode())
        for query in self.queries:
            sha.update(f"{query.kind} {query.key} {query.asked:.9f} {query.began:.9f} {query.ended:.9f}".encode())
        return sha.hexdigest()[:16]


def _rates(moments: Sequence[float], bin_s: float) -> list[float]:
    """How many of the moments, in seconds, there are per second in each bin of `bin_s` seconds, from 0 to the last."""
    counts = [0] * (1 + int(max(moments, default=0.0) / bin_s))
    for moment in moments:
        counts[int(moment / bin_s)] += 1
    return [count / bin_s for count in counts]
