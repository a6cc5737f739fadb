"""Exercise 0.2: measure latencies without hiding the queue."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.database import Query, SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table, ms
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Workload

__all__ = ["EXERCISE"]

WORKLOAD = Workload(rate=120, seconds=3, keys=50, seed=7)
SERVICE_S = 0.05


def _overloaded_database() -> SlowDatabase:
    return SlowDatabase(users=50, connections=4, service_s=SERVICE_S)


def _misconception(queries: Sequence[Query], latencies: Sequence[float]) -> str:
    """The words for latencies that are not the users', from the queries that the learner's function made."""
    asked = [query.asked for query in queries]
    if all(earlier.ended <= later.asked + 1e-9 for earlier, later in pairwise(queries)):
        return (
            "You wait for each answer before you send the next request. The users do not know that: they come when "
            "they come. A closed loop slows down with the system and hides its queue (coordinated omission)."
        )
    if max(asked) - min(asked) < 0.5 * WORKLOAD.seconds:
        return "You send all requests at once: each has its own time, `request.when`, in seconds from the start."
    if max(latencies) < 0.1 and min(latencies) < 0.5 * SERVICE_S:
        return "That is real time, of which a simulation takes none: measure on the clock of the simulation's own loop."
    if max(latencies) < 0.1:
        return "Start the watch when the user asks, not when the database begins to serve: waiting in line is latency."
    return "The requests go out as they should, but the latencies are not those of the users."


def _examine(measure: Any) -> str:
    """Let the learner's function measure an overloaded database, and compare its latencies with those of `replay`."""
    requests = WORKLOAD.requests()

    async def replayed() -> list[float]:
        db = _overloaded_database()
        return [row.latency_s for row in (await replay(requests, db.fetch_user, db=db)).rows]

    async def learners() -> tuple[Any, list[Query]]:
        db = _overloaded_database()
        return await measure(list(requests), db), db.queries

    expected = run(replayed)
    latencies, queries = run(learners)
    if latencies is None or latencies is ...:
        raise NotYet("let measure return the list of latencies in seconds, in the order of the requests.")
    if not isinstance(latencies, Sequence) or len(latencies) != len(expected):
        size = f"{len(latencies)} numbers" if isinstance(latencies, Sequence) else type(latencies).__name__
        words = "It has to return one latency for each request."
        raise Wrong(words, f"{len(expected)} requests, but it returned {size}.")
    pairs = zip(latencies, expected, strict=True)
    wrong = next((i for i, (measured, waited) in enumerate(pairs) if abs(measured - waited) > 1e-6), None)
    if wrong is not None:
        rows = [
            [i + 1, f"{requests[i].when:.3f} s", ms(expected[i]), ms(latencies[i])]
            for i in range(max(0, wrong - 2), wrong + 1)
        ]
        evidence = evidence_table(["request", "comes at", "its user waits", "you measured"], rows, len(rows) - 1)
        raise Wrong(_misconception(queries, latencies), evidence)
    return f"The last request waited {ms(expected[-1])} in all: an open loop shows the queue that a closed one hides."


EXERCISE = Exercise(
    _examine,
    [
        "Every request needs a task of its own, which starts at the request's time and waits for no other task.",
        "In the task: asyncio.sleep(request.when), note the time, await db.fetch_user(request.key), note it again.",
        "return await asyncio.gather(*(one(request) for request in requests)) keeps the order.",
    ],
)
