"""Chapter 5: a flight that survives its callers, and what a lock for each key gets wrong; the exam is the judge."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import Any

from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.flight_exam.exam import exam
from cachelab.lab.flight_exam.report import Report

__all__ = ["EXERCISES"]

LEAVES = (
    "The first caller leaves, and that is felt by others. Who awaits a task and is cancelled cancels the task: let "
    "each caller wait for something of his own, asyncio.shield(task) for example."
)
TAKES = (
    "Whoever leaves takes the load off the table, though it still flies: the next caller begins another. Only the load "
    "itself may clear its entry, at its end, and only if it is still the one that stands there."
)
WORDS = [  # the number of an item, what the exam says of it, and what is behind that
    (3, "off the table", TAKES),
    (3, "", LEAVES),
    (4, "", LEAVES.replace("The first caller", "A follower")),
    (1, "", "Your callers no longer share a load."),
    (2, "", "When the load has failed, those who wait need its error, once, and the next caller a new load."),
    (5, "", "None is an answer like any other: ask whether the key is in the table, not whether there is a value."),
    (6, "cancelled", "A delete must not cancel the old load: who asked before it gets the old answer."),
    (6, "filled", "The old load fills after the delete: it has to look whether a delete came in between."),
    (6, "", "Who comes after the delete must not be given the old load's answer: take the load off the table."),
    (7, "", TAKES.replace("Whoever leaves takes the load", "Whoever wakes up takes a newer load")),
    (8, "", "Something is left in your tables: the load has to clear its own entry when it ends, whoever still waits."),
]


def _evidence(report: Report, number: int) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        report.print_steps(number)
    return f"item {number} of the exam\n{out.getvalue().rstrip()}"


def _examine_survive(make: Any) -> str:
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    report = exam(make)
    if report.problem:
        raise Wrong(report.problem, "The check needs a class with get(key, load) and delete(key).")
    found = {result.item.number: result for result in report.results}
    if found[6].verdict == "not applicable":
        raise Wrong("Keep delete(key): without it nobody can say that the origin has changed.", str(report))
    for number, part, words in WORDS:
        if number in report.failed and part in found[number].why:
            raise Wrong(words, _evidence(report, number))
    return "Nobody's leaving harms anybody, and all the rest of the exam is as it was."


class _LockPerKey:
    """The recipe of the exercise."""

    def __init__(self) -> None:
        self.locks: dict[Any, asyncio.Lock] = {}
        self.values: dict[Any, Any] = {}

    async def get(self, key: Any, load: Any) -> Any:
        """Look again once you have the lock."""
        async with self.locks.setdefault(key, asyncio.Lock()):
            if key not in self.values:
                self.values[key] = await load(key)
            return self.values[key]

    async def delete(self, key: Any) -> None:
        """Forget the value."""
        self.values.pop(key, None)


MISSED = {
    2: "You missed what happens when the load fails: the lock goes to the next in line, who loads again.",
    3: "You missed what happens when the first caller leaves: the load is his, and dies with him.",
    6: "You missed the delete: the load that is under way fills after it.",
    8: "You missed what stays: is there a line that removes a lock?",
}


def _examine_lock(fails: Any) -> str:
    if fails is ...:
        raise NotYet("put a set of numbers in place of the ..., for example {1, 5}.")
    if not isinstance(fails, set | frozenset | list | tuple) or not all(isinstance(one, int) for one in fails):
        raise Wrong("A set of numbers from 1 to 8, for example {1, 5}.", f"{fails!r}")
    if not set(fails) <= set(range(1, 9)):
        raise Wrong("The items have numbers from 1 to 8.", f"{sorted(set(fails) - set(range(1, 9)))}")
    report = exam(_LockPerKey)
    missed, too_many = sorted(report.failed - set(fails)), sorted(set(fails) - report.failed)
    if missed:
        raise Wrong(MISSED[missed[0]], _evidence(report, missed[0]))
    if too_many:
        words = f"It fails fewer: item {too_many[0]} is none of them."
        raise Wrong(words, "\n".join(line for line in str(report).splitlines() if line.startswith(f"{too_many[0]} ")))
    return "Four of the eight. Run lab.exam(LockPerKey) to see each of them happen."


EXERCISES = {
    "5.1": Exercise(
        _examine_survive,
        [
            "What is cancelled when somebody is cancelled who awaits a task?",
            "asyncio.shield(task) gives each caller a future of his own. Then look at who clears the table, and when.",
            "Let task.add_done_callback clear the entry if it is still this task's, and callers await the shield only.",
        ],
    ),
    "5.2": Exercise(
        _examine_lock,
        [
            "Follow three callers through the lock: the first one's load fails. What does the second one do?",
            "The same if the first is cancelled. Then look for a line that removes a lock, and for what delete stops.",
            "Four items fail; 1, 4 and 5 are fine.",
        ],
    ),
}
