"""Exercise 1.2: choose a TTL and a size for a target."""

from __future__ import annotations

from typing import Any

from cachelab.cache import Cache
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real, whole
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


def _numbers(plan: Any) -> tuple[float, int]:
    """TTL and size of a plan. Any kind of number will do."""
    given_ttl, given_entries = read_plan(
        plan, ["ttl", "max_entries"], "put numbers in place of the two ..., seconds and a whole number of entries."
    )
    ttl, entries = real(given_ttl), whole(given_entries)
    if ttl is None or not ttl > 0:
        raise Wrong("ttl has to be a number of seconds above 0.", f"it is {given_ttl!r:.60}")
    if entries is None or entries < 1:
        raise Wrong("max_entries has to be a whole number of at least 1.", f"it is {given_entries!r:.60}")
    return ttl, entries


def _misconception(ttl: float, entries: int, result: ReplayResult) -> str:
    """The words for a plan outside the target, or "" for one inside."""
    if ttl >= 1_000:
        return "A TTL is in seconds. This one is longer than the experiment: nothing expires any more."
    if entries > MAX_ENTRIES:
        return "More memory than the budget. Past the keys that are read within one TTL it buys nothing."
    if result.stale_share > MAX_STALE and result.origin_load > MAX_LOAD:
        return "Both targets are missed: too many stale answers for a longer TTL, and too few entries for the load."
    if result.stale_share > MAX_STALE:
        return "Too long: the origin has room, and the users read old addresses. The TTL is the bound on staleness."
    if result.origin_load > MAX_LOAD and _run_site(ENDLESS_S, entries).origin_load > MAX_LOAD:
        return "Too small: even with an endless TTL, entries are evicted before they are read again."
    if result.origin_load > MAX_LOAD:
        return "Too short: too many entries expire before they are read again, so the origin does the work."
    return ""


def _examine(plan: Any) -> str:
    """Run the site with the learner's TTL and size, and compare origin load and stale answers with the target."""
    ttl, entries = _numbers(plan)
    result = _run_site(ttl, entries)
    words = _misconception(ttl, entries, result)
    if words:
        rows: list[list[object]] = [
            ["origin load", f"{result.origin_load:.1f}/s", f"at most {MAX_LOAD:g}/s"],
            ["stale answers", f"{result.stale_share:.1%}", f"at most {MAX_STALE:.0%}"],
            ["entries", entries, f"at most {MAX_ENTRIES}"],
        ]
        raise Wrong(words, evidence_table([f"ttl {ttl:g} s, {entries} entries", "measured", "target"], rows))
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
