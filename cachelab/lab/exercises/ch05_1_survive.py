"""Exercise 5.1: a flight that survives its callers."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from cachelab.lab.exercises.exam_evidence import Misconceptions, behind_the_first_failure
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.flight_exam.exam import exam

__all__ = ["EXERCISE"]


def _cancels_others(caller: str) -> str:
    return (
        f"{caller} leaves, and that harms others. If a caller awaits a task and is cancelled, the task is cancelled, "
        "too. Let each caller wait for something of its own, asyncio.shield(task) for example."
    )


def _removes_load(caller: str, load: str) -> str:
    return (
        f"{caller} removes {load} from the table, though that load still runs. So the next caller begins another one. "
        "Only the load itself may remove its entry, when it ends, and only if the entry is still its own."
    )


STAYS = (
    "A caller that is cancelled has to leave at once: let its CancelledError pass. Until it has left, a time limit "
    "around get cannot end."
)
LOADS_IN_A_CALLER = (
    "A caller leaves, and a second load begins. The load needs a task of its own, apart from its callers."
)

MISCONCEPTIONS: Misconceptions = [
    (3, "CancelledError must pass", STAYS),
    (3, "still waits", STAYS),
    (3, "from the table", _removes_load("A caller that leaves", "the load")),
    (
        3,
        "given up",
        "The last caller leaves, and its load ends with it, so the next caller begins another one. Let the load go on.",
    ),
    (3, "nobody had cancelled", _cancels_others("The first caller")),
    (3, "second load", LOADS_IN_A_CALLER),
    (4, "CancelledError must pass", STAYS),
    (4, "still waits", STAYS),
    (4, "from the table", _removes_load("A follower that leaves", "the load")),
    (4, "nobody had cancelled", _cancels_others("A follower")),
    (4, "second load", LOADS_IN_A_CALLER),
    (1, "caused", "Your callers no longer share a load."),
    (
        2,
        "were not told",
        "A load can end with CancelledError, and then its waiters must be told of it.",
    ),
    (2, "waits for ever", "The load has failed, and a caller still waits. Each of them must be given the error."),
    (2, "remembered", "The error stays in the table. When a load has failed, the next caller needs a new load."),
    (
        2,
        "began for the callers",
        "When the load fails, its waiters get the error. They do not load again.",
    ),
    (
        2,
        "instead of its error",
        "When the load has failed, each waiter needs its error, as it was raised.",
    ),
    (5, "", "None is an answer like any other. Test whether the key is in the table, not whether there is a value."),
    (
        6,
        "cancelled",
        "A delete must not cancel the old load, because callers that came before the delete wait for it.",
    ),
    (6, "filled", "The old load fills after the delete. It has to look whether a delete came in between."),
    (
        6,
        "joined",
        "A caller that comes after the delete must not be given the old load's answer: remove the load from the table.",
    ),
    (7, "removed", _removes_load("A caller that wakes up", "a newer load")),
    (
        8,
        "still hold",
        "Something is left in your tables. The load has to remove its own entry when it ends, with or without waiters.",
    ),
]


async def _call_once(make: Any) -> None:
    """Before the exam: callers that come one after the other get the value of the load, and delete returns."""
    shared = make()
    if not callable(getattr(shared, "get", None)):
        raise Wrong(
            "The check needs a class with get(key, load) and delete(key).", f"{type(shared).__name__} has no get"
        )
    if not callable(getattr(shared, "delete", None)):
        words = "Keep delete(key): without it nobody can say that the origin has changed."
        raise Wrong(words, f"{type(shared).__name__} has no delete")

    async def load(key: str) -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        return f"the value of {key}"

    for call, key in enumerate(["a", "a", "b"], 1):
        shown = f"call {call}: await get({key!r}, load)"
        answer = shared.get(key, load)
        if not inspect.isawaitable(answer):
            raise Wrong("get has to be async: a caller awaits it.", f"call {call}: get({key!r}, load) → {answer!r:.60}")
        value = await answer
        if inspect.isawaitable(value):
            kind = type(value).__name__
            if inspect.iscoroutine(value):
                value.close()  # or Python would warn that it was never awaited
            raise Wrong(f"get returns a {kind} in place of the value: an await is missing.", f"{shown} → a {kind}")
        if value is None:
            words = "get returns None, and the load has returned a value: is a return missing?"
            raise Wrong(words, f"{shown} → None")
        if value != f"the value of {key}":
            raise Wrong("get has to return what the load of its key has returned.", f"{shown} → {value!r:.60}")
        for deleted in (key, "a key that nobody has asked for"):
            deleting = shared.delete(deleted)
            if inspect.isawaitable(deleting):
                await deleting
    await asyncio.sleep(0)  # for callbacks that are still to come


def _examine(make: Any) -> str:
    """Call `make()` as its users do, put it through the exam, and name what is behind the first item that it fails."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    run_experiment(_call_once, make)
    wrong = behind_the_first_failure(exam(make), MISCONCEPTIONS)
    if wrong is not None:
        raise wrong
    return "A caller that leaves harms no other, and your class passes all the other items, too."


EXERCISE = Exercise(
    _examine,
    [
        "A caller awaits a task, and the caller is cancelled. What else is cancelled?",
        "Let callers await asyncio.shield(task). Then look at the finally: whose load does it remove?",
        "Let the task run a method of yours. It awaits load(key), and then removes itself if it is still in the table.",
    ],
)
