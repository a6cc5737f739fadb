"""Chapter 0: how many connections a load needs, and how to measure without hiding the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table, ms
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Workload

__all__ = ["EXERCISES"]

LOADS = [(50.0, 0.1), (100.0, 0.045), (30.0, 0.01), (200.0, 0.04)]  # the last has a whole number of connections busy


def _last_wait_s(connections: int, rate: float, service_s: float) -> float:
    async def scenario() -> float:
        db = SlowDatabase(users=100, connections=connections, service_s=service_s)
        trace = await replay(Workload(rate=rate, seconds=30, keys=100), db.fetch_user, db=db)
        tail = trace.reads[-len(trace.reads) // 10 :]
        return sum(row.latency_s - service_s for row in tail) / len(tail)

    return run(scenario)


def _examine_connections(connections_needed: Any) -> str:
    """Put the answers for four loads under that load for half a minute."""
    rows = []
    for rate, service_s in LOADS:
        answer = connections_needed(rate, service_s)
        if answer is None or answer is ...:
            raise NotYet("let connections_needed return a whole number of connections.")
        right = int(rate * service_s + 1e-9) + 1  # the smallest C with C / service_s > rate
        if isinstance(answer, float) and answer.is_integer():
            answer = int(answer)
        if not isinstance(answer, int) or answer < 1:
            words = "Connections come whole: between two whole numbers only the upper one carries the load."
            raise Wrong(words, f"connections_needed(rate={rate:g}, service_s={service_s:g}) returned {answer!r}")
        wait = _last_wait_s(answer, rate, service_s)
        rows.append([f"{rate:g}/s", ms(service_s), answer, f"{answer / service_s:.0f}/s", ms(wait)])
        if answer == right:
            continue
        if answer == int(rate / service_s + 0.5) or answer == round(service_s / rate) or answer >= rate:
            words = "Check the units: each connection is busy for rate × service_s seconds of every second."
        elif (
            answer == right - 1 and answer / service_s <= rate * (1 + 1e-9) and answer / service_s >= rate * (1 - 1e-9)
        ):
            words = (
                "Exactly enough is not enough: when arrivals are random, at 100 % busy the queue grows without a bound."
            )
        elif answer < right:
            words = "The capacity is below the load: each second leaves more queries waiting than it found."
        else:
            words = "This carries the load, and pays for connections it does not need: a smaller number does as well."
        evidence = evidence_table(["load", "service", "your C", "capacity", "wait after 30 s"], rows, len(rows) - 1)
        raise Wrong(words, evidence)
    return "No queue is left to grow at any of the four loads, and one connection less would not do."


HONEST = Workload(rate=120, seconds=3, keys=50, seed=7)


def _examine_open_loop(measure: Any) -> str:
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


EXERCISES = {
    "0.1": Exercise(
        _examine_connections,
        [
            "One connection serves 1 / service_s queries per second. How many do C of them serve?",
            "You need C / service_s > rate. Which whole C is the smallest? Mind a whole rate * service_s.",
            "math.floor(rate * service_s) + 1: one more than the connections that are busy on average.",
        ],
    ),
    "0.2": Exercise(
        _examine_open_loop,
        [
            "Every request needs a task of its own, started at its own time, whatever became of the one before.",
            "In the task: asyncio.sleep(request.when), note the time, await db.fetch_user(request.key), note it again.",
            "return await asyncio.gather(*(one(request) for request in requests)) keeps the order.",
        ],
    ),
}
