"""What an exam has found: a line for each item, and the steps that led there as a table and as a picture."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cachelab.lab.flight_exam.items import Item
from cachelab.lab.flight_exam.picture import plot_steps, told
from cachelab.lab.flight_exam.words import Step
from cachelab.lab.plots.style import Picture
from cachelab.lab.text import PAGE, evidence_table

__all__ = ["Report", "Result", "Verdict"]

Verdict: TypeAlias = Literal["pass", "fail", "hangs", "not applicable"]


@dataclass(frozen=True)
class Result:
    """The verdict on one item, why, and what happened step by step; `blocked` if it did not even come back."""

    item: Item
    verdict: Verdict
    why: str
    steps: list[Step] = field(default_factory=list)
    blocked: bool = False


@dataclass(frozen=True)
class Report:
    """The results of an exam. As the last line of a cell it shows itself; elsewhere call `show()`.

    `problem` is a sentence if nothing could be examined; then every item counts as failed.
    """

    results: list[Result]
    problem: str = ""

    @property
    def passed(self) -> set[int]:
        """The numbers of the items that passed."""
        return {result.item.number for result in self.results if result.verdict == "pass"}

    @property
    def failed(self) -> set[int]:
        """The numbers of the items that failed, those that hang among them. The rest is not applicable."""
        return {result.item.number for result in self.results if result.verdict in ("fail", "hangs")}

    def __str__(self) -> str:
        if self.problem:
            return textwrap.fill(self.problem, PAGE)
        lines = []
        for result in self.results:
            words = textwrap.wrap(result.why, PAGE - 47)
            lines.append(f"{result.item.number}  {result.item.asks:<27}{result.verdict:<16}{words[0]}")
            lines += [" " * 46 + more for more in words[1:]]
        return "\n".join([*lines, f"{len(self.passed)} passed, {len(self.failed)} failed."])

    def show(self) -> None:
        """Print a line for each item."""
        print(self)

    def _ipython_display_(self) -> None:
        self.show()

    def print_steps(self, number: int) -> None:
        """Print what happened in item `number`, step by step, and the verdict on it."""
        result = self._result(number)
        rows = [(i, step.actor, told(step)) for i, step in enumerate(result.steps, 1)]
        print(evidence_table(("step", "who", "did"), rows))
        print(textwrap.fill(f"{result.verdict}: {result.why}", PAGE))

    def plot(self, number: int) -> Picture:
        """The same as a picture: a lane for each caller and load."""
        result = self._result(number)
        return plot_steps(result.steps, f"Item {number}: {result.item.asks}", result.verdict, result.why)

    def _result(self, number: int) -> Result:
        found = [result for result in self.results if result.item.number == number and result.steps]
        if not found:
            raise ValueError(f"There is no record of an item {number!r}.")
        return found[0]
