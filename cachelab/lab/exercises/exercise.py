"""What an exercise is: an experiment on the learner's answer, hints, and the two ways in which an answer fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Exercise", "NotYet", "Wrong", "awaited", "is_stub", "refuse_an_object"]


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
    right. It may take so many `seconds` of real time, by default ten.
    """

    examine: Callable[[Any], str]
    hints: Sequence[str]
    seconds: float | None = None


def _stub() -> None: ...


async def _async_stub() -> None: ...


def is_stub(function: object) -> bool:
    """Whether a learner has left a function as it was: its body is `...`, and does nothing."""
    code = getattr(function, "__code__", None)
    empty = _async_stub if inspect.iscoroutinefunction(function) else _stub
    return code is not None and not code.co_names and len(code.co_code) <= len(empty.__code__.co_code)


def refuse_an_object(make: Any) -> None:
    """Raises `Wrong` if `make` is no class and no function that builds objects."""
    if not callable(make):
        name = type(make).__name__
        words = "Give the check the class itself, without parentheses: it builds objects of its own."
        raise Wrong(words, f"this is no class, but an object of type {name}")


async def awaited(name: str, answer: Any) -> Any:
    """What the learner's async function of this name comes to; `answer` is what a call of it has returned.

    Raises `Wrong` if there was nothing to await, if it comes to None, or to something that is still to be awaited.
    """
    if not inspect.isawaitable(answer):
        raise Wrong(f"{name} has to be async: whoever calls it awaits the answer.", f"{name}(…) → {answer!r:.60}")
    value = await answer
    if value is None:
        raise Wrong(f"{name} returns None: is a return missing?", f"await {name}(…) → None")
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        kind = type(value).__name__
        raise Wrong(
            f"{name} returns a {kind}, and not what it comes to: an await is missing.", f"await {name}(…) → a {kind}"
        )
    return value
