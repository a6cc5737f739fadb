"""Exercises: `check` runs an experiment on the learner's code and says what it showed; `hint` helps in steps.

An exercise raises `NotYet` while the stub is still a stub and `Wrong` with a counter-example; otherwise it returns a
sentence about what was right. Whatever the learner's code does, `check` prints a few lines and returns.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cachelab.lab.sandbox import explain_failure, run_sandboxed
from cachelab.lab.text import PAGE

__all__ = ["Exercise", "NotYet", "Wrong", "check", "hint"]


class NotYet(Exception):
    """The answer is still the stub; the text says what to put in its place."""


class Wrong(Exception):
    """The experiment came out otherwise. `words` name the misconception, `evidence` is the counter-example."""

    def __init__(self, words: str, evidence: str) -> None:
        super().__init__(words)
        self.words = words
        self.evidence = evidence


@dataclass(frozen=True)
class Exercise:
    """`examine(answer)` runs the experiment; `hints` go from a nudge to nearly the answer."""

    examine: Callable[[Any], str]
    hints: Sequence[str]


def check(name: str, answer: Any) -> None:
    """Try `answer` on the exercise `name` and print the verdict. It never raises, and is back within seconds."""
    exercise = _find(name)
    if exercise is None:
        return
    try:
        _print(f"Correct. {run_sandboxed(lambda: exercise.examine(answer))}")
    except NotYet as stub:
        _print(f"Nothing to check yet: {stub}")
    except Wrong as wrong:
        _print(f"Not yet. {wrong.words}")
        print(f"\n{wrong.evidence}")
    except KeyboardInterrupt:
        print("Interrupted: the check was not finished.")
    except BaseException as error:
        _print(f"Not yet. {explain_failure(error)}")


def hint(name: str, step: int = 1) -> None:
    """Print hint number `step` of the exercise `name`."""
    exercise = _find(name)
    if exercise is not None:
        number = min(max(step, 1), len(exercise.hints))
        _print(f"Hint {number} of {len(exercise.hints)}: {exercise.hints[number - 1]}")


def _print(sentence: str) -> None:
    print(textwrap.fill(sentence, PAGE))


def _find(name: str) -> Exercise | None:
    chapter = name.partition(".")[0]
    try:
        exercises: dict[str, Exercise] = import_module(f"cachelab.lab.exercises.chapter_{int(chapter):02d}").EXERCISES
    except (ValueError, ModuleNotFoundError):
        exercises = {}
    if name not in exercises:
        print(f"There is no exercise {name!r}. Chapter {chapter} has: {', '.join(exercises) or 'none'}.")
    return exercises.get(name)
