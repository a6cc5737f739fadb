"""Exercise 0.2: measure latencies without hiding the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited, is_stub
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.exercises.plan import real
from cachelab.lab.sim.database import Query, SlowDatabase
from cachelab.lab.text import evidence_table, ms
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Request, Workload

__all__ = ["EXERCISE"]

WORKLOAD = Workload(rate=120, seconds=3, keys=50, seed=7)
SERVICE_S = 0.05
BURST_S, FAST_S = (1.0, 1.05), 0.01
NEAR_S = 1e-6


def _overloaded_database() -> SlowDatabase:
    """For a moment it works faster, and some queries overtake those that came before them."""
    db = SlowDatabase(users=50, connections=4, service_s=SERVICE_S)
    for when, service_s in zip(BURST_S, (FAST_S, SERVICE_S), strict=True):
        asyncio.get_running_loop().call_later(when, setattr, db, "service_s", service_s)
    return db


async def _replayed(requests: Sequence[Request]) -> list[float]:
    """The latencies of the users."""
    db = _overloaded_database()
    return [row.latency_s for row in (await replay(requests, db.fetch_user, db=db)).rows]


async def _judge(measure: Any, requests: Sequence[Request], expected: Sequence[float]) -> None:
    """Let the learner's function measure, and compare its latencies with the users'."""
    db = _overloaded_database()
    answer = measure(list(requests), db)
    if answer is ... or is_stub(measure):
        if asyncio.iscoroutine(answer):
            answer.close()
        raise NotYet("let measure return the list of latencies in seconds, in the order of the requests.")
    latencies = _numbers(await awaited("measure", answer), requests)
    _check_sending(db.queries, requests)
    pairs = zip(latencies, expected, strict=True)
    wrong = next((i for i, (measured, waited) in enumerate(pairs) if not abs(measured - waited) <= NEAR_S), None)
    if wrong is not None:
        rows = [
            [i + 1, f"{requests[i].when:.3f} s", ms(expected[i]), ms(latencies[i])]
            for i in range(max(0, wrong - 2), wrong + 1)
        ]
        evidence = evidence_table(["request", "comes at", "its user waits", "you measured"], rows, len(rows) - 1)
        raise Wrong(_misconception(latencies, expected), evidence)


def _numbers(latencies: Any, requests: Sequence[Request]) -> list[float]:
    """The latencies as a list of numbers, one for each request."""
    if not isinstance(latencies, Iterable):
        words = "measure has to return one latency for each request."
        raise Wrong(words, f"{len(requests)} requests, but it returned {latencies!r:.60}")
    listed = list(latencies)
    numbers = [number for number in map(real, listed) if number is not None]
    if len(numbers) < len(listed):
        odd = next(index for index, latency in enumerate(listed) if real(latency) is None)
        missing = ": is a return missing?" if listed[odd] is None else "."
        words = f"Each latency has to be a number of seconds, and yours has {type(listed[odd]).__name__}{missing}"
        raise Wrong(words, f"request {odd + 1}: {listed[odd]!r:.60}")
    if len(numbers) != len(requests):
        words = "measure has to return one latency for each request."
        raise Wrong(words, f"{len(requests)} requests, but it returned {len(numbers)} numbers.")
    return numbers


def _check_sending(queries: Sequence[Query], requests: Sequence[Request]) -> None:
    """Each request has reached the database, at its own time."""
    sent = f"{len(requests)} requests, and {len(queries)} queries at the database"
    if not queries:
        raise Wrong("No request reaches the database: send each with `await db.fetch_user(request.key)`.", sent)
    if len(queries) != len(requests):
        raise Wrong("Each request has to be sent, and once.", sent)
    by_time = sorted(queries, key=lambda query: query.asked)
    late = next((i for i, request in enumerate(requests) if abs(by_time[i].asked - request.when) > NEAR_S), None)
    if late is not None:
        rows = [
            [i + 1, f"{requests[i].when:.3f} s", f"{by_time[i].asked:.3f} s"] for i in range(max(0, late - 2), late + 1)
        ]
        raise Wrong(_why_late(by_time), evidence_table(["request", "comes at", "you sent it at"], rows, len(rows) - 1))
    if sorted(query.key for query in queries) != sorted(request.key for request in requests):
        first = next(i for i, request in enumerate(requests) if by_time[i].key != request.key)
        words = "Each request asks for a user of its own: request.key."
        raise Wrong(words, f"request {first + 1} is for user {requests[first].key}; you asked for {by_time[first].key}")


def _why_late(by_time: Sequence[Query]) -> str:
    """The words for queries that were not sent when their requests came."""
    if all(earlier.ended <= later.asked + 1e-9 for earlier, later in pairwise(by_time)):
        return (
            "You wait for each answer before you send the next request. The users do not know that: they come when "
            "they come. A closed loop slows down with the system and hides its queue (coordinated omission)."
        )
    if by_time[-1].asked - by_time[0].asked < 0.5 * WORKLOAD.seconds:
        return "You send all requests at once: each has its own time, `request.when`, in seconds from the start."
    return "The requests go out at other times than their users come: `request.when`, in seconds from the start."


def _misconception(latencies: Sequence[float], expected: Sequence[float]) -> str:
    """The words for latencies that are not the users', of requests that were sent as they should be."""

    def same(ones: Iterable[float], others: Iterable[float]) -> bool:
        return all(abs(one - other) <= NEAR_S for one, other in zip(ones, others, strict=True))

    if same(sorted(latencies), sorted(expected)):
        return "These are the users' latencies in another order. Give them in the order of the requests."
    if same((latency / 1000 for latency in latencies), expected):
        return "These are milliseconds. Give the latencies in seconds."
    if max(latencies) == min(latencies) == 0:
        return "Each latency is 0: between the two looks at the clock nothing is awaited."
    if max(latencies) < 0.1 and min(latencies) < 0.5 * FAST_S:
        return "That is real time, of which a simulation takes none: measure on the clock of the simulation's own loop."
    if max(latencies) < 0.1:
        return "A latency begins when the request is due, not when the database begins to serve: waiting counts."
    return "The requests go out as they should, but the latencies are not those of the users."


def _examine(measure: Any) -> str:
    """Let the learner's function measure an overloaded database, and compare its latencies with those of `replay`."""
    if measure is ...:
        raise NotYet("write the function measure in place of the ...")
    requests = WORKLOAD.requests()
    expected = run_experiment(_replayed, requests)
    run_experiment(_judge, measure, requests, expected)
    return f"The last request waited {ms(expected[-1])} in all: an open loop shows the queue that a closed one hides."


EXERCISE = Exercise(
    _examine,
    [
        "Every request needs a task of its own, which starts at the request's time and waits for no other task.",
        "In the task: asyncio.sleep(request.when), note the time, await db.fetch_user(request.key), note it again.",
        "return await asyncio.gather(*(one(request) for request in requests)) keeps the order.",
    ],
)
