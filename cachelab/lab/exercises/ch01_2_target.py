"""Exercise 1.2: choose a TTL for a target."""

from __future__ import annotations

from typing import Any

from cachelab.cache import Cache
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.listeners import listen
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]

SHOP = Workload(rate=120, seconds=45, keys=400, zipf=0.8, write_rate=1, seed=5)
SERVICE_S = 0.05
MAX_LOAD, MAX_STALE_S = 34.0, 10.0


def _run_shop(ttl: float) -> ReplayResult:
    """45 seconds of the shop behind a cache with this TTL (s), in virtual time."""

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=SHOP.keys, connections=8, service_s=SERVICE_S)
        cache = Cache(MemoryStore(10_000), db.fetch_user, ttl=ttl, listen=listen)
        return await replay(SHOP, cache, db=db)

    return run(scenario)


def _number(plan: Any) -> float:
    """The TTL of a plan. Any kind of number will do."""
    (given,) = read_plan(plan, ["ttl"], "put a number of seconds in place of the ...")
    ttl = real(given)
    if ttl is None or not ttl > 0:
        raise Wrong("ttl has to be a number of seconds above 0.", f"it is {given!r:.60}")
    return ttl


def _misconception(ttl: float, result: ReplayResult) -> str:
    """The words for a plan outside the target, or "" for one inside."""
    if ttl >= 1_000:
        return "A TTL is in seconds. This one is longer than the experiment: nothing expires any more."
    if ttl + SERVICE_S > MAX_STALE_S:
        return "Too long: an answer can be out of date for the TTL plus the time of one query."
    if result.origin_load > MAX_LOAD:
        return "Too short: too many entries expire before they are read again, so the origin does the work."
    return ""


def _examine(plan: Any) -> str:
    """Run the shop with the learner's TTL, and compare origin load and staleness with the target."""
    ttl = _number(plan)
    result = _run_shop(ttl)
    words = _misconception(ttl, result)
    bound_s = ttl + SERVICE_S
    if words:
        rows: list[list[object]] = [
            ["origin load", f"{result.origin_load:.1f}/s", f"at most {MAX_LOAD:g}/s"],
            ["out of date for up to", f"{bound_s:.2f} s", f"at most {MAX_STALE_S:g} s"],
            ["the stalest of this run", f"{result.max_stale_s:.2f} s", ""],
        ]
        raise Wrong(words, evidence_table([f"ttl {ttl:g} s", "your plan", "target"], rows))
    return f"Origin {result.origin_load:.1f}/s, out of date for {bound_s:.2f} s at most: inside the target."


EXERCISE = Exercise(
    _examine,
    [
        "The forecast is 1 - forecast(shop_log, ttl) of 120 requests/s. Which TTL brings it below 34?",
        "The forecast is a little too low for the load. And an answer can be older than the TTL, by one query.",
        "Take a TTL between 7 and 9 seconds.",
    ],
)
