"""Freshness: how long an entry is good, when a reader should have it loaded anew, and how long it may still be served.

Problem: when a popular entry expires, everybody who asks while it is loaded again has to wait, or loads, too; and
    entries that were filled together expire together.
Idea: three answers, which can be combined.
    stale-while-revalidate  for `stale_for` seconds after its TTL an entry is served stale while it is loaded in the
                            background; if the origin fails, this goes on (stale-if-error) until `stale_for` is over
    early recomputation     a reader throws a die shortly before the end, and the longer a load takes (δ), the earlier
                            it may come up: now − δ·β·ln(U) ≥ expiry (XFetch)
    jitter                  each entry's TTL is ttl·(1 ± j), so that what was filled together expires apart
Guarantee: nothing is served later than its own TTL, jitter and `stale_for` allow, nor later than the level below would
    serve it; what is stale is never stored as fresh. An absence is never served stale.
Not guaranteed: that somebody asks in time: a key that nobody reads before its end is loaded while its reader waits.
    That only one reader's die comes up: without a flight, e^(1/β) of them load on average. That a failing origin is
    left alone: each stale read tries again, one at a time for each key where there is a flight.
Cost: a hit pays nothing until it is due; from then on a logarithm and a random number for each read.
Source: Vattani, Chierichetti, Lowenstein, "Optimal probabilistic cache stampede prevention", PVLDB 8(8), 2015 (XFetch);
    RFC 5861 (the two stale-…); AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, log
from typing import Any

from cachelab.entry import ABSENT, Entry

__all__ = ["Freshness"]

EARLIEST = 20  # in units of δ·β: earlier than that the die comes up once in 500 million reads, e^20


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """The defaults change nothing: fresh for its TTL, then gone.

    `stale_for`  seconds after its TTL in which an entry is served stale
    `beta`       β of XFetch: 0 never early, 1 the paper's choice, more is earlier
    `jitter`     j, from 0 to less than 1
    `random`     for tests: returns U, at least 0 and less than 1

    Raises ValueError for anything else.
    """

    stale_for: float = 0.0
    beta: float = 0.0
    jitter: float = 0.0
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if not (self.stale_for >= 0 and 0 <= self.beta < inf and 0 <= self.jitter < 1):
            raise ValueError(f"Freshness needs stale_for >= 0 seconds, 0 <= beta < inf, 0 <= jitter < 1, not {self}.")

    def stamp(self, loaded: Entry[Any], now: float, ttl: float, load_time_s: float) -> Entry[Any]:
        """The entry to store for what a load that took `load_time_s` seconds brought, no better than it is below."""
        if self.jitter:
            ttl *= 1 + self.jitter * (2 * self.random() - 1)  # ttl·(1 ± j)
        fresh_until = min(now + ttl, loaded.fresh_until)
        stale_for = 0.0 if loaded.value is ABSENT else self.stale_for
        expires = min(fresh_until + stale_for, loaded.expires)
        refresh_from = fresh_until - EARLIEST * load_time_s * self.beta
        return Entry(loaded.value, expires, fresh_until, refresh_from, load_time_s)

    def should_refresh(self, entry: Entry[Any], now: float) -> bool:
        """Whether this reader should have the entry loaded anew."""
        # now − δ·β·ln(U) ≥ expiry
        return now - entry.load_time_s * self.beta * log(1 - self.random()) >= entry.fresh_until
