"""Exercise 2.1: the order of a write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.race_evidence import steps_table
from cachelab.lab.sim.races import Race, World, race

__all__ = ["EXERCISE"]


async def _reader(world: World) -> None:
    version = await world.look()
    if version is None:
        await world.fill(await world.load())


def _enumerate(writer: Callable[[World], Awaitable[object]], steps: int, *, warm: bool, writers: int = 1) -> Race:
    names = [f"writer {n + 1}" for n in range(writers)]
    actors = {"reader": _reader, **dict.fromkeys(names, writer)}
    return race(actors, turns={"reader": 3, **dict.fromkeys(names, steps)}, warm=warm)


def examine(writer: Any) -> str:
    alone = race({"writer": writer}, turns={"writer": 9}, warm=True).interleavings[0]
    did = [step.did.split()[0] for step in alone.steps]
    if not did:
        raise NotYet("let writer do something with the world: await w.write(), for example.")
    if "writes" not in did:
        raise Wrong("The writer has to write, or nobody has changed anything.", steps_table(alone))
    if alone.stale:
        raise Wrong("Nobody told the cache: it holds the old version until the TTL ends.", steps_table(alone))
    if len(did) > 3:
        raise Wrong("At most three steps: fewer do it.", steps_table(alone))
    warm, cold = _enumerate(writer, len(did), warm=True), _enumerate(writer, len(did), warm=False)
    if "fills" in did:
        two = _enumerate(writer, len(did), warm=True, writers=2)
        if two.stale:
            words = (
                "One writer may get away with it. With two, the one who writes last need not be the one who fills last."
            )
            raise Wrong(
                f"{words} {len(two.stale)} of {len(two.interleavings)} orders end stale.", steps_table(two.stale[0])
            )
    if warm.stale and did.count("deletes") > 1:
        words = "The first delete makes the cache cold just before the write, and a cold cache is what the race needs."
        raise Wrong(
            f"{words} {len(warm.stale)} of {len(warm.interleavings)} orders end stale.", steps_table(warm.stale[0])
        )
    if warm.stale:
        words = "A delete before the last write is undone: a reader can load and fill the old version in between."
        raise Wrong(
            f"{words} {len(warm.stale)} of {len(warm.interleavings)} orders end stale.", steps_table(warm.stale[0])
        )
    return (
        f"On a warm cache no order ends stale; on a cold one {len(cold.stale)} of {len(cold.interleavings)}: "
        "work for a fence."
    )


EXERCISE = Exercise(
    examine,
    [
        "Whatever you do before the write, a reader can undo before the write.",
        "There are two ways to tell the cache after the write. Which of them goes wrong with two writers?",
        "await w.write(), then await w.delete(). Nothing before, nothing after.",
    ],
)
