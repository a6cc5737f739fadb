"""Exercise 6.1: TTL, β and jitter for an SLO."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import inf
from numbers import Real
from random import Random
from typing import Any

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.listeners import listen
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]

SITE = Workload(rate=400, seconds=120, keys=200, zipf=0.8, seed=5)
SETTLED_S = 60.0  # by then most keys have been loaded again twice, and loads and waits are about those of the long run
MAX_AGE_S, MAX_PEAK, MAX_LOAD, MAX_WAITS = 30, 30, 9, 0.01


def _run_site(ttl: float, beta: float, jitter: float) -> ReplayResult:
    """Two minutes of the site after a deploy that has filled all of its keys."""

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=SITE.keys, connections=40, service_s=0.2)
        freshness = Freshness(beta=beta, jitter=jitter, random=Random("site").random)
        store: MemoryStore[object] = MemoryStore(1_000)
        async with Cache(store, db.fetch_user, ttl=ttl, flight=Flight(), freshness=freshness, listen=listen) as cache:
            await asyncio.gather(*(cache.get(key) for key in range(1, SITE.keys + 1)))
            return await replay(SITE, cache, db=db)

    return run(scenario)


def _numbers(plan: Any) -> tuple[float, float, float]:
    """TTL, β and jitter of a plan. Any kind of real number will do."""
    if plan is ... or (isinstance(plan, Mapping) and ... in plan.values()):
        raise NotYet("put numbers in place of the three ..., the TTL in seconds.")
    if not isinstance(plan, Mapping):
        raise Wrong("The plan is a dict with ttl, beta and jitter.", f"plan is {plan!r}")
    missing = [name for name in ("ttl", "beta", "jitter") if name not in plan]
    if missing:
        raise Wrong(f"The plan needs ttl, beta and jitter: {' and '.join(missing)} is missing.", f"{dict(plan)!r}")
    for name in ("ttl", "beta", "jitter"):
        if not isinstance(plan[name], Real):
            raise Wrong(f"{name} has to be a number.", f"it is {plan[name]!r}, a {type(plan[name]).__name__}")
    ttl, beta, jitter = (float(plan[name]) for name in ("ttl", "beta", "jitter"))
    if not (0 < ttl < inf and 0 <= beta < inf and 0 <= jitter < 1):
        words = "A TTL above 0 seconds, β of 0 or more, and a jitter from 0 to less than 1: finite numbers, all three."
        raise Wrong(words, f"{dict(plan)!r}")
    return ttl, beta, jitter


def _examine(plan: Any) -> str:
    """Run the site with the learner's TTL, β and jitter, and compare age, peak, mean and waits with the SLO.

    The peak is that of both minutes, for the first expiries are the worst. The rest is of the second minute.
    """
    ttl, beta, jitter = _numbers(plan)
    result = _run_site(ttl, beta, jitter)
    peak = max(result.queries_per_second(1.0))
    mean = sum(query.asked - result.start >= SETTLED_S for query in result.queries) / (SITE.seconds - SETTLED_S)
    reads = [row for row in result.reads if row.when >= SETTLED_S]
    waits = sum(row.latency_s > 0 for row in reads) / len(reads)
    rows: list[list[object]] = [
        ["longest life (ttl·(1 + j))", f"{ttl * (1 + jitter):.1f} s", f"at most {MAX_AGE_S} s"],
        ["peak at the origin", f"{peak:.0f}/s", f"at most {MAX_PEAK}/s"],
        ["mean in the second minute", f"{mean:.1f}/s", f"at most {MAX_LOAD}/s"],
        ["readers who wait then", f"{waits:.2%}", f"at most {MAX_WAITS:.0%}"],
    ]
    evidence = evidence_table([f"ttl {ttl:g} s, β {beta:g}, jitter {jitter:g}", "measured", "target"], rows)
    if ttl * (1 + jitter) > MAX_AGE_S:
        raise Wrong("Some answers are too old: the longest life of an entry is ttl·(1 + j).", evidence)
    if mean > MAX_LOAD and SITE.keys / ttl <= MAX_LOAD and beta > 4:
        raise Wrong("With so large a β, entries are loaded again long before they expire.", evidence)
    if mean > MAX_LOAD:
        raise Wrong("The TTL is too short: in the long run there are about 200/ttl loads a second.", evidence)
    if peak > MAX_PEAK and jitter < 0.05:
        words = "The deploy has loaded all keys together, and they still expire together: that is the avalanche."
        raise Wrong(words, evidence)
    if peak > MAX_PEAK:
        words = (
            "The first expiries are still too close together, N/(2·j·ttl) a second. Give up some TTL for more jitter."
        )
        raise Wrong(words, evidence)
    if waits > MAX_WAITS:
        words = "Too many readers find an entry that has just expired. Make an early recomputation more likely."
        raise Wrong(words, evidence)
    return f"Peak {peak:.0f}/s, mean {mean:.1f}/s, {waits:.2%} wait: inside the target."


EXERCISE = Exercise(
    _examine,
    [
        "Without β: life ttl·(1 + j), peak about N/(2·j·ttl), mean about 200/ttl. Which TTL and jitter allow all?",
        "With a jitter of 0.2 the TTL may be 25 s. Now raise β until at most 1% of the readers wait.",
        'plan = {"ttl": 25, "beta": 4, "jitter": 0.2}',
    ],
)
