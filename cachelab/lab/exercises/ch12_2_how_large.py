"""Exercise 12.2: a size and a TTL of L1 for a limit on old answers, on memory and on the reads of L2."""

from __future__ import annotations

import textwrap
from itertools import cycle
from random import Random
from typing import Any, NamedTuple

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real, whole
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import PAGE, evidence_table
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]

SITE = Workload(rate=400, seconds=20, keys=1_000, zipf=1.0, write_rate=5, nodes=4, seed=7)
LOAD_S, L2_TTL_S = 0.02, 60.0
MAX_OLD_S, MAX_READS, MAX_ENTRIES = 5.0, 175.0, 150
TENTH = 0.1
"""The share of messages that the bus loses in the run that counts the reads of L2."""


class _Measured(NamedTuple):
    """A run of the site, and how many reads a second reached L2."""

    result: ReplayResult
    reads: float


def _run_site(entries: int, l1_ttl: float, lost: float) -> _Measured:
    """The site for 20 seconds. The messages take no time, and a share of them is lost. L2 answers at once."""

    async def scenario() -> _Measured:
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
        return _Measured(result, sum(l1.loads for l1 in l1s) / SITE.seconds)

    return run(scenario)


def _numbers(plan: Any) -> tuple[int, float]:
    """Size and TTL of a plan. Any kind of number will do."""
    given_entries, given_ttl = read_plan(
        plan, ["entries", "l1_ttl"], "put numbers in place of the two ..., a whole number of entries and seconds."
    )
    entries, ttl = whole(given_entries), real(given_ttl)
    if entries is None or entries < 1:
        raise Wrong("entries has to be a whole number of at least 1.", f"it is {given_entries!r:.60}")
    if ttl is None or not ttl > 0:
        raise Wrong("l1_ttl has to be a number of seconds above 0.", f"it is {given_ttl!r:.60}")
    return entries, ttl


def _oldest_answer(entries: int, ttl: float) -> str:
    """How an answer gets too old: as a rule the oldest of a run in which the bus loses everything."""
    if ttl <= MAX_OLD_S:
        return (
            "At 0 ms a node begins to load, and reads the old row. At 1 ms the write commits; its message is lost. At "
            f"20 ms the load ends and the TTL begins, so the node may give the old answer until {ttl + LOAD_S:.2f} s."
        )
    worst = max(_run_site(entries, ttl, lost=1.0).result.reads, key=lambda row: row.stale_s)
    written = worst.when + worst.latency_s - worst.stale_s
    return (
        f"With all messages lost: user {worst.key} was written at {written:.2f} s, and at {worst.when:.2f} s node "
        f"{worst.node + 1} still gave the old answer, {worst.stale_s:.2f} s later."
    )


def _misconception(entries: int, ttl: float, reads: float) -> str:
    """The words for a plan outside the target, or "" for one inside."""
    if ttl >= 1_000:
        return "A TTL is in seconds. With this one, L1 keeps a copy for as long as L2 does."
    if ttl > MAX_OLD_S:
        return "Too long: a node that misses the message gives the old answer until its copy expires."
    if ttl + LOAD_S > MAX_OLD_S:
        return (
            "Very nearly. But a load that has read the row just before the write ends up to 20 ms after it, and only "
            "then the copy begins its TTL."
        )
    if entries > MAX_ENTRIES:
        return "More memory than the budget. Past the keys that a node reads within one TTL it buys nothing."
    if reads > MAX_READS and _run_site(entries, MAX_OLD_S, TENTH).reads > MAX_READS:
        return "Too small: even with a TTL of 5 s, entries are evicted that would have been read again."
    if reads > MAX_READS:
        return "Too short: entries expire before they are read again, and L2 does the work."
    return ""


def _examine(plan: Any) -> str:
    """Run the site with the learner's size and TTL, and compare with the target."""
    entries, ttl = _numbers(plan)
    reads = _run_site(entries, min(ttl, L2_TTL_S), TENTH).reads
    if words := _misconception(entries, ttl, reads):
        rows: list[list[object]] = [
            ["the oldest answer possible", f"{min(ttl, L2_TTL_S) + LOAD_S:.2f} s", f"at most {MAX_OLD_S:g} s"],
            ["reads that reach L2", f"{reads:.0f}/s", f"at most {MAX_READS:.0f}/s"],
            ["entries", entries, f"at most {MAX_ENTRIES}"],
        ]
        evidence = evidence_table([f"{entries} entries, l1_ttl {ttl:g} s", "here", "target"], rows)
        if ttl + LOAD_S > MAX_OLD_S:
            evidence += f"\n\n{textwrap.fill(_oldest_answer(entries, ttl), PAGE)}"
        raise Wrong(words, evidence)
    share = _run_site(entries, ttl, TENTH).result.stale_share
    return (
        f"{reads:.0f} reads a second reach L2, no answer can be older than {ttl + LOAD_S:.2f} s, and with one message "
        f"in ten lost {share:.2%} are old."
    )


EXERCISE = Exercise(
    _examine,
    [
        "First the limit on old answers: which of the two numbers decides it, if no message arrives?",
        "Then the memory: with the largest TTL that is allowed, how few entries are enough?",
        "Between 3.6 and 4.9 seconds, with all 150 entries.",
    ],
)
