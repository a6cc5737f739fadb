"""The counter-example of exercises 5.1 and 5.2: the steps of one item of the single-flight exam."""

from __future__ import annotations

import contextlib
import io

from cachelab.lab.flight_exam.report import Report

__all__ = ["item_steps"]


def item_steps(report: Report, number: int) -> str:
    """What `report.print_steps(number)` prints, below the number of the item."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            report.print_steps(number)
        except ValueError:  # the item came to no step
            print(next(result.why for result in report.results if result.item.number == number))
    return f"item {number} of the exam\n{out.getvalue().rstrip()}"
