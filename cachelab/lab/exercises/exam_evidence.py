"""What an exam says of a learner's code, in words: the steps of one item, and what is behind the first that fails.

The single-flight exam is used by exercises 5.1 and 5.2, and the breaker exam by 13.2.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Sequence
from typing import TypeAlias

from cachelab.lab.exercises.exercise import Wrong
from cachelab.lab.flight_exam.report import Report

__all__ = ["Misconceptions", "behind_the_first_failure", "item_steps"]

Misconceptions: TypeAlias = Sequence[tuple[int, str, str]]
"""The number of a failed item of the exam, a part of what the exam says of it, and the misconception behind it."""


def item_steps(report: Report, number: int) -> str:
    """What `report.print_steps(number)` prints, below the number of the item."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            report.print_steps(number)
        except ValueError:  # the item came to no step
            print(next(result.why for result in report.results if result.item.number == number))
    return f"item {number} of the exam\n{out.getvalue().rstrip()}"


def behind_the_first_failure(
    report: Report, misconceptions: Misconceptions, not_asked: Collection[int] = ()
) -> Wrong | None:
    """What is behind a failure: an error of the code, a call that blocks, or the first of these misconceptions.

    None if nothing has failed but the items of these numbers, which the exercise does not ask for.
    """
    failed = sorted(report.failed - set(not_asked))
    results = {result.item.number: result for result in report.results}
    for number in failed:
        if results[number].error:
            return Wrong(f"Your code raised {results[number].error}.", item_steps(report, number))
    for number in failed:
        if results[number].blocked:
            words = results[number].why.replace("It did", "Your code did", 1)
            return Wrong(words, f"in item {number} of the exam: {results[number].item.title}")
    for number, part, words in misconceptions:
        if number in failed and part in results[number].why:
            return Wrong(words, item_steps(report, number))
    for number in failed:
        return Wrong(f"Item {number} of the exam fails: {results[number].why}", item_steps(report, number))
    return None
