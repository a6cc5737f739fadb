"""What an exercise is: an experiment on the learner's answer, hints, and the two ways in which an answer fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Exercise", "NotYet", "Wrong", "refuse_an_object"]


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


def refuse_an_object(make: Any) -> None:
    """Raises `Wrong` if `make` is no class and no function that builds objects."""
    if not callable(make):
        name = type(make).__name__
        words = "Give the check the class itself, without parentheses: it builds objects of its own."
        raise Wrong(words, f"this is no class, but an object of type {name}")
