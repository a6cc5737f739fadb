"""Chapter 1: a TTL cache with a flaw, one written from an empty page, and a TTL chosen for a target."""

from __future__ import annotations

from typing import Any

from cachelab.cache import Cache
from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.exercises.ttl_cache import examine_ttl_cache
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.listeners import listen
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISES"]


def _examine_flaw(cache_class: Any) -> str:
    """The mended class on the special cases and on random schedules."""
    return examine_ttl_cache(cache_class, deletes=False)


def _examine_make(cache_class: Any) -> str:
    """The learner's own class, with delete."""
    return examine_ttl_cache(cache_class, deletes=True)


SITE = Workload(rate=200, seconds=45, keys=1_000, write_rate=0.5, seed=3)
MAX_LOAD, MAX_STALE, MAX_ENTRIES = 60.0, 0.04, 300


def _site(ttl: float, max_entries: int) -> ReplayResult:
    """45 seconds of the chapter's site behind a cache of this size and TTL (s), in virtual time."""

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=SITE.keys, connections=8, service_s=0.05)
        cache = Cache(MemoryStore(max_entries), db.fetch_user, ttl=ttl, listen=listen)
        return await replay(SITE, cache, db=db)

    return run(scenario)


def _examine_slo(plan: Any) -> str:
    """Run the site with the learner's TTL and size."""
    ttl, entries = (plan.get("ttl"), plan.get("max_entries")) if isinstance(plan, dict) else (None, None)
    if not isinstance(ttl, int | float) or not isinstance(entries, int):
        raise NotYet("put numbers in place of the two ..., seconds and a whole number of entries.")
    trace = _site(ttl, entries)
    rows: list[list[object]] = [
        ["origin load", f"{trace.origin_load:.1f}/s", f"at most {MAX_LOAD:g}/s"],
        ["stale answers", f"{trace.stale_share:.1%}", f"at most {MAX_STALE:.0%}"],
        ["entries", entries, f"at most {MAX_ENTRIES}"],
    ]
    evidence = evidence_table([f"ttl {ttl:g} s, {entries} entries", "measured", "target"], rows)
    if ttl >= 1_000:
        raise Wrong("A TTL is in seconds. This one is longer than the experiment: nothing expires any more.", evidence)
    if entries > MAX_ENTRIES:
        raise Wrong(
            "More memory than the budget. Past the keys that are asked for within one TTL it buys nothing.", evidence
        )
    if trace.stale_share > MAX_STALE:
        raise Wrong(
            "Too long: the origin rests, and the users read old addresses. The TTL is the bound on staleness.", evidence
        )
    if trace.origin_load > MAX_LOAD and _site(3_600, entries).origin_load > MAX_LOAD:
        raise Wrong(
            "Too small: even with an endless TTL entries are evicted before they are asked for again.", evidence
        )
    if trace.origin_load > MAX_LOAD:
        raise Wrong(
            "Too short: most entries expire before anybody asks for them again, so the origin does the work.", evidence
        )
    return (
        f"Origin {trace.origin_load:.1f}/s, stale {trace.stale_share:.1%}, with {entries} entries: inside the target."
    )


EXERCISES = {
    "1.1": Exercise(
        _examine_flaw,
        [
            "Follow a key that somebody asks for every second. When is it loaded for the second time?",
            "Which line sets the moment of expiry? Should a read be able to reach it?",
            "Delete the line under `if fresh:` that writes into self.entries.",
        ],
    ),
    "1.2": Exercise(
        _examine_make,
        [
            "A dict from key to (value, moment of expiry) is all the state you need.",
            "`if key in self.entries` tells a stored None from nothing stored; `.get(key)` does not.",
            "Do not catch the load's error: if `await self.load(key)` raises, the line that stores is not reached.",
        ],
    ),
    "1.3": Exercise(
        _examine_slo,
        [
            "First the size: with an endless TTL, how many entries bring the origin below the target at all?",
            "Then the TTL: the curve above says what each second costs in stale answers. Start where it bends.",
            "Use all 300 entries, and a TTL between 5 and 7 seconds.",
        ],
    ),
}
