"""Exercise 14.1: a plan that keeps all goals of the day."""

from __future__ import annotations

from typing import Any

from cachelab.lab.day.run import BadPlan, run_day
from cachelab.lab.day.score import Score
from cachelab.lab.day.traffic import EVENTS
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub

__all__ = ["EXERCISE"]

FAILED = {
    "backup": "While the backup runs, a query takes twice as long, and a reader who misses waits for it.",
    "hang": "While Redis hangs, each read waits for it, then for the database, and the database cannot do all reads.",
    "crowd": "The crowd asks for profiles that are in no cache, many readers for the same one.",
    "deploy": "The new release begins with an empty cache, and its readers wait for the database.",
    "attack": "The attack makes queries for ids that nobody has, and the readers wait behind them.",
}
"""What is seen in each event when readers fail."""
WORDS = {
    "invented": "Answers were invented: the new release has read what the old one has stored, and filled in a default.",
    "not_found": "Users who had signed up were told that they do not exist: an absence was kept for too long.",
    "stale": "Answers were stale for more than a minute: a copy lived on where the delete did not reach it.",
    "queue": "Queries waited in line for more than half a minute: more began than the origin can end.",
}


def _words(score: Score) -> str:
    """The sentence for the first goal that was missed; a failure is told by the hour that had most of it."""
    kind = next(kind for kind in ("invented", "not_found", "stale", "queue", "failed") if kind in score.missed)
    if kind != "failed":
        return WORDS[kind]
    hour = score.worst_hour("failed")
    at = [name for name, event in EVENTS.items() if event.start < hour + 1 and hour < event.end]
    return FAILED[at[0]] if at else "Readers failed in an hour in which nothing happens: the origin gets too much."


def _examine(plan: Any) -> str:
    """Let the learner's plan live through the day."""
    if plan is ... or is_stub(plan):
        raise NotYet("write the body of the plan, or give your function to the check.")
    if not callable(plan):
        raise Wrong("A plan is a function of the site.", f"it is {plan!r:.60}")
    try:
        score = run_day(plan)
    except BadPlan as error:
        raise Wrong(str(error), "the day could not begin") from None
    if score.missed:
        raise Wrong(_words(score), score.report)
    return (
        f"All goals are kept: {score.share('failed'):.2%} of the readers failed or waited too long, "
        f"{score.share('stale'):.2%} got a stale answer. It takes {len(score.parts)} parts and {score.packets:,} "
        "packets to Redis."
    )


EXERCISE = Exercise(
    _examine,
    [
        "Look at the hour with most failures. What do the readers wait for in that hour?",
        "A copy in each node answers while Redis hangs, if it may be a little old. Chapters 12 and 13 have the parts.",
        "Put a MemoryStore with a TTL of some seconds and Freshness(stale_for=...) over the cache in Redis.",
    ],
    seconds=40.0,
)
