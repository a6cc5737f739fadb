"""Items 6 to 8 of the single-flight exam: a delete during the load, and what is left when all is over."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import Any

from cachelab.lab.flight_exam.judging import no_error, remembers, want
from cachelab.lab.flight_exam.stage import Stage
from cachelab.lab.flight_exam.words import Fails, Hangs, NotApplicable, Step

__all__ = ["newer", "nothing_left", "stale"]


OTHER_KEYS = 300  # other keys that come and go, before a key that is still held counts as kept: some clean up lazily


async def stale(stage: Stage) -> str:
    """Item 6: after a delete nobody joins the old load, and it does not fill."""
    await _old_load_and_delete(stage)
    await stage.finish()
    no_error(stage, "caller 1")
    await stage.call("caller 2")
    await stage.finish()
    if stage.answers["caller 2"][0].value == 1:
        raise Fails("Caller 2 was given 1: the load from before the delete had filled after it.")
    want(stage, "caller 2", value=2)
    stage.fresh()
    await _old_load_and_delete(stage)
    await stage.call("caller 2")
    await stage.end_loads(2)  # the newer load first: the old one comes last and may fill over it
    await stage.finish()
    if stage.answers["caller 2"][0].value == 1:
        raise Fails("Caller 2 came after the delete and was given 1: it joined the old load.")
    await stage.call("caller 3")
    await stage.finish()
    if stage.answers["caller 3"][0].value == 1:
        raise Fails("Caller 3 was given 1: the load from before the delete had filled over the newer one.")
    want(stage, "caller 2", "caller 3", value=2)
    return "Nobody who came after the delete was given the old value."


async def _old_load_and_delete(stage: Stage) -> None:
    if not stage.can_delete:
        raise NotApplicable("It has no delete(key): nobody can tell it that the origin has changed.")
    await stage.call("caller 1")
    await stage.write()
    await stage.delete()


async def newer(stage: Stage) -> str:
    """Item 7: the clean-up of an old load leaves a newer one alone, whether a retry or a delete has made it newer."""
    shares = await _all_try_again(stage)
    stage.fresh()
    try:
        await _old_load_ends(stage, fail=False)
        stage.fresh()
        await _old_load_ends(stage, fail=True)
    except NotApplicable:
        if not shares:
            raise
        return "The old load failed, and its end left the newer one alone."
    return "The old load's end left the newer one alone, also when it failed."


async def _all_try_again(stage: Stage) -> bool:
    """Callers whose load fails try again in the same instant: one of them loads, and the rest join. Do they share?"""
    await stage.call("callers", 10, verb=stage.get_with_one_retry)
    shares = stage.loads == 1
    await stage.end_loads(fail=True)
    if shares and stage.loads > 2:
        raise Fails(
            f"The load failed, and 10 callers who tried again at once began {stage.loads - 1} loads: each of them took "
            "a newer load off the table."
        )
    with suppress(Hangs):  # that is for item 2
        await stage.finish()
    return shares


async def _old_load_ends(stage: Stage, *, fail: bool) -> None:
    await _old_load_and_delete(stage)
    await stage.call("caller 2")
    begun = stage.loads
    if begun < 2 or not stage.is_loading(1):
        raise NotApplicable("No newer load flies beside the old one.")
    await stage.call("caller 3")
    if stage.loads > begun:
        raise NotApplicable("Callers do not join a load here.")
    await stage.end_loads(1, fail=fail)
    await stage.call("caller 4")
    if stage.loads > begun:
        raise Fails(
            f"The old load {'failed' if fail else 'ended'} and took the newer one off the table: caller 4 loaded again."
        )
    await stage.finish()
    no_error(stage, *(["caller 1"] if not fail else []), "caller 2", "caller 3", "caller 4")


async def _failed(stage: Stage) -> None:
    await stage.call("callers", 3)
    await stage.end_loads(fail=True)


async def _deserted(stage: Stage) -> None:
    await stage.call("callers", 3)
    await stage.cancel("callers")


async def _answered(stage: Stage) -> None:
    await stage.call("callers", 3)


async def _invalidated(stage: Stage) -> None:
    await stage.call("caller 1")
    await stage.delete()
    await stage.call("caller 2")


_ENDS = {
    "a load that failed": _failed,
    "a load that all callers had left": _deserted,
    "a load": _answered,
    "a delete during a load": _invalidated,
}


async def nothing_left(stage: Stage) -> str:
    """Item 8: when it is over, nobody holds the key any more."""
    if getattr(stage.subject, "keys_as_text", False):
        raise NotApplicable("It makes strings of the keys, and strings cannot be watched.")
    caches = (await remembers(stage, 1))[1] == 0
    watched: dict[str, tuple[weakref.ref[Any], list[Step]]] = {}
    for what, play in _ENDS.items():
        if (play is _deserted and not stage.can_cancel) or (play is _invalidated and not stage.can_delete):
            continue
        stage.fresh()
        await play(stage)
        await stage.finish()
        if caches and any(step.did.startswith("ends with") for step in stage.steps):
            if not stage.can_delete:
                continue  # the value is kept on purpose, and there is no way to have it forgotten
            await stage.delete()
        watched[what] = (weakref.ref(stage.key), stage.steps)
    stage.fresh()
    gc.collect()
    if any(key() is not None for key, _ in watched.values()):
        await stage.use_other_keys(OTHER_KEYS)
        gc.collect()
    for what, (key, steps) in watched.items():
        if key() is not None:
            stage.steps = steps
            stage.note("its tables", "hold the key")
            raise Fails(f"After {what} the key is still held.")
    if caches and not stage.can_delete:
        return "Nothing, after a load that failed. (Without delete(key), values stay on purpose.)"
    return "Nothing is kept."
