"""What an exercise is: an experiment on the learner's answer, hints, and the two ways in which an answer fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Exercise", "NotYet", "Wrong"]


class NotYet(Exception):
    """The answer is still the stub. The text says what to put in its place."""


class Wrong(Exception):
    """The experiment failed. `words` name the misconception, and `evidence` is the counter-example."""

    def __init__(self, words: str, evidence: str) -> None:
        super().__init__(words)
        self.words = words
        self.evidence = evidence


@dataclass(frozen=True)
class Exercise:
    """An experiment and its hints, which go from a nudge to nearly the answer.

    `examine(answer)` runs the experiment. It raises `NotYet` or `Wrong`, or returns a sentence that says what was
    right.
    """

    examine: Callable[[Any], str]
    hints: Sequence[str]
