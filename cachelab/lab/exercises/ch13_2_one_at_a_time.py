"""Exercise 13.2: a breaker that is half open lets one call through at a time."""

from __future__ import annotations

from typing import Any

from cachelab.lab.breakers.exam import breaker_exam
from cachelab.lab.exercises.exam_evidence import Misconceptions, behind_the_first_failure
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment

__all__ = ["EXERCISE"]

NOT_ASKED = {7, 10}
"""Items of the exam that the breaker of the exercise fails before and after it is mended."""

NOBODY = "When its time is over, one call has to reach the origin. Otherwise it never learns that the origin is back."
MISCONCEPTIONS: Misconceptions = [
    (1, "still reached", "It no longer opens: after so many failures in a row, calls have to be refused."),
    (1, "was refused", "It refuses calls before it has seen so many failures in a row."),
    (1, "waits for ever", "A refused caller waits: it has to be told at once, by an error."),
    (2, "", "An answer has to set the count of failures back to 0."),
    (3, "reached", "It is open, and lets a call through before its time is over."),
    (3, "no error", "A refused caller needs an error. Without one it takes what it gets for an answer."),
    (4, "no call", NOBODY),
    (
        4,
        "callers through",
        "Half open, it still lets a crowd through: note before the first await that somebody tries.",
    ),
    (4, "neither", "Those who come while another call tries have to be refused at once. Yours wait for ever."),
    (5, "did not open", "When it has closed again, so many failures in a row have to open it again."),
    (5, "", "The one call has succeeded, so the breaker is closed, and all calls have to pass."),
    (6, "at once", "The one call has failed, so the breaker has to be open again. Yours lets the next call through."),
    (6, "after", "After a failed try it has to stay open for the whole of open_s again."),
    (6, "no call", "A try has failed, and then nobody may try any more: the place of the one call must be free again."),
    (8, "freed", "Another caller was cancelled, and that has freed the place: only the call that took it may free it."),
    (8, "", "The caller that tried was cancelled, and its place is never free again: CancelledError is no Exception."),
    (9, "", "It does not count a TimeoutError any more."),
    (11, "", "Answers and errors of load have to reach the caller as they are."),
]


async def _call_once(make: Any) -> None:
    """Before the exam: the answer of `load` reaches a caller."""

    async def load(key: str) -> str:
        return f"the value of {key}"

    breaker = make(load, failures=3, open_s=1.0)
    if not callable(breaker):
        words = "The breaker has to be called with a key, as before: keep __call__(self, key)."
        raise Wrong(words, f"a {type(breaker).__name__} cannot be called")
    value = await awaited("__call__", breaker("a"))
    if value != "the value of a":
        raise Wrong("The caller has to get what load has returned.", f"await breaker('a') → {value!r:.60}")


def _examine(make: Any) -> str:
    """Call a breaker once, put it through the exam, and name what is behind the first item that it fails."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    run_experiment(_call_once, make)
    wrong = behind_the_first_failure(breaker_exam(make), MISCONCEPTIONS, NOT_ASKED)
    if wrong is not None:
        raise wrong
    return "Of 20 callers at once 1 reaches the origin, and if it is cancelled, the next one may try."


EXERCISE = Exercise(
    _examine,
    [
        "Who is the first of the crowd, and how do the others learn that it is on its way?",
        "A flag self.is_trying: set it before the await, refuse while it is set, and take it back afterwards.",
        "Take it back in a finally, and only in the call that has set it: half_open = self.open_until is not None.",
    ],
)
