"""Workloads: which key is requested when. Zipf popularity, Poisson arrivals, an open loop, all of it seeded.

Problem: a loop that waits for each answer before it sends the next request slows down together with the system under
    test, and so it hides the system's queues (coordinated omission).
Idea: decide the times of all requests beforehand. Each is sent at its time, whether or not the last one is answered.
Guarantee: the same numbers give the same requests on every machine and Python version. Times are rounded to a
    microsecond. Reads, writes, keys and nodes draw from random streams of their own, so that adding writes changes no
    read.
Not guaranteed: that your traffic looks like this. Only a trace of your own traffic does.
Cost: a few microseconds for each request, before the simulation starts.
Source: Yang et al., OSDI'20 (Twemcache traces) for Zipf; Schroeder et al., NSDI'06 for open and closed loops.
"""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import accumulate
from random import Random
from typing import NamedTuple

__all__ = ["Request", "Workload", "zipf_popularity"]


class Request(NamedTuple):
    """One request: seconds since the start, the node (0 to N-1), the key, and whether it is a write."""

    when: float
    node: int
    key: int
    write: bool = False


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`rate` reads per second for `seconds`, over the keys 1, the most popular, to `keys`.

    `zipf`        the popularity of the key of rank r is proportional to r ** -zipf; 0 makes all keys equally popular
    `write_rate`  writes per second, in addition to the reads and with the same popularity
    `nodes`       how many nodes there are; each request goes to one of them at random
    `seed`        another seed gives another sample of the same traffic

    Raises ValueError for numbers that make no traffic.
    """

    rate: float
    seconds: float
    keys: int
    zipf: float = 1.0
    write_rate: float = 0.0
    nodes: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.keys < 1:
            raise ValueError(f"A workload needs at least one key to ask for: keys=1_000, for example, not {self.keys}.")
        if self.nodes < 1:
            raise ValueError(f"A workload needs at least one node, not {self.nodes}.")
        if not (self.rate >= 0 and self.write_rate >= 0 and 0 < self.rate + self.write_rate < math.inf):
            raise ValueError("A workload needs a finite rate above 0 requests per second (rate=, write_rate=).")
        if not (0 < self.seconds < math.inf and self.zipf >= 0):
            raise ValueError(
                "A workload needs a finite length above 0 seconds (seconds=) and a skew of 0 or more (zipf=)."
            )

    def popularity(self) -> list[float]:
        """The probability of each key, the most popular first. The sum is 1."""
        return zipf_popularity(self.keys, self.zipf)

    def requests(self) -> list[Request]:
        """All requests, in order of time."""
        return list(_requests(self))

    def _stream(self, name: str, rate: float) -> list[Request]:
        """The requests of one kind, `name` being "reads" or "writes"."""
        arrivals, keys, nodes = (Random(f"{self.seed}/{name}/{what}") for what in ("arrivals", "keys", "nodes"))
        cumulative = list(accumulate(self.popularity()))
        last = self.keys - 1
        stream = []
        when = 0.0
        while rate > 0:
            when += -math.log(1.0 - arrivals.random()) / rate
            if when >= self.seconds:
                break
            key = 1 + min(bisect(cumulative, keys.random()), last)
            node = int(nodes.random() * self.nodes) if self.nodes > 1 else 0
            stream.append(Request(round(when, 6), node, key, name == "writes"))
        return stream


def zipf_popularity(keys: int, exponent: float) -> list[float]:
    """The probability of each key, the most popular first: proportional to rank ** -exponent. The sum is 1."""
    weights = [rank**-exponent for rank in range(1, keys + 1)]
    total = math.fsum(weights)  # `sum` rounds in another way from Python 3.12 on
    return [weight / total for weight in weights]


@lru_cache(maxsize=4)  # the same workload is usually replayed several times, against one variant after the other
def _requests(workload: Workload) -> tuple[Request, ...]:
    reads = workload._stream("reads", workload.rate)
    return tuple(merge(reads, workload._stream("writes", workload.write_rate)))
