"""Exercise 1.3: choose a TTL and a size for a target."""

from __future__ import annotations

from typing import Any

from cachelab.cache import Cache
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

SITE = Workload(rate=200, seconds=45, keys=1_000, write_rate=0.5, seed=3)
MAX_LOAD, MAX_STALE, MAX_ENTRIES = 60.0, 0.04, 300
ENDLESS_S = 3_600


def _run_site(ttl: float, max_entries: int) -> ReplayResult:
    """45 seconds of the chapter's site behind a cache of this TTL (s) and size, in virtual time."""

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=SITE.keys, connections=8, service_s=0.05)
        cache = Cache(MemoryStore(max_entries), db.fetch_user, ttl=ttl, listen=listen)
        return await replay(SITE, cache, db=db)

    return run(scenario)


def _examine(plan: Any) -> str:
    """Run the site with the learner's TTL and size, and compare origin load and stale answers with the target."""
    ttl, entries = (plan.get("ttl"), plan.get("max_entries")) if isinstance(plan, dict) else (None, None)
    if not isinstance(ttl, int | float) or not isinstance(entries, int):
        raise NotYet("put numbers in place of the two ..., seconds and a whole number of entries.")
    result = _run_site(ttl, entries)
    rows: list[list[object]] = [
        ["origin load", f"{result.origin_load:.1f}/s", f"at most {MAX_LOAD:g}/s"],
        ["stale answers", f"{result.stale_share:.1%}", f"at most {MAX_STALE:.0%}"],
        ["entries", entries, f"at most {MAX_ENTRIES}"],
    ]
    evidence = evidence_table([f"ttl {ttl:g} s, {entries} entries", "measured", "target"], rows)
    if ttl >= 1_000:
        words = "A TTL is in seconds. This one is longer than the experiment: nothing expires any more."
        raise Wrong(words, evidence)
    if entries > MAX_ENTRIES:
        words = "More memory than the budget. Past the keys that are read within one TTL it buys nothing."
        raise Wrong(words, evidence)
    if result.stale_share > MAX_STALE:
        words = "Too long: the origin is idle, and the users read old addresses. The TTL is the bound on staleness."
        raise Wrong(words, evidence)
    if result.origin_load > MAX_LOAD and _run_site(ENDLESS_S, entries).origin_load > MAX_LOAD:
        words = "Too small: even with an endless TTL, entries are evicted before they are read again."
        raise Wrong(words, evidence)
    if result.origin_load > MAX_LOAD:
        words = "Too short: most entries expire before they are read again, so the origin does the work."
        raise Wrong(words, evidence)
    load, stale = f"{result.origin_load:.1f}/s", f"{result.stale_share:.1%}"
    return f"Origin {load}, stale {stale}, with {entries} entries: inside the target."


EXERCISE = Exercise(
    _examine,
    [
        "First the size: with an endless TTL, how many entries bring the origin below the target at all?",
        "Then the TTL: the curve above says what each second costs in stale answers. Start where it bends.",
        "Use all 300 entries, and a TTL between 5 and 7 seconds.",
    ],
)
