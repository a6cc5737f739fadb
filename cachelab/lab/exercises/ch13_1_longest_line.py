"""Exercise 13.1: how many callers may wait in line, so that a site comes back after a flush."""

from __future__ import annotations

import asyncio
import inspect
import math
from dataclasses import dataclass
from typing import Any

from cachelab.cache import Cache
from cachelab.guards.bulkhead import Bulkhead
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub
from cachelab.lab.exercises.plan import real, whole
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.warm import warm
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]


@dataclass(frozen=True)
class _Site:
    """A database with so many connections and seconds for a load, and the patience of its users in seconds."""

    connections: int
    service_s: float
    patience_s: float

    @property
    def capacity(self) -> float:
        return self.connections / self.service_s

    @property
    def longest(self) -> int:
        """The rule. The small addition is for the rounding errors of floating point."""
        return max(0, math.floor((self.patience_s - self.service_s) * self.capacity + 1e-6))

    @property
    def call(self) -> str:
        return f"longest_line({self.connections}, {self.service_s:g}, {self.patience_s:g})"


SITES = [
    _Site(4, 0.1, 0.5),
    _Site(4, 0.1, 0.8),
    _Site(2, 0.05, 0.35),
    _Site(6, 0.2, 0.8),
    _Site(3, 0.25, 1.1),
    _Site(4, 0.1, 0.3),
    _Site(4, 0.5, 0.5),
    _Site(4, 0.5, 0.3),
]
FLUSH_S, SECONDS = 3, 30


def _flushed(site: _Site, waiting: int) -> ReplayResult:
    """Five times as many reads as the database can do, three attempts each. The cache is emptied once."""
    keys = int(30 * site.capacity)

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=keys, connections=site.connections, service_s=site.service_s)
        load = Bulkhead(db.fetch_user, running=site.connections, waiting=waiting)
        store: MemoryStore[Any] = MemoryStore(keys)
        warm(store, keys, ttl=60.0)
        asyncio.get_running_loop().call_at(FLUSH_S, store.clear)
        async with Cache(store, load, ttl=60.0) as cache:
            users = Workload(rate=5 * site.capacity, seconds=SECONDS, keys=keys, seed=5)
            return await replay(users, cache, db=db, patience_s=site.patience_s, tries=3)

    return run(scenario)


def _misconception(site: _Site, places: int) -> str:
    """The words for a number that is too high."""
    if site.longest == 0:
        return "Here a load takes at least as long as the users wait, so whoever stands in line is served in vain: 0."
    if abs(places - site.patience_s * site.capacity) < 1:
        return (
            "The line cannot have the whole patience: the caller's own load takes service_s of it. In other words: "
            "those whose load runs have places of their own, and are not in the line."
        )
    if places == site.longest + 1:
        return "One place too many: round down, and count only places whose load ends in time."
    return "Whoever stands at the end of the line has left when its load ends, so the load is thrown away."


def _ask(longest_line: Any, site: _Site) -> int:
    """What the learner's function returns, if it is a number of places."""
    answer = longest_line(site.connections, site.service_s, site.patience_s)
    if answer is ... or (answer is None and is_stub(longest_line)):
        raise NotYet("let longest_line return a whole number of places.")
    if inspect.iscoroutine(answer):
        answer.close()
        raise Wrong("longest_line is a plain function: `def`, not `async def`.", f"{site.call} returned a coroutine")
    if answer is None:
        raise Wrong("longest_line returns None: is a return missing?", f"{site.call} returned None")
    if real(answer) is None:
        words = f"longest_line has to return a number, not a {type(answer).__name__}."
        raise Wrong(words, f"{site.call} returned {answer!r:.60}")
    places = whole(answer)
    if places is None:
        raise Wrong("Places come whole: round down.", f"{site.call} returned {answer!r:.60}")
    if places < 0:
        raise Wrong("There is no line with fewer than 0 places.", f"{site.call} returned {answer!r:.60}")
    return places


def _examine(longest_line: Any) -> str:
    """Compare the numbers with the rule, and flush the first site for which the number is wrong."""
    if longest_line is ...:
        raise NotYet("let longest_line return a whole number of places.")
    if not callable(longest_line):
        raise Wrong("Give the check your function longest_line.", f"it is {longest_line!r:.60}")
    rows = []
    for site in SITES:
        places = _ask(longest_line, site)
        rows.append([f"{site.connections}", f"{site.service_s:g} s", f"{site.patience_s:g} s", places])
        header = ["connections", "a load", "patience", "your line"]
        if places > site.longest:
            evidence = evidence_table(header, rows, len(rows) - 1)
            raise Wrong(_misconception(site, places), f"{evidence}\n\n{_what_happens(site, places)}")
        if places < site.longest - 1:
            evidence = evidence_table(header, rows, len(rows) - 1)
            words = "It comes back, but the line is shorter than it need be: more users are refused."
            if places == 0:
                words = "A line without places refuses users that could be served in time."
            raise Wrong(words, evidence)
    first = SITES[0]
    back_s = _flushed(first, _ask(longest_line, first)).back_after_s(FLUSH_S)
    return f"With your line the first site is back {back_s:g} s after the flush, and one place more would be too many."


def _what_happens(site: _Site, places: int) -> str:
    """The site's users in the last five seconds after a flush, with the learner's line."""
    result = _flushed(site, min(places, 10_000))
    share = result.answered_share(SECONDS - 5, SECONDS)
    return f"{SECONDS - 5 - FLUSH_S} s after a flush {share:.0%} of the users get an answer."


EXERCISE = Exercise(
    _examine,
    [
        "How many seconds may a caller stand in line, if it leaves after patience_s and its own load takes service_s?",
        "The line moves by connections / service_s places a second. How many places pass in that time?",
        "max(0, int((patience_s - service_s) * connections / service_s))",
    ],
)
