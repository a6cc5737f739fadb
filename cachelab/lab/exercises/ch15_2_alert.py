"""Exercise 15.2: an alert that rings in each of three incidents, and never in a calm time or after a cold start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.lab.web_app.incidents import DURING, SEEN, watch_incident
from cachelab.lab.web_app.traffic import Numbers

__all__ = ["EXERCISE", "recorded"]

RINGS_WITHIN_S = 6.0
WORDS = {
    "calm": "It rings while nothing is wrong: that threshold lies inside what is normal.",
    "cold start": "It rings after a cold start, so each deploy would wake somebody. How long have the workers been up?",
    "flush": "Redis was emptied, and the alert did not ring. What falls, though nothing fails and nothing is slow?",
    "Redis hangs": "Redis answered nothing, and the alert did not ring. Which two numbers see it?",
    "slow database": "Loads took 20 times as long, and the alert did not ring: hits and loads do not see it.",
}
SHOWN = ["when", "up_s", "memory_hits", "redis_hits", "loads_per_s", "load_s", "store_errors_per_s", "p99_s"]


def recorded(incident: str, seed: int = 1) -> list[Numbers]:
    """The numbers of half a minute with this incident. What the notebook has watched is not run again."""
    if (incident, seed) not in SEEN:
        run(lambda: watch_incident(incident, seed=seed))
    return SEEN[incident, seed]


def _answer(rings: Callable[[Numbers], Any], now: Numbers) -> bool:
    """Whether the alert rings. Raises `Wrong` for an answer that is neither yes nor no."""
    answer = rings(now)
    if answer is None:
        raise Wrong("rings returns None: is a return missing?", f"rings({now.when:g} s) → None")
    if hasattr(answer, "__await__") or callable(answer):
        if hasattr(answer, "close"):
            answer.close()
        raise Wrong("rings is a plain function that returns True or False.", f"it returned {type(answer).__name__}")
    return bool(answer)


def _refuse(incident: str, now: Numbers) -> None:
    row: list[object] = [f"{getattr(now, name):.3g}" for name in SHOWN]
    raise Wrong(WORDS[incident], f"{incident}:\n" + evidence_table(SHOWN, [row], 0))


def _examine(rings: Any) -> str:
    """Ask the alert in each window of each run."""
    if rings is ... or (is_stub(rings) and rings(None) is None):
        raise NotYet("write the body of rings: it returns True or False.")
    if not callable(rings):
        raise Wrong("Give the check the function itself, without parentheses.", f"this is a {type(rings).__name__}")
    start, end = DURING
    first: dict[str, float] = {}
    for incident in WORDS:
        for now in recorded(incident):
            is_incident = incident not in ("calm", "cold start")
            if _answer(rings, now) and not (is_incident and now.when > start):
                _refuse("cold start" if incident == "cold start" else "calm", now)
            if is_incident and start < now.when <= end and _answer(rings, now):
                first.setdefault(incident, now.when - start)
        if is_incident and first.get(incident, end) > RINGS_WITHIN_S:
            _refuse(incident, next(now for now in recorded(incident) if now.when > start))
    return "It rings " + ", ".join(f"{after:g} s after the {name} begins" for name, after in first.items()) + "."


EXERCISE = Exercise(
    _examine,
    [
        "No number sees all three: write one condition for each incident, and join them with `or`.",
        "The hanging Redis has errors, the slow database has long loads. The flush has only few hits in Redis.",
        "A cold Redis has few hits, too, but then the workers have not been up for long: now.up_s.",
    ],
    seconds=40.0,
)
