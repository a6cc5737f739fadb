"""The traffic of the day: day and night, a crowd at noon, an attack, writes and sign-ups. An hour takes a minute.

Problem: a cache that is tuned for the usual hour meets the others without a test.
Idea: one day has them all, each at its hour, so that a score can say which of them has defeated a plan.
Guarantee: the same seed gives the same requests on every machine and Python version. Each kind has a random stream of
    its own.
Not guaranteed: that your day looks like this.
Cost: a tenth of a second for a day.
Source: the shapes are those of the chapters: Zipf's law, Poisson arrivals, an open loop.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from cachelab.lab.traffic.workload import Request, zipf_popularity

__all__ = ["DAY_S", "EVENTS", "Event", "HOUR_S", "NODES", "SIGN_UPS", "USERS", "day_requests"]

HOUR_S: Final = 60.0
DAY_S: Final = 24 * HOUR_S
NODES: Final = 4
USERS: Final = 750
SIGN_UPS: Final = 96
"""New users have the ids that follow those of the users."""
RATE: Final = 7.5  # reads a second, on average over the day
CROWD_RATE, CROWD_PROFILES = 30.0, 40
ATTACK_RATE = 30.0
WRITE_RATE = 0.5
LEAST_UNKNOWN_ID = 1_000_000


class Event(NamedTuple):
    """What happens from the hour `start` until before the hour `end`."""

    name: str
    start: float
    end: float

    @property
    def seconds(self) -> tuple[float, float]:
        """Its start and its end in seconds since the day began."""
        return self.start * HOUR_S, self.end * HOUR_S


EVENTS: Final = {
    "backup": Event("backup", 3, 4),
    "hang": Event("Redis hangs", 9, 9.25),
    "crowd": Event("crowd", 12, 12.5),
    "deploy": Event("deploy", 15, 15 + 1 / 3),
    "attack": Event("attack", 18, 19),
}
"""The five events of the day, in their order."""


def day_requests(seed: int = 1) -> list[Request]:
    """All requests of the day, in order of time. A write of an id above `USERS` is a sign-up."""
    popular, last = list(accumulate(zipf_popularity(USERS, 1.0))), USERS - 1

    def user(random: Random) -> int:
        return 1 + min(bisect(popular, random.random()), last)

    def cold_profile(random: Random) -> int:  # the least popular ones, some of them more than others
        return USERS - int(CROWD_PROFILES * random.random() ** 2)

    def unknown(random: Random) -> int:
        return LEAST_UNKNOWN_ID + int(random.random() * 2**40)

    streams = [
        _stream(f"{seed}/users", _daylight, 1.7 * RATE, user),
        _stream(f"{seed}/crowd", _during("crowd", CROWD_RATE), CROWD_RATE, cold_profile),
        _stream(f"{seed}/attack", _during("attack", ATTACK_RATE), ATTACK_RATE, unknown),
        _stream(f"{seed}/writes", lambda _: WRITE_RATE, WRITE_RATE, user, write=True),
        iter(_sign_ups(seed)),
    ]
    return list(merge(*streams))


def _daylight(when: float) -> float:
    """Reads a second: fewest at midnight, most at noon."""
    return RATE * (1 - 0.7 * math.cos(2 * math.pi * when / DAY_S))


def _during(event: str, rate: float) -> Callable[[float], float]:
    start, end = EVENTS[event].seconds
    return lambda when: rate if start <= when < end else 0.0


def _stream(
    name: str, rate: Callable[[float], float], most: float, key: Callable[[Random], int], *, write: bool = False
) -> Iterator[Request]:
    """Arrivals at a rate that changes: those of the rate `most`, of which some are left out."""
    random, when = Random(name), 0.0
    while True:
        when += -math.log(1 - random.random()) / most
        if when >= DAY_S:
            return
        if random.random() < rate(when) / most:
            yield Request(round(when, 6), int(random.random() * NODES), key(random), write)


def _sign_ups(seed: int) -> list[Request]:
    """For each new user: the form asks whether the id is free, then the row is written, then the profile is read."""
    random, requests = Random(f"{seed}/sign-ups"), []
    for number in range(SIGN_UPS):
        user_id, when = USERS + 1 + number, (number + random.random()) * DAY_S / SIGN_UPS
        moments = [when - 2, when - 1, *(when + 2 + 30 * random.random() for _ in range(5))]
        requests += [Request(round(m, 6), int(random.random() * NODES), user_id) for m in moments if 0 <= m < DAY_S]
        requests.append(Request(round(when, 6), int(random.random() * NODES), user_id, True))
    return sorted(requests)
