"""How the scripts of an exam are run and judged, whatever the exam is about.

A script returns a sentence that says what was right, or raises `ItemFailed`, `NotApplicable` or `CallerHangs`. What the
subject itself raises, or that it blocks, becomes a verdict as well: no subject can end an exam.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cachelab.lab.flight_exam.items import Item, ItemFailed, NotApplicable
from cachelab.lab.flight_exam.record import Step, describe_error
from cachelab.lab.flight_exam.report import Result, Verdict
from cachelab.lab.flight_exam.stage import CallerHangs
from cachelab.lab.sandbox import Stuck, raised_at, raised_by_learner, run_sandboxed

__all__ = ["LIMIT_S", "judged", "within_limit", "without_warnings"]

LIMIT_S = 1.0
"""Real seconds for an item on a loop; after that the subject is taken to block the loop."""


def judged(item: Item[Any], play: Callable[[], str], steps: Callable[[], list[Step]]) -> Result:
    """The result of an item whose script `play()` runs, and what happened in it: `steps()`, asked for afterwards."""
    verdict: Verdict = "fail"
    error_words = ""
    try:
        why = play()
        verdict = "pass"
    except NotApplicable as reason:
        verdict, why = "not applicable", str(reason)
    except ItemFailed as failure:
        why, error_words = str(failure), _in_words(failure.error)
    except CallerHangs as hanging:
        verdict, why = "hangs", str(hanging)
    except Stuck as place:
        at = f" It was at {place}." if str(place) else ""
        why = f"It did not come back: an endless loop, or a call that blocks.{at}"
        return Result(item, "hangs", why, steps(), blocked=True)
    except Exception as error:
        why, error_words = f"It raised {describe_error(error)}.", _in_words(error)
    return Result(item, verdict, why, steps(), error=error_words)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress what Python says of the coroutines and finalizers of a broken subject: the verdict says enough."""
    hook = sys.unraisablehook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda unraisable: None
        try:
            yield
        finally:
            sys.unraisablehook = hook


def _in_words(error: BaseException | None) -> str:
    """An error of the subject's own code and its line there; "" if there is none, or if it wraps that of the load."""
    if error is None or not raised_by_learner(error) or error.__cause__ is not None:
        return ""
    return f"{describe_error(error)}{raised_at(error)}"


def within_limit(work: Callable[[], Any], seconds: float = LIMIT_S) -> Any:
    """`work()` with a limit in real seconds. An interrupt that the work itself raises is an error like any other."""
    outcome: list[Any] = []

    def keep_outcome() -> str:
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))
        return ""

    run_sandboxed(keep_outcome, seconds)
    value, error = outcome[0]
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise RuntimeError(describe_error(error))
    return value
