"""Exercise 5.1: a flight that survives its callers."""

from __future__ import annotations

from typing import Any

from cachelab.lab.exercises.exam_evidence import item_steps
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.flight_exam.exam import exam

__all__ = ["EXERCISE"]

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


def examine(make: Any) -> str:
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
            raise Wrong(words, item_steps(report, number))
    return "Nobody's leaving harms anybody, and all the rest of the exam is as it was."


EXERCISE = Exercise(
    examine,
    [
        "What is cancelled when somebody is cancelled who awaits a task?",
        "asyncio.shield(task) gives each caller a future of his own. Then look at who clears the table, and when.",
        "Let task.add_done_callback clear the entry if it is still this task's, and callers await the shield only.",
    ],
)
