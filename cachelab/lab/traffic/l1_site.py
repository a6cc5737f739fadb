"""The site of exercise 12.2: four nodes with an L1 each over one L2, and a bus that may lose messages.

Problem: how large an L1 has to be, and how long its entries may live, depends on the traffic; no short formula says it.
Idea: play the same traffic against each plan, and count the reads that L1 could not answer.
Guarantee: the same plan gives the same numbers.
Not guaranteed: that your site behaves like this one. Its messages take no time, and its L2 answers at once.
Cost: a third of a second for a plan.
"""

from __future__ import annotations

from itertools import cycle
from random import Random
from typing import Any, NamedTuple

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["L2_TTL_S", "SiteRun", "TENTH", "l2_reads", "run_site"]

SITE = Workload(rate=400, seconds=20, keys=1_000, zipf=1.0, write_rate=5, nodes=4, seed=7)
LOAD_S, L2_TTL_S = 0.02, 60.0
TENTH = 0.1
"""The share of messages that the bus loses in the run that counts the reads of L2."""


class SiteRun(NamedTuple):
    """A run of the site, and how many reads a second reached L2."""

    result: ReplayResult
    reads: float


def l2_reads(entries: int, l1_ttl: float) -> int:
    """How many reads a second reach L2 if each L1 holds at most `entries` entries, for `l1_ttl` seconds each.

    This is the site of exercise 12.2: 1,000 users, whose popularity follows Zipf's law with exponent 1, four nodes, 400
    reads and 5 writes a second for 20 seconds, and a bus that loses one message in ten. Raises ValueError unless both
    numbers are above 0.
    """
    return round(run_site(entries, l1_ttl, TENTH).reads)


def run_site(entries: int, l1_ttl: float, lost: float) -> SiteRun:
    """The site for 20 seconds. The messages take no time, and a share of them is lost. L2 answers at once."""

    async def scenario() -> SiteRun:
        db = SlowDatabase(users=SITE.keys, connections=200, service_s=LOAD_S)
        l2: Cache[int, Any] = Cache(MemoryStore(SITE.keys), db.fetch_user, ttl=L2_TTL_S, flight=Flight())
        l1s: list[Cache[int, Any]] = [
            Cache(MemoryStore(entries), l2, ttl=l1_ttl, flight=Flight()) for _ in range(SITE.nodes)
        ]
        turns, draw = cycle(l1s), Random("lost").random

        async def write(user_id: int) -> None:
            await db.update_user(user_id)
            writer = next(turns)
            await writer.delete(user_id)
            for other in l1s:
                if other is not writer and draw() >= lost:
                    await other.invalidate(user_id)

        result = await replay(SITE, l1s, db=db, write=write)
        return SiteRun(result, sum(l1.loads for l1 in l1s) / SITE.seconds)

    return run(scenario)
