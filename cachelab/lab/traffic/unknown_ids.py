"""Requests for ids that nobody has: what a crawler, a broken link or an attack sends.

Problem: a workload asks for users that exist. What does not exist has no popularity: each id may be asked for once.
Idea: ids drawn at random from a range far above that of the lab's users, at random times, as a list of requests that is
    joined with those of a workload.
Guarantee: the same numbers give the same requests on every machine and Python version. Times are rounded to a
    microsecond. No id is one of a user of a `SlowDatabase`, and hardly any comes twice.
Not guaranteed: that your attackers draw at random. Some count upwards, and some repeat what they have found.
Cost: a few microseconds for each request.
Source: the arrivals are those of `cachelab.lab.traffic.workload`.
"""

from __future__ import annotations

import math
from random import Random

from cachelab.lab.traffic.workload import Request

__all__ = ["unknown_ids"]

LOWEST, HIGHEST = 2**40, 2**62


def unknown_ids(rate: float, start: float, end: float, *, nodes: int = 1, seed: int = 1) -> list[Request]:
    """`rate` reads per second from `start` to `end`, in seconds, each for another id that nobody has.

    Each goes to one of `nodes` at random. Another `seed` gives another sample. The requests are in order of time; join
    them with others in a list, which `lab.replay` sorts. Raises ValueError for numbers that make no traffic.
    """
    if not (0 < rate < math.inf and 0 <= start < end < math.inf):
        raise ValueError("Unknown ids need a finite rate above 0 per second, and an end after the start (0 or later).")
    if nodes < 1:
        raise ValueError(f"Requests need at least one node, not {nodes}.")
    arrivals, ids, places = (Random(f"{seed}/unknown/{what}") for what in ("arrivals", "ids", "nodes"))
    requests: list[Request] = []
    when = start
    while True:
        when += -math.log(1.0 - arrivals.random()) / rate
        if when >= end:
            return requests
        node = int(places.random() * nodes) if nodes > 1 else 0
        requests.append(Request(round(when, 6), node, LOWEST + int(ids.random() * (HIGHEST - LOWEST))))
