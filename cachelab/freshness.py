"""Freshness: how long an entry is fresh, when a reader should have it loaded again, how long it may be served stale.

Problem: when a popular entry expires, every caller that wants it while it is being loaded must wait, or loads it too.
    And entries that were filled together expire together.
Idea: three answers, which can be combined.
    stale-while-revalidate  for `stale_for` seconds after its TTL an entry is served stale, while it is loaded again in
                            the background; if the origin fails, this goes on until `stale_for` is over
                            (stale-if-error). RFC 5861 has a window for each of the two; here one number is both
    early recomputation     shortly before the entry ends, each reader draws a random number U, and the longer a load
                            takes (δ), the earlier a reader may have it loaded again: now − δ·β·ln(U) ≥ expiry (XFetch)
    jitter                  each entry's TTL is ttl·(1 ± j), so that entries that were filled together expire apart
Guarantee: no read of the cache is answered with an entry later than its own TTL, jitter and `stale_for` allow, nor
    later than the level below would serve it. A stale entry is never stored as fresh. An absence is never served stale.
Not guaranteed: that there is a reader in time: a key that is not read before its end is loaded while its reader waits.
    That only one reader's draw starts a load: without a flight, e^(1/β) readers load on average. That a failing origin
    is left alone: each stale read tries again, one at a time for each key where there is a flight.
Cost: a hit pays nothing until a refresh may be due; from then on, a logarithm and a random number for each read.
Source: Vattani, Chierichetti, Lowenstein, "Optimal probabilistic cache stampede prevention", PVLDB 8(8), 2015 (XFetch);
    RFC 5861 (stale-while-revalidate, stale-if-error); AWS Builders' Library, "Timeouts, retries and backoff with
    jitter".
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, log
from typing import Any

from cachelab.entry import ABSENT, Entry, checked_function, checked_number

__all__ = ["Freshness"]

EARLY_WINDOW = 20  # in units of δ·β: any earlier, one draw in e^20 (500 million) would ask for a refresh


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """With the defaults nothing changes: an entry is fresh for its TTL, and then it is gone.

    `stale_for`  seconds after its TTL in which an entry is served stale
    `beta`       β of XFetch: 0 is never early, 1 is the paper's choice, more is earlier
    `jitter`     j, at least 0 and less than 1
    `random`     for tests: returns U, at least 0 and less than 1

    Raises ValueError for other numbers, and TypeError for what is no int or float, or no function.
    """

    stale_for: float = 0.0
    beta: float = 0.0
    jitter: float = 0.0
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        for name in ("stale_for", "beta", "jitter"):
            checked_number(name, getattr(self, name))
        checked_function("random", self.random)
        if not (self.stale_for >= 0 and 0 <= self.beta < inf and 0 <= self.jitter < 1):
            raise ValueError(f"Freshness needs stale_for >= 0 seconds, 0 <= beta < inf, 0 <= jitter < 1, not {self}.")

    def stamp(self, loaded: Entry[Any], now: float, ttl: float, load_time_s: float) -> Entry[Any]:
        """The entry to store for `loaded`, whose load took `load_time_s` seconds and ended at `now`.

        It is fresh for no longer, and served for no longer, than `loaded`: the level below has set those limits.
        """
        if self.jitter:
            ttl *= 1 + self.jitter * (2 * self.random() - 1)  # ttl·(1 ± j)
        fresh_until = min(now + ttl, loaded.fresh_until)
        stale_for = 0.0 if loaded.value is ABSENT else self.stale_for
        expires = min(fresh_until + stale_for, loaded.expires)
        refresh_from = fresh_until - EARLY_WINDOW * load_time_s * self.beta
        return Entry(loaded.value, expires, fresh_until, refresh_from, load_time_s)

    def should_refresh(self, entry: Entry[Any], now: float) -> bool:
        """Whether the reader that reads `entry` at `now` should have it loaded again. Each call draws anew."""
        # now − δ·β·ln(U) ≥ expiry, where U = 1 − random() is never 0
        return now - entry.load_time_s * self.beta * log(1 - self.random()) >= entry.fresh_until
