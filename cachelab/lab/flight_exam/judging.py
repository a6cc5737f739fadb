"""What the items of the single-flight exam have in common: they look at who was given what, and count loads."""

from __future__ import annotations

import asyncio
from typing import Any

from cachelab.lab.flight_exam.stage import Stage
from cachelab.lab.flight_exam.words import Fails, one_of, sentence

__all__ = ["loads", "no_error", "remembers", "want"]


def loads(count: int) -> str:
    """A number of loads in words."""
    return "1 load" if count == 1 else f"{count} loads"


def no_error(stage: Stage, *names: str) -> None:
    """These callers were given some value."""
    for name in names:
        for answer in stage.answers[name]:
            if isinstance(answer.error, asyncio.CancelledError):
                raise Fails(f"{one_of(name)} was cancelled, though nobody had cancelled it.")
            if answer.error is not None:
                raise Fails(f"{one_of(name)} got an error: {sentence(answer.error)}.")


def want(stage: Stage, *names: str, value: int | None) -> None:
    """These callers were given this value."""
    no_error(stage, *names)
    for name in names:
        for answer in stage.answers[name]:
            if answer.value != value:
                raise Fails(f"{one_of(name)} was given {_shown(answer.value)} and not {value}.")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, int | None) else f"a {type(value).__name__}"


async def remembers(stage: Stage, version: int | None) -> tuple[int, int]:
    """How many loads ten callers at once cause for this answer, and how many one more caller afterwards."""
    stage.fresh()
    stage.version = version
    await stage.call("callers", 10)
    await stage.finish()
    together = stage.loads
    await stage.call("a later caller")
    await stage.finish()
    want(stage, "callers", "a later caller", value=version)
    return together, stage.loads - together
