"""What an exam has found: a line for each item, and the steps that led to it, as a table and as a picture."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from cachelab.lab.flight_exam.items import Item
from cachelab.lab.flight_exam.picture import plot_steps
from cachelab.lab.flight_exam.record import Step, describe_step
from cachelab.lab.plots.style import Picture
from cachelab.lab.text import PAGE, evidence_table

__all__ = ["Report", "Result", "Verdict"]

Verdict: TypeAlias = Literal["pass", "fail", "hangs", "not applicable"]


@dataclass(frozen=True)
class Result:
    """The verdict on one item, the reason for it, and what happened step by step.

    `blocked` says that the subject did not even come back. `error` is the unexpected error of a failed item, in words
    and with its line in the subject, or "".
    """

    item: Item[Any]
    verdict: Verdict
    why: str
    steps: list[Step] = field(default_factory=list)
    blocked: bool = False
    error: str = ""


@dataclass(frozen=True)
class Report:
    """The results of an exam. As the last line of a cell it is shown; elsewhere call `show()`.

    If nothing could be examined, `problem` is a sentence that says why, and every item counts as failed.
    """

    results: list[Result]
    problem: str = ""

    @property
    def passed(self) -> set[int]:
        """The numbers of the items that passed."""
        return {result.item.number for result in self.results if result.verdict == "pass"}

    @property
    def failed(self) -> set[int]:
        """The numbers of the items that failed, including those that hang."""
        return {result.item.number for result in self.results if result.verdict in ("fail", "hangs")}

    @property
    def not_applicable(self) -> set[int]:
        """The numbers of the items that cannot be judged for this subject."""
        return {result.item.number for result in self.results if result.verdict == "not applicable"}

    def __str__(self) -> str:
        if self.problem:
            return textwrap.fill(self.problem, PAGE)
        lines = []
        for result in self.results:
            why, *rest = textwrap.wrap(result.why, PAGE - 47)
            lines.append(f"{result.item.number:<3}{result.item.title:<27}{result.verdict:<16}{why}")
            lines += [" " * 46 + line for line in rest]
        counts = f"{len(self.passed)} passed, {len(self.failed)} failed"
        if self.not_applicable:
            counts += f", {len(self.not_applicable)} not applicable"
        return "\n".join([*lines, f"{counts}."])

    def show(self) -> None:
        """Print a line for each item."""
        print(self)

    def _ipython_display_(self) -> None:
        self.show()

    def print_steps(self, number: int) -> None:
        """Print what happened in item `number`, step by step, and the verdict. Raises ValueError if it has no steps."""
        result = self._result(number)
        rows = [(i, step.actor, describe_step(step)) for i, step in enumerate(result.steps, 1)]
        print(evidence_table(("step", "who", "did"), rows))
        print(textwrap.fill(f"{result.verdict}: {result.why}", PAGE))

    def plot(self, number: int) -> Picture:
        """Draw item `number`, with a lane for each caller and load. Raises ValueError if it has no steps."""
        result = self._result(number)
        return plot_steps(result.steps, f"Item {number}: {result.item.title}", result.verdict, result.why)

    def _result(self, number: int) -> Result:
        found = [result for result in self.results if result.item.number == number and result.steps]
        if not found:
            raise ValueError(f"There is no record of an item {number!r}.")
        return found[0]
