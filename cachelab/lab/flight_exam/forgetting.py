"""Items 6 to 8 of the single-flight exam: a delete during the load, and what is left when all is over."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import Any

from cachelab.lab.flight_exam.judging import no_error, remembers, want
from cachelab.lab.flight_exam.stage import Scene
from cachelab.lab.flight_exam.words import Fails, Hangs, NotApplicable, Step

__all__ = ["newer", "nothing_left", "stale"]


BUSTLE = 300  # other keys that come and go, before a key that is still held counts as kept: some clean up lazily


async def stale(scene: Scene) -> str:
    """Item 6: after a delete nobody joins the old load, and it does not fill."""
    await _old_load_and_delete(scene)
    await scene.finish()
    no_error(scene, "caller 1")
    await scene.call("caller 2")
    await scene.finish()
    if scene.answers["caller 2"][0].value == 1:
        raise Fails("Caller 2 was given 1: the load from before the delete had filled after it.")
    want(scene, "caller 2", value=2)
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
    want(scene, "caller 2", "caller 3", value=2)
    return "Nobody who came after the delete was given the old value."


async def _old_load_and_delete(scene: Scene) -> None:
    if not scene.can_delete:
        raise NotApplicable("It has no delete(key): nobody can tell it that the origin has changed.")
    await scene.call("caller 1")
    await scene.write()
    await scene.delete()


async def newer(scene: Scene) -> str:
    """Item 7: the clean-up of an old load leaves a newer one alone, whether a retry or a delete has made it newer."""
    shares = await _all_try_again(scene)
    scene.fresh()
    try:
        await _old_load_ends(scene, fail=False)
        scene.fresh()
        await _old_load_ends(scene, fail=True)
    except NotApplicable:
        if not shares:
            raise
        return "The old load failed, and its end left the newer one alone."
    return "The old load's end left the newer one alone, also when it failed."


async def _all_try_again(scene: Scene) -> bool:
    """Callers whose load fails try again in the same instant: one of them loads, and the rest join. Do they share?"""
    await scene.call("callers", 10, verb=scene.insist)
    shares = scene.loads == 1
    await scene.land(fail=True)
    if shares and scene.loads > 2:
        raise Fails(
            f"The load failed, and 10 callers who tried again at once began {scene.loads - 1} loads: each of them took "
            "a newer load off the table."
        )
    with suppress(Hangs):  # that is for item 2
        await scene.finish()
    return shares


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
    no_error(scene, *(["caller 1"] if not fail else []), "caller 2", "caller 3", "caller 4")


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


_ENDS = {
    "a load that failed": _failed,
    "a load that all callers had left": _deserted,
    "a load": _answered,
    "a delete during a load": _invalidated,
}


async def nothing_left(scene: Scene) -> str:
    """Item 8: when it is over, nobody holds the key any more."""
    if getattr(scene.subject, "keys_as_text", False):
        raise NotApplicable("It makes strings of the keys, and strings cannot be watched.")
    caches = (await remembers(scene, 1))[1] == 0
    watched: dict[str, tuple[weakref.ref[Any], list[Step]]] = {}
    for what, play in _ENDS.items():
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
    if any(key() is not None for key, _ in watched.values()):
        await scene.bustle(BUSTLE)
        gc.collect()
    for what, (key, steps) in watched.items():
        if key() is not None:
            scene.steps = steps
            scene.note("its tables", "hold the key")
            raise Fails(f"After {what} the key is still held.")
    if caches and not scene.can_delete:
        return "Nothing, after a load that failed. (Without delete(key), values stay on purpose.)"
    return "Nothing is kept."
