"""Exercise 5.2: what a lock for each key gets wrong."""

from __future__ import annotations

import asyncio
import operator
from typing import Any

from cachelab.lab.exercises.exam_evidence import item_steps
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.flight_exam.exam import exam

__all__ = ["EXERCISE"]


class _LockPerKey:
    """The class that the exercise shows."""

    def __init__(self) -> None:
        self.locks: dict[Any, asyncio.Lock] = {}
        self.values: dict[Any, Any] = {}

    async def get(self, key: Any, load: Any) -> Any:
        async with self.locks.setdefault(key, asyncio.Lock()):
            if key not in self.values:
                self.values[key] = await load(key)
            return self.values[key]

    async def delete(self, key: Any) -> None:
        self.values.pop(key, None)


MISSED = {
    2: "You missed what happens when the load fails: the next caller in line gets the lock, and loads again.",
    3: "You missed what happens when the first caller leaves: the load runs in that caller, so it is cancelled, too.",
    6: "You missed the delete: the load that already runs fills after it.",
    8: "You missed what stays: is there a line that removes a lock?",
}


def _examine(fails: Any) -> str:
    """Compare the learner's set of numbers with the items of the exam that the class fails."""
    if fails is ...:
        raise NotYet("put a set of numbers in place of the ..., for example {1, 5}.")
    try:
        said = set(map(operator.index, fails))
    except TypeError:
        raise Wrong("Give a set of whole numbers from 1 to 8, for example {1, 5}.", f"fails is {fails!r}") from None
    if not said <= set(range(1, 9)):
        raise Wrong("The items have numbers from 1 to 8.", f"{sorted(said - set(range(1, 9)))}")
    report = exam(_LockPerKey)
    missed, too_many = sorted(report.failed - said), sorted(said - report.failed)
    if missed:
        raise Wrong(MISSED[missed[0]], item_steps(report, missed[0]))
    if too_many:
        words = f"It fails fewer items than you say: item {too_many[0]} passes."
        raise Wrong(words, "\n".join(line for line in str(report).splitlines() if line.startswith(f"{too_many[0]} ")))
    return "It fails four of the eight. Run lab.exam(LockPerKey) to see each of them happen."


EXERCISE = Exercise(
    _examine,
    [
        "Follow three callers through the lock. The load of the first one fails. What does the second one do?",
        "Do the same for a first caller that is cancelled. What does delete stop? Which line removes a lock?",
        "Four items fail; 1, 4 and 5 are fine.",
    ],
)
