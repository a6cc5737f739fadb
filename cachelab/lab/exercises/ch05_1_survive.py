"""Exercise 5.1: a flight that survives its callers."""

from __future__ import annotations

from typing import Any

from cachelab.lab.exercises.exam_evidence import item_steps
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.flight_exam.exam import exam

__all__ = ["EXERCISE"]


def _cancels_others(caller: str) -> str:
    return (
        f"{caller} leaves, and that is felt by others. A caller that awaits a task and is cancelled cancels the task: "
        "let each caller wait for something of its own, asyncio.shield(task) for example."
    )


def _removes_load(caller: str, load: str) -> str:
    return (
        f"{caller} takes {load} off the table, though that load is still running: the next caller begins another. Only "
        "the load itself may clear its entry, at its end, and only if the entry is still its own."
    )


MISCONCEPTIONS = [
    (3, "off the table", _removes_load("A caller that leaves", "the load")),
    (3, "", _cancels_others("The first caller")),
    (4, "", _cancels_others("A follower")),
    (1, "", "Your callers no longer share a load."),
    (2, "", "When the load has failed, each waiter needs its error, once, and the next caller needs a new load."),
    (5, "", "None is an answer like any other: test whether the key is in the table, not whether there is a value."),
    (
        6,
        "cancelled",
        "A delete must not cancel the old load: a caller that came before the delete gets the old answer.",
    ),
    (6, "filled", "The old load fills after the delete: it has to look whether a delete came in between."),
    (
        6,
        "",
        "A caller that comes after the delete must not be given the old load's answer: take the load off the table.",
    ),
    (7, "", _removes_load("A caller that wakes up", "a newer load")),
    (
        8,
        "",
        "Something is left in your tables: the load has to clear its own entry when it ends, with or without waiters.",
    ),
]
"""The number of a failed item of the exam, a part of what the exam says of it, and the misconception behind it."""


def _examine(make: Any) -> str:
    """Put `make()` through the single-flight exam, and name the misconception behind the first item that it fails."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    report = exam(make)
    if report.problem:
        raise Wrong(report.problem, "The check needs a class with get(key, load) and delete(key).")
    results = {result.item.number: result for result in report.results}
    if results[6].verdict == "not applicable":
        raise Wrong("Keep delete(key): without it no caller can say that the origin has changed.", str(report))
    for number, part, words in MISCONCEPTIONS:
        if number in report.failed and part in results[number].why:
            raise Wrong(words, item_steps(report, number))
    return "A caller that leaves harms no other, and all the rest of the exam is as it was."


EXERCISE = Exercise(
    _examine,
    [
        "A caller awaits a task, and the caller is cancelled. What else is cancelled?",
        "asyncio.shield(task) gives each caller a future of its own. Then look at what clears the table, and when.",
        "Let task.add_done_callback clear the entry if it is still this task's, and callers await the shield only.",
    ],
)
