"""Exercise 2.1: the order of a write."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cachelab.cache import Cache
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub
from cachelab.lab.exercises.race_evidence import Watch, steps_table
from cachelab.lab.sim.races import Race, World

__all__ = ["EXERCISE"]

MAX_STEPS = 3


async def _reader(world: World) -> None:
    version = await world.look()
    if version is None:
        await world.fill(await world.load())


async def _fenced_reader(world: World) -> None:
    await world.cache.get(42)


def _fenced_cache(world: World) -> Cache[int, int]:
    return Cache(world, load=world.load, ttl=60.0)


class _Steps:
    """What the learner's writer is given: the steps of a world, each of them watched."""

    def __init__(self, world: World, watch: Watch) -> None:
        self._world, self._watch = world, watch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world, name)
        if not inspect.iscoroutinefunction(method):
            return method
        if name == "delete" and self._world.cache is not None:
            method = lambda: self._world.cache.delete(42)  # noqa: E731 - the fence has to hear of it
        return lambda *args: self._watch.step(f"w.{name}({', '.join(map(repr, args))})", method(*args))


def _orders(found: Race) -> str:
    return f"{len(found.stale)} of {len(found.interleavings)} orders end stale."


def _refuse_stale(found: Race, words: str) -> None:
    """Raises `Wrong` if orders end stale, with the first of them as the counter-example."""
    if found.stale:
        raise Wrong(f"{words} {_orders(found)}", steps_table(found.stale[0]))


def _count_steps(watch: Watch, writer: Callable[[World], Any]) -> int:
    """Run the writer without a reader; return how many steps it takes."""
    alone = [
        watch.race({"writer": writer}, {"writer": 9}, warm=warm).interleavings[0] for warm in (True, False)
    ]  # on a warm cache, and on a cold one
    verbs = [step.did.split()[0] for step in alone[0].steps]
    if not verbs:
        raise Wrong("The writer takes no step: await w.write(), for example.", "nothing happened")
    if "writes" not in verbs:
        raise Wrong("The writer has to write, or nothing has changed.", steps_table(alone[0]))
    if alone[0].stale:
        raise Wrong("Nothing tells the cache: it holds the old version until the TTL ends.", steps_table(alone[0]))
    longest = max(alone, key=lambda interleaving: len(interleaving.steps))
    if len(longest.steps) > MAX_STEPS:
        raise Wrong("At most three steps: fewer do it.", steps_table(longest))
    return len(longest.steps)


def _examine(answer: Any) -> str:
    """Run the learner's writer alone, then in every order with a reader, with a second writer, and behind a fence."""
    if answer is ... or is_stub(answer):
        raise NotYet("give writer its steps: await w.write(), for example.")
    if not callable(answer):
        raise Wrong("The check needs the function writer itself.", f"it was given {answer!r:.60}")
    watch = Watch("writer")

    def writer(world: World) -> Any:
        return answer(_Steps(world, watch))

    steps = _count_steps(watch, writer)
    turns = {"reader": 3, "writer": steps}
    warm = watch.race({"writer": writer}, turns, warm=True, reader=_reader)
    deletes = [step.did for step in warm.interleavings[0].steps if step.actor == "writer"].count("deletes")
    _refuse_stale(
        warm,
        "The first delete makes the cache cold just before the write, and a cold cache is what the race needs."
        if deletes > 1
        else "What comes before the last write is undone: a reader can load and fill the old version in between.",
    )
    two = {"writer 1": writer, "writer 2": writer}
    two_writers = watch.race(two, dict.fromkeys(two, steps), warm=True)
    _refuse_stale(
        two_writers,
        "One writer may get away with it. With two, the writer that writes last need not be the last to fill.",
    )
    fenced_turns = {"reader": 4, "writer": steps}
    fenced = watch.race({"writer": writer}, fenced_turns, warm=False, reader=_fenced_reader, cache=_fenced_cache)
    _refuse_stale(
        fenced,
        "When the cache is empty, a reader may be about to fill the old version. A fence refuses that, if it hears of "
        "the write: a delete must follow each write, whatever is in the cache.",
    )
    cold = watch.race({"writer": writer}, turns, warm=False, reader=_reader)
    return (
        f"On a warm cache no order ends stale, nor any of {len(two_writers.interleavings)} orders of two writers. On a "
        f"cold one {len(cold.stale)} of {len(cold.interleavings)} do: that is work for a fence, and behind one none "
        "does."
    )


EXERCISE = Exercise(
    _examine,
    [
        "A delete before the write does harm: a reader can load the old version again before you write.",
        "There are two ways to tell the cache after the write. Which of them goes wrong with two writers?",
        "await w.write(), then await w.delete(). Nothing before, nothing after.",
    ],
)
