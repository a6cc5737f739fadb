"""Chapter 6: TTL, β and jitter for an SLO, and a background refresh that leaks its tasks."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from random import Random
from typing import Any

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.listeners import listen
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISES"]

SITE = Workload(rate=400, seconds=60, keys=200, zipf=0.8, seed=5)
MAX_AGE_S, MAX_PEAK, MAX_LOAD, MAX_WAITS = 30, 30, 7.0, 0.01


def _site(ttl: float, beta: float, jitter: float) -> ReplayResult:
    """A minute of the site after a deploy that has warmed all of its keys."""

    async def scenario() -> ReplayResult:
        db = SlowDatabase(users=SITE.keys, connections=40, service_s=0.2)
        freshness = Freshness(beta=beta, jitter=jitter, random=Random("site").random)
        store: MemoryStore[object] = MemoryStore(1_000)
        async with Cache(store, db.fetch_user, ttl=ttl, flight=Flight(), freshness=freshness, listen=listen) as cache:
            await asyncio.gather(*(cache.get(key) for key in range(1, SITE.keys + 1)))
            return await replay(SITE, cache, db=db)

    return run(scenario)


def _examine_slo(plan: Any) -> str:
    numbers: list[Any] = [plan.get(name) for name in ("ttl", "beta", "jitter")] if isinstance(plan, dict) else [None]
    if not all(isinstance(one, int | float) for one in numbers):
        raise NotYet("put numbers in place of the three ..., the TTL in seconds.")
    ttl, beta, jitter = numbers
    if not (ttl > 0 and beta >= 0 and 0 <= jitter < 1):
        raise Wrong("A TTL above 0 seconds, β of 0 or more, and a jitter from 0 to less than 1.", f"{plan!r}")
    trace = _site(ttl, beta, jitter)
    peak = max(trace.queries_per_second(1.0))
    waits = sum(row.latency_s > 0 for row in trace.reads) / len(trace.reads)
    rows: list[list[object]] = [
        ["longest life (ttl·(1 + j))", f"{ttl * (1 + jitter):.1f} s", f"at most {MAX_AGE_S} s"],
        ["peak at the origin", f"{peak:.0f}/s", f"at most {MAX_PEAK}/s"],
        ["mean at the origin", f"{trace.origin_load:.1f}/s", f"at most {MAX_LOAD:g}/s"],
        ["readers who wait", f"{waits:.2%}", f"at most {MAX_WAITS:.0%}"],
    ]
    evidence = evidence_table([f"ttl {ttl:g} s, β {beta:g}, jitter {jitter:g}", "measured", "target"], rows)
    if ttl * (1 + jitter) > MAX_AGE_S:
        raise Wrong("Too old: jitter makes some lives longer than the TTL, by the factor 1 + j.", evidence)
    if trace.origin_load > MAX_LOAD and beta > 4:
        raise Wrong("So large a β recomputes entries that have most of their life before them.", evidence)
    if trace.origin_load > MAX_LOAD:
        raise Wrong("Too short a TTL: the origin loads again and again what has hardly aged.", evidence)
    if peak > MAX_PEAK and jitter < 0.05:
        words = "The deploy filled all keys together, and they still expire together: that is the avalanche."
        raise Wrong(words, evidence)
    if peak > MAX_PEAK:
        words = "The first expiries are still too close together, N/(2·j·ttl) a second: more jitter, for a bit of TTL."
        raise Wrong(words, evidence)
    if waits > MAX_WAITS:
        raise Wrong("Too many find an entry that has just expired: let somebody throw the die earlier.", evidence)
    return f"Peak {peak:.0f}/s, mean {trace.origin_load:.1f}/s, {waits:.2%} wait: inside the target."


class _Origin:
    """Loads that take a second; every third fails."""

    def __init__(self) -> None:
        self.begun = 0
        self.flying: Counter[int] = Counter()
        self.most: Counter[int] = Counter()

    async def load(self, key: int) -> str:
        self.begun += 1
        number = self.begun
        self.flying[key] += 1
        self.most[key] = max(self.most[key], self.flying[key])
        try:
            await asyncio.sleep(1.0)
        finally:
            self.flying[key] -= 1
        if number % 3 == 0:
            raise ConnectionError("the origin is down")
        return f"load {number}"


def _tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def _examine_leak(make: Any) -> str:
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    unheard: list[str] = []

    async def scenario() -> str:
        asyncio.get_running_loop().call_exception_handler = lambda context: unheard.append(context["message"])  # type: ignore[method-assign]
        origin = _Origin()
        refresher = make(origin.load)
        refresher.values[7] = "old"
        for _ in range(20):
            refresher.touch(7)
            await asyncio.sleep(0.01)
        if origin.begun == 0:
            raise Wrong("touch(key) has to start a refresh in the background.", "20 touches, and no load began.")
        if origin.most[7] > 1:
            words = "Every touch starts a load, also while one is under way: remember which keys are being refreshed."
            raise Wrong(words, f"20 touches of one key in 0.2 s: {origin.most[7]} loads at once.")
        await asyncio.sleep(2.0)
        if refresher.values.get(7) != "load 1":
            words = "The load has ended, and its value did not get into `values`."
            raise Wrong(words, f"load 1 ended, values[7] is {refresher.values.get(7)!r}.")
        for key in range(100, 130):
            refresher.values[key] = "old"
            refresher.touch(key)
        await asyncio.sleep(2.0)
        if origin.begun < 31:
            words = "Each key needs a refresh of its own, also while another key is being refreshed."
            raise Wrong(words, f"30 other keys were touched, and {origin.begun - 1} loads began.")
        gc.collect()
        if len(refresher.tasks):
            words = "The tasks that have ended are still in your table: a task has to leave it when it is done."
            raise Wrong(words, f"31 refreshes have ended, and the table holds {len(refresher.tasks)} of them.")
        if unheard:
            words = "A load failed, and nobody ever looked at the error: asyncio complains when the task is gone."
            raise Wrong(words, f"{len(unheard)} times: {unheard[0]}")
        if "old" not in refresher.values.values():
            words = "A failed load must leave the old value where it is: a stale answer is better than none."
            raise Wrong(words, "10 of 31 loads failed, and no old value is left.")
        failed = next(key for key, value in refresher.values.items() if value == "old")
        begun = origin.begun
        refresher.touch(failed)
        await asyncio.sleep(2.0)
        if origin.begun == begun:
            raise Wrong("A key whose refresh has failed is never tried again.", f"touch({failed}), and no load began.")
        refresher.touch(7)
        await asyncio.sleep(0.5)
        refresher.touch(8)
        await refresher.close()
        if _tasks() or len(refresher.tasks):
            words = "After close() nothing may be under way: cancel what is, wait for its end, and forget it."
            if not _tasks():
                words = (
                    "A task that is cancelled before its first step never comes to its `finally`, so it stays in the "
                    "table. add_done_callback is called in any case."
                )
            raise Wrong(words, f"{_tasks()} tasks are still running, {len(refresher.tasks)} are in the table.")
        return "One load at a time for each key, nothing left behind, and no error unheard."

    return run(scenario)


EXERCISES = {
    "6.1": Exercise(
        _examine_slo,
        [
            "The age first: the longest life is ttl·(1 + j). Then the peak: which of the three numbers is about that?",
            "With a jitter of 0.2 the TTL may be 25 s. Now raise β, until fewer than 1 % wait.",
            'plan = {"ttl": 25, "beta": 2, "jitter": 0.2}',
        ],
    ),
    "6.2": Exercise(
        _examine_leak,
        [
            "What removes a task from self.tasks? What happens on the second touch of a key, and if the load fails?",
            "Keep the tasks in a dict by key, look there first, and let task.add_done_callback remove the key.",
            "In refresh: `except Exception: pass`, and the old value stays. In close: cancel all, then gather them.",
        ],
    ),
}
