"""Exercise 9.2: the length of a lease and the limit of a load, for a target."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real
from cachelab.lab.sim.simulation import run
from cachelab.lab.sim.stampede import Stampede, play_stampede
from cachelab.lab.text import evidence_table
from cachelab.lease import LeasedStore

__all__ = ["EXERCISE"]

BAD_DAY_S, HANGS_S, LONGEST_WAIT_S = 0.8, 20.0, 2.0


def _play(lease_s: float, limit_s: float, **what: Any) -> Stampede:
    """A run of a fleet with this lease, in which a load may take `limit_s`."""

    def build(redis: Any, load: Any) -> Cache[str, int]:
        async def limited(key: str) -> int:
            async with asyncio.timeout(limit_s):
                return int(await load(key))

        store = LeasedStore(redis, int, namespace="profile", version=1, lease_s=lease_s)
        return Cache(store, limited, ttl=60, flight=Flight())

    return run(partial(play_stampede, build, **what))


def _overlap(run: Stampede) -> bool:
    """Whether a load begins while the first one runs."""
    first, *others = run.loads
    return first.ended is not None and any(load.began < first.ended - 0.001 for load in others)


def _seconds(plan: Any) -> tuple[float, float]:
    """The lease and the limit of a plan. Any kind of real number will do."""
    given = read_plan(plan, ["lease_s", "limit_s"], "put numbers of seconds in place of the two ...")
    seconds = []
    for name, value in zip(("lease_s", "limit_s"), given, strict=True):
        number = real(value)
        if number is None:
            raise Wrong(f"{name} has to be a number.", f"it is {value!r:.60}, a {type(value).__name__}")
        if not 0.001 <= number <= 1_000:
            raise Wrong(f"{name} is a number of seconds, from 0.001 to 1,000.", f"{name} is {number:g}")
        seconds.append(number)
    return seconds[0], seconds[1]


def _examine(plan: Any) -> str:
    """Play a bad day, a node that is killed, and a database that hangs, and compare with the target."""
    lease_s, limit_s = _seconds(plan)
    slow = _play(lease_s, limit_s, load_s=BAD_DAY_S)
    killed = _play(lease_s, limit_s, load_s=BAD_DAY_S, kill_s=0.7)
    hangs = _play(lease_s, limit_s, load_s=HANGS_S)
    failed = sum(answer.version is None for answer in slow.answers)
    rows: list[list[object]] = [
        ["a query of 0.8 s", f"{failed} callers of 40 get an error", "none"],
        ["", f"{len(slow.loads)} {'load' if len(slow.loads) == 1 else 'loads'}", "one"],
        ["a node is killed", f"somebody waits {killed.longest_wait:.2f} s", f"at most {LONGEST_WAIT_S:g} s"],
        ["the database hangs", f"somebody waits {hangs.longest_wait:.2f} s", f"at most {LONGEST_WAIT_S:g} s"],
        ["", f"{'a' if _overlap(hangs) else 'no'} load begins while the first runs", "none"],
    ]
    header = [f"lease {lease_s:g} s, limit {limit_s:g} s", "what happens", "target"]

    def evidence(row: int) -> str:
        return evidence_table(header, rows, row)

    if failed:
        words = "Your limit cuts off a query that is slow and would have succeeded: its callers get an error."
        raise Wrong(words, evidence(0))
    if len(slow.loads) > 1:
        words = "Your lease ends while the load still runs, and another node loads as well."
        raise Wrong(words, evidence(1))
    if killed.longest_wait > LONGEST_WAIT_S:
        words = "A node that is killed is waited for until its lease ends, and the load of the next one comes on top."
        raise Wrong(words, evidence(2))
    if hangs.longest_wait > LONGEST_WAIT_S:
        words = (
            "A database that hangs is waited for twice: first by the node that loads, until your limit, and then by "
            "all others side by side, until their own."
        )
        raise Wrong(words, evidence(3))
    if _overlap(hangs):
        words = "A load may take as long as your limit, and your lease ends before: another node loads as well."
        raise Wrong(words, evidence(4))
    waits = f"{killed.longest_wait:.2f} s after a death, and {hangs.longest_wait:.2f} s if the database hangs"
    return f"The longest wait is {waits}."


EXERCISE = Exercise(
    _examine,
    [
        "Begin with the limit: which query has to succeed, and how long may two loads in a row take?",
        (
            "The limit is between 0.8 s and 1 s. The lease is longer than that, so that no second load begins, and not "
            "so long that lease + 0.8 s is more than 2 s."
        ),
        'plan = {"lease_s": 1.1, "limit_s": 0.9}',
    ],
)
