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


def _all_orders(writer: Callable[[World], Awaitable[object]], steps: int, *, warm: bool, writers: int = 1) -> Race:
    """Every order of a reader's turns and those of the writers, which take `steps` each."""
    names = [f"writer {n + 1}" for n in range(writers)]
    actors = {"reader": _reader, **dict.fromkeys(names, writer)}
    return race(actors, turns={"reader": 3, **dict.fromkeys(names, steps)}, warm=warm)


def _wrong_order(race: Race, words: str) -> Wrong:
    """The verdict on a race in which orders end stale, with the first of them as the counter-example."""
    how_many = f"{len(race.stale)} of {len(race.interleavings)} orders end stale."
    return Wrong(f"{words} {how_many}", steps_table(race.stale[0]))


def _examine(writer: Any) -> str:
    """Run the learner's writer without a reader, then in every order with a reader, and with a second writer."""
    undisturbed = race({"writer": writer}, turns={"writer": 9}, warm=True).interleavings[0]
    verbs = [step.did.split()[0] for step in undisturbed.steps]
    if not verbs:
        raise NotYet("let writer do something with the world: await w.write(), for example.")
    if "writes" not in verbs:
        raise Wrong("The writer has to write, or nothing has changed.", steps_table(undisturbed))
    if undisturbed.stale:
        words = "Nothing tells the cache: it holds the old version until the TTL ends."
        raise Wrong(words, steps_table(undisturbed))
    if len(verbs) > 3:
        raise Wrong("At most three steps: fewer do it.", steps_table(undisturbed))
    if "fills" in verbs:
        two_writers = _all_orders(writer, len(verbs), warm=True, writers=2)
        if two_writers.stale:
            words = (
                "One writer may get away with it. With two, the writer that writes last need not be the last to fill."
            )
            raise _wrong_order(two_writers, words)
    warm = _all_orders(writer, len(verbs), warm=True)
    if warm.stale and verbs.count("deletes") > 1:
        words = "The first delete makes the cache cold just before the write, and a cold cache is what the race needs."
        raise _wrong_order(warm, words)
    if warm.stale:
        words = "A delete before the last write is undone: a reader can load and fill the old version in between."
        raise _wrong_order(warm, words)
    cold = _all_orders(writer, len(verbs), warm=False)
    return (
        f"On a warm cache no order ends stale. On a cold one {len(cold.stale)} of {len(cold.interleavings)} do: that "
        "is work for a fence."
    )


EXERCISE = Exercise(
    _examine,
    [
        "Whatever you do before the write, a reader can undo before the write.",
        "There are two ways to tell the cache after the write. Which of them goes wrong with two writers?",
        "await w.write(), then await w.delete(). Nothing before, nothing after.",
    ],
)
