"""Exercise 0.1: how many connections a load needs."""

from __future__ import annotations

import inspect
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub
from cachelab.lab.exercises.plan import real, whole
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table, ms
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Workload

__all__ = ["EXERCISE"]

LOADS = [(50.0, 0.1), (100.0, 0.045), (30.0, 0.01), (200.0, 0.04), (49.0, 0.1), (90.0, 0.09), (2.0, 1.5), (120.0, 0.25)]
"""Requests a second, and the service time in seconds. On average 5, 4.5, 0.3, 8, 4.9, 8.1, 3 and 30 are busy."""


def _wait_at_the_end(connections: int, rate: float, service_s: float) -> float:
    """How long the last tenth of the requests in half a minute wait for a connection, in seconds, on average."""

    async def scenario() -> float:
        db = SlowDatabase(users=100, connections=connections, service_s=service_s)
        result = await replay(Workload(rate=rate, seconds=30, keys=100), db.fetch_user, db=db)
        last_tenth = result.reads[-len(result.reads) // 10 :]
        return sum(row.latency_s - service_s for row in last_tenth) / len(last_tenth)

    return run(scenario)


def _misconception(answer: int, right: int, rate: float, service_s: float) -> str:
    """The words for an answer that is not the smallest number of connections that carries the load."""
    if answer == int(rate / service_s + 0.5) or answer == round(service_s / rate) or answer >= rate > right:
        return "Check the units: each connection is busy for rate × service_s seconds of every second."
    is_exactly_enough = rate * (1 - 1e-9) <= answer / service_s <= rate * (1 + 1e-9)
    if answer == right - 1 and is_exactly_enough:
        return "Exactly enough is not enough: when arrivals are random, at 100 % busy the queue grows without a bound."
    if answer < right:
        return "The capacity is below the load: each second leaves more queries waiting than it found."
    return "This carries the load, and pays for connections it does not need: a smaller number does as well."


def _ask(connections_needed: Any, rate: float, service_s: float) -> int:
    """What the learner's function returns, if it is a whole number of connections."""
    answer = connections_needed(rate, service_s)
    if answer is ... or (answer is None and is_stub(connections_needed)):
        raise NotYet("let connections_needed return a whole number of connections.")
    call = f"connections_needed(rate={rate:g}, service_s={service_s:g})"
    if answer is None:
        raise Wrong("connections_needed returns None: is a return missing?", f"{call} returned None")
    if inspect.iscoroutine(answer):
        answer.close()
        raise Wrong("connections_needed is a plain function: `def`, not `async def`.", f"{call} returned a coroutine")
    if real(answer) is None:
        words = f"connections_needed has to return a number, not a {type(answer).__name__}."
        raise Wrong(words, f"{call} returned {answer!r:.60}")
    connections = whole(answer)
    if connections is None:
        words = "Connections come whole: between two whole numbers only the upper one carries the load."
        raise Wrong(words, f"{call} returned {answer!r}")
    if connections < 1:
        raise Wrong("Without a connection no query is answered: it takes at least one.", f"{call} returned {answer!r}")
    return connections


def _examine(connections_needed: Any) -> str:
    """Run each load for half a minute on as many connections as the learner's function returns for it."""
    rows = []
    for rate, service_s in LOADS:
        answer = _ask(connections_needed, rate, service_s)
        right = int(rate * service_s + 1e-9) + 1  # the smallest C with C / service_s > rate
        wait_s = _wait_at_the_end(answer, rate, service_s)
        rows.append([f"{rate:g}/s", ms(service_s), answer, f"{answer / service_s:.0f}/s", ms(wait_s)])
        if answer != right:
            header = ["load", "service", "your C", "capacity", "wait after 30 s"]
            evidence = evidence_table(header, rows, len(rows) - 1)
            raise Wrong(_misconception(answer, right, rate, service_s), evidence)
    return "No queue is left to grow at any of the loads, and one connection less would not do."


EXERCISE = Exercise(
    _examine,
    [
        "One connection serves 1 / service_s queries per second. How many do C of them serve?",
        "You need C / service_s > rate. Which whole C is the smallest? Mind a whole rate * service_s.",
        "math.floor(rate * service_s) + 1: one more than the connections that are busy on average.",
    ],
)
