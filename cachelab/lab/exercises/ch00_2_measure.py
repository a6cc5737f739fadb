"""Exercise 0.2: how to measure latencies without hiding the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table, ms
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Workload

__all__ = ["EXERCISE"]

HONEST = Workload(rate=120, seconds=3, keys=50, seed=7)


def examine(measure: Any) -> str:
    """Give the learner's measure() an overloaded database and compare latencies with the open loop's."""
    requests = HONEST.requests()

    async def honest() -> list[float]:
        db = SlowDatabase(users=50, connections=4, service_s=0.05)
        return [row.latency_s for row in (await replay(requests, db.fetch_user, db=db)).rows]

    async def learners() -> tuple[Any, SlowDatabase]:
        db = SlowDatabase(users=50, connections=4, service_s=0.05)
        return await measure(list(requests), db), db

    expected = run(honest)
    got, db = run(learners)
    if got is None or got is ...:
        raise NotYet("let measure return the list of latencies in seconds, in the order of the requests.")
    if not isinstance(got, Sequence) or len(got) != len(expected):
        size = f"{len(got)} numbers" if isinstance(got, Sequence) else type(got).__name__
        raise Wrong(
            "It has to return one latency for each request.", f"{len(expected)} requests, but it returned {size}."
        )
    wrong = [i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if abs(a - b) > 1e-6]
    if not wrong:
        return (
            f"The last request waited {ms(expected[-1])} in all: an open loop shows the queue that a closed one hides."
        )
    asked = [query.asked for query in db.queries]
    if all(a.ended <= b.asked + 1e-9 for a, b in zip(db.queries, db.queries[1:], strict=False)):
        words = (
            "You wait for each answer before you send the next request. The users do not know that: they come when "
            "they come. A closed loop slows down with the system and hides its queue (coordinated omission)."
        )
    elif max(asked) - min(asked) < 0.5 * HONEST.seconds:
        words = "You send all requests at once: each has its own time, `request.when`, in seconds from the start."
    elif max(got) < 0.1 and min(got) < 0.5 * 0.05:
        words = (
            "That is real time, of which a simulation takes none: measure on the clock of the simulation's own loop."
        )
    elif max(got) < 0.1:
        words = (
            "Start the watch when the user asks, not when the database gets round to it: waiting in line is latency."
        )
    else:
        words = "The requests go out as they should, but the latencies are not those of the users."
    first = wrong[0]
    rows = [
        [i + 1, f"{requests[i].when:.3f} s", ms(expected[i]), ms(got[i])] for i in range(max(0, first - 2), first + 1)
    ]
    raise Wrong(words, evidence_table(["request", "comes at", "its user waits", "you measured"], rows, len(rows) - 1))


EXERCISE = Exercise(
    examine,
    [
        "Every request needs a task of its own, started at its own time, whatever became of the one before.",
        "In the task: asyncio.sleep(request.when), note the time, await db.fetch_user(request.key), note it again.",
        "return await asyncio.gather(*(one(request) for request in requests)) keeps the order.",
    ],
)
