"""What the items of the single-flight exam have in common: they look at who was given what, and count loads."""

from __future__ import annotations

import asyncio
from typing import Any

from cachelab.lab.flight_exam.stage import Scene
from cachelab.lab.flight_exam.words import Fails, one_of, sentence

__all__ = ["loads", "no_error", "remembers", "want"]


def loads(count: int) -> str:
    """A number of loads in words."""
    return "1 load" if count == 1 else f"{count} loads"


def no_error(scene: Scene, *names: str) -> None:
    """These callers were given some value."""
    for name in names:
        for answer in scene.answers[name]:
            if isinstance(answer.error, asyncio.CancelledError):
                raise Fails(f"{one_of(name)} was cancelled, though nobody had cancelled it.")
            if answer.error is not None:
                raise Fails(f"{one_of(name)} got an error: {sentence(answer.error)}.")


def want(scene: Scene, *names: str, value: int | None) -> None:
    """These callers were given this value."""
    no_error(scene, *names)
    for name in names:
        for answer in scene.answers[name]:
            if answer.value != value:
                raise Fails(f"{one_of(name)} was given {_shown(answer.value)} and not {value}.")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, int | None) else f"a {type(value).__name__}"


async def remembers(scene: Scene, version: int | None) -> tuple[int, int]:
    """How many loads ten callers at once cause for this answer, and how many one more caller afterwards."""
    scene.fresh()
    scene.version = version
    await scene.call("callers", 10)
    await scene.finish()
    together = scene.loads
    await scene.call("a later caller")
    await scene.finish()
    want(scene, "callers", "a later caller", value=version)
    return together, scene.loads - together
