"""The eight items of the single-flight exam: each a short script that lets one thing go wrong.

A script plays on a scene, raises `Fails` with a sentence for what it saw, or `NotApplicable` if it cannot judge, and
returns a sentence for what was right. Each item judges its own thing only: a subject that never coalesces fails item 1,
not all eight.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from cachelab.lab.exam_scene import OriginDown, Scene, Step, one_of, sentence

__all__ = ["ITEMS", "Fails", "Item", "NotApplicable"]

Script: TypeAlias = Callable[[Scene], Coroutine[Any, Any, str]]


class Fails(Exception):
    """What was seen that should not be."""


class NotApplicable(Exception):
    """Why this cannot be judged here."""


@dataclass(frozen=True)
class Item:
    """One question of the exam."""

    number: int
    asks: str
    script: Script


def _loads(count: int) -> str:
    return "1 load" if count == 1 else f"{count} loads"


def _no_error(scene: Scene, *names: str) -> None:
    """These callers were given some value."""
    for name in names:
        for answer in scene.answers[name]:
            if isinstance(answer.error, asyncio.CancelledError):
                raise Fails(f"{one_of(name)} was cancelled, though nobody had cancelled it.")
            if answer.error is not None:
                raise Fails(f"{one_of(name)} got an error: {sentence(answer.error)}.")


def _want(scene: Scene, *names: str, value: int | None) -> None:
    """These callers were given this value."""
    _no_error(scene, *names)
    for name in names:
        for answer in scene.answers[name]:
            if answer.value != value:
                raise Fails(f"{one_of(name)} was given {_shown(answer.value)} and not {value}.")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, int | None) else f"a {type(value).__name__}"


async def _crowd(scene: Scene) -> str:
    await scene.call("callers", 100)
    await scene.finish()
    if scene.loads != 1:
        raise Fails(f"100 concurrent callers caused {_loads(scene.loads)}.")
    _want(scene, "callers", value=1)
    return "100 concurrent callers, 1 load."


async def _failing(scene: Scene) -> str:
    await scene.call("callers", 10)
    begun = scene.loads
    await scene.land(fail=True)
    if scene.loads > begun:
        raise Fails(f"When the load had failed, {_loads(scene.loads - begun)} began for those who still waited.")
    scene.nobody_waits("callers")
    for answer in scene.answers["callers"]:
        if not isinstance(answer.error, OriginDown):
            got = "an answer" if answer.error is None else sentence(answer.error)
            raise Fails(f"The load failed, and a waiter got {got} instead of its error.")
    begun = scene.loads
    await scene.call("the next caller")
    await scene.finish()
    if scene.loads == begun:
        raise Fails("The error was remembered: the next caller got it without a load.")
    _want(scene, "the next caller", value=1)
    return "Each waiter got the error, and the next caller loaded again."


async def _first_leaves(scene: Scene) -> str:
    return await _one_leaves(scene, "caller 1", ("caller 2", "caller 3"))


async def _follower_leaves(scene: Scene) -> str:
    return await _one_leaves(scene, "caller 2", ("caller 1", "caller 3"))


async def _one_leaves(scene: Scene, leaver: str, others: tuple[str, str]) -> str:
    if not scene.can_cancel:
        raise NotApplicable("A thread cannot be cancelled.")
    for name in ("caller 1", "caller 2", "caller 3"):
        await scene.call(name)
    begun = scene.loads
    await scene.cancel(leaver)
    if scene.loads > begun:
        raise Fails("The cancellation caused a second load.")
    await scene.finish()
    if scene.loads > begun:
        raise Fails("The cancellation caused a second load, after the first.")
    _want(scene, *others, value=1)
    return "The others got their answer, and no other load began."


async def _remembers(scene: Scene, version: int | None) -> tuple[int, int]:
    """How many loads ten callers at once cause for this answer, and how many one more caller afterwards."""
    scene.fresh()
    scene.version = version
    await scene.call("callers", 10)
    await scene.finish()
    together = scene.loads
    await scene.call("a later caller")
    await scene.finish()
    _want(scene, "callers", "a later caller", value=version)
    return together, scene.loads - together


async def _none(scene: Scene) -> str:
    usual = await _remembers(scene, 1)
    with_none = await _remembers(scene, None)
    if with_none[0] > usual[0]:
        raise Fails(f"10 callers caused {_loads(with_none[0])} because the answer was None; else {usual[0]}.")
    if with_none[1] > usual[1]:
        raise Fails("The answer None was not kept, as others are: the next caller loaded again.")
    return "None is an answer like any other."


async def _stale(scene: Scene) -> str:
    await _old_load_and_delete(scene)
    await scene.finish()
    _no_error(scene, "caller 1")
    await scene.call("caller 2")
    await scene.finish()
    if scene.answers["caller 2"][0].value == 1:
        raise Fails("Caller 2 was given 1: the load from before the delete had filled after it.")
    _want(scene, "caller 2", value=2)
    scene.fresh()
    await _old_load_and_delete(scene)
    await scene.call("caller 2")
    await scene.land(2)  # the newer load first: the old one comes last and may fill over it
    await scene.finish()
    if scene.answers["caller 2"][0].value == 1:
        raise Fails("Caller 2 came after the delete and was given 1: it joined the old load.")
    await scene.call("caller 3")
    await scene.finish()
    if scene.answers["caller 3"][0].value == 1:
        raise Fails("Caller 3 was given 1: the load from before the delete had filled over the newer one.")
    _want(scene, "caller 2", "caller 3", value=2)
    return "Nobody who came after the delete was given the old value."


async def _old_load_and_delete(scene: Scene) -> None:
    if not scene.can_delete:
        raise NotApplicable("It has no delete(key): nobody can tell it that the origin has changed.")
    await scene.call("caller 1")
    await scene.write()
    await scene.delete()


async def _newer(scene: Scene) -> str:
    await _old_load_ends(scene, fail=False)
    scene.fresh()
    await _old_load_ends(scene, fail=True)
    return "The old load's end left the newer one alone, also when it failed."


async def _old_load_ends(scene: Scene, *, fail: bool) -> None:
    await _old_load_and_delete(scene)
    await scene.call("caller 2")
    begun = scene.loads
    if begun < 2 or not scene.flies(1):
        raise NotApplicable("No newer load flies beside the old one.")
    await scene.call("caller 3")
    if scene.loads > begun:
        raise NotApplicable("Callers do not join a load here.")
    await scene.land(1, fail=fail)
    await scene.call("caller 4")
    if scene.loads > begun:
        raise Fails(
            f"The old load {'failed' if fail else 'ended'} and took the newer one off the table: caller 4 loaded again."
        )
    await scene.finish()
    _no_error(scene, *(["caller 1"] if not fail else []), "caller 2", "caller 3", "caller 4")


async def _failed(scene: Scene) -> None:
    await scene.call("callers", 3)
    await scene.land(fail=True)


async def _deserted(scene: Scene) -> None:
    await scene.call("callers", 3)
    await scene.cancel("callers")


async def _answered(scene: Scene) -> None:
    await scene.call("callers", 3)


async def _invalidated(scene: Scene) -> None:
    await scene.call("caller 1")
    await scene.delete()
    await scene.call("caller 2")


ENDS = {
    "a load that failed": _failed,
    "a load that all callers had left": _deserted,
    "a load": _answered,
    "a delete during a load": _invalidated,
}


async def _nothing_left(scene: Scene) -> str:
    if getattr(scene.subject, "keys_as_text", False):
        raise NotApplicable("It makes strings of the keys, and strings cannot be watched.")
    caches = (await _remembers(scene, 1))[1] == 0
    watched: dict[str, tuple[weakref.ref[Any], list[Step]]] = {}
    for what, play in ENDS.items():
        if (play is _deserted and not scene.can_cancel) or (play is _invalidated and not scene.can_delete):
            continue
        scene.fresh()
        await play(scene)
        await scene.finish()
        if caches and any(step.did.startswith("ends with") for step in scene.steps):
            if not scene.can_delete:
                continue  # the value is kept on purpose, and there is no way to have it forgotten
            await scene.delete()
        watched[what] = (weakref.ref(scene.key), scene.steps)
    scene.fresh()
    gc.collect()
    for what, (key, steps) in watched.items():
        if key() is not None:
            scene.steps = steps
            scene.note("its tables", "hold the key")
            raise Fails(f"After {what} its tables still hold the key.")
    if caches and not scene.can_delete:
        return "Nothing, after a load that failed. (Without delete(key), values stay on purpose.)"
    return "Nothing is kept."


ITEMS = [
    Item(1, "many callers, one load", _crowd),
    Item(2, "the load fails", _failing),
    Item(3, "its first caller leaves", _first_leaves),
    Item(4, "a follower leaves", _follower_leaves),
    Item(5, "the answer is None", _none),
    Item(6, "a delete during the load", _stale),
    Item(7, "an old load's clean-up", _newer),
    Item(8, "what its tables keep", _nothing_left),
]
