"""Chapter 2: the order of a write, and a copied `update_user` that is to be mended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cachelab.cache import Cache
from cachelab.events import CacheError
from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.sim.races import Interleaving, Race, World, race
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISES"]


async def _reader(world: World) -> None:
    version = await world.look()
    if version is None:
        await world.fill(await world.load())


def _evidence(bad: Interleaving) -> str:
    rows = [[step.actor, step.did, step.cached or "empty", step.origin] for step in bad.steps]
    return evidence_table(["who", "does", "in the cache", "at the origin"], rows, len(rows) - 1)


def _enumerate(writer: Callable[[World], Awaitable[object]], steps: int, *, warm: bool, writers: int = 1) -> Race:
    names = [f"writer {n + 1}" for n in range(writers)]
    actors = {"reader": _reader, **dict.fromkeys(names, writer)}
    return race(actors, turns={"reader": 3, **dict.fromkeys(names, steps)}, warm=warm)


def _examine_order(writer: Any) -> str:
    alone = race({"writer": writer}, turns={"writer": 9}, warm=True).interleavings[0]
    did = [step.did.split()[0] for step in alone.steps]
    if not did:
        raise NotYet("let writer do something with the world: await w.write(), for example.")
    if "writes" not in did:
        raise Wrong("The writer has to write, or nobody has changed anything.", _evidence(alone))
    if alone.stale:
        raise Wrong("Nobody told the cache: it holds the old version until the TTL ends.", _evidence(alone))
    if len(did) > 3:
        raise Wrong("At most three steps: fewer do it.", _evidence(alone))
    warm, cold = _enumerate(writer, len(did), warm=True), _enumerate(writer, len(did), warm=False)
    if "fills" in did:
        two = _enumerate(writer, len(did), warm=True, writers=2)
        if two.stale:
            words = (
                "One writer may get away with it. With two, the one who writes last need not be the one who fills last."
            )
            raise Wrong(
                f"{words} {len(two.stale)} of {len(two.interleavings)} orders end stale.", _evidence(two.stale[0])
            )
    if warm.stale and did.count("deletes") > 1:
        words = "The first delete makes the cache cold just before the write, and a cold cache is what the race needs."
        raise Wrong(
            f"{words} {len(warm.stale)} of {len(warm.interleavings)} orders end stale.", _evidence(warm.stale[0])
        )
    if warm.stale:
        words = "A delete before the last write is undone: a reader can load and fill the old version in between."
        raise Wrong(
            f"{words} {len(warm.stale)} of {len(warm.interleavings)} orders end stale.", _evidence(warm.stale[0])
        )
    return f"On a warm cache no order ends stale; on a cold one {len(cold.stale)} of {len(cold.interleavings)}: work for a fence."


class _Down(World):
    """A world whose cache cannot be reached by a delete."""

    async def delete(self, _key: object = None) -> None:
        await super().delete()
        raise ConnectionError("the cache does not answer")


class _Database:
    """What `update_user` writes to."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def update_user(self, user_id: int, email: str) -> int:
        return await self.world.write()


def _examine_mend(update_user: Any) -> str:
    if update_user is ...:
        raise NotYet("write the name of your function in place of the ...")

    async def writer(world: World) -> None:
        await update_user(_Database(world), world.cache, 42, "new@example.com")

    async def reader(world: World) -> None:
        await world.cache.get(42)

    def cache(world: World) -> Cache[int, int]:
        return Cache(world, load=world.load, ttl=60.0)

    alone = race({"writer": writer}, turns={"writer": 9}, warm=True, cache=cache).interleavings[0]
    turns = {"reader": 4, "writer": len(alone.steps)}
    result = race({"reader": reader, "writer": writer}, turns=turns, warm=True, cache=cache)
    if not any(step.did.startswith("writes") for step in alone.steps):
        raise Wrong("It has to write to the database.", _evidence(alone) if alone.steps else "It did nothing.")
    if alone.stale:
        raise Wrong("Nobody told the cache: it holds the old version until the TTL ends.", _evidence(alone))
    if result.stale:
        words = (
            "A reader who comes between the delete and the write loads the old version, and nobody deletes it again."
        )
        raise Wrong(f"{words} The fence cannot help: that load began after the delete.", _evidence(result.stale[0]))
    if any(step.did.startswith("fills") for step in alone.steps):
        raise Wrong("Let the next reader fill: two writers can fill in the wrong order.", _evidence(alone))

    async def unreachable() -> Any:
        world = _Down(warm=True)
        world.cache = cache(world)
        return await world.deal({"writer": writer}, ("writer",) * 20)

    outcome = run(unreachable)
    if not outcome.errors:
        words = (
            "The delete failed, and update_user said nothing. Its caller believes that everybody sees the new address."
        )
        raise Wrong(words, "The database has the new version, the cache the old one, and no error was raised.")
    if CacheError.__name__ not in outcome.errors["writer"] and "InvalidationFailed" not in outcome.errors["writer"]:
        raise Wrong("Let the cache's own error through: the caller can then delete again.", outcome.errors["writer"])
    return f"0 of {len(result.interleavings)} orders end stale, and a delete that fails is heard."


EXERCISES = {
    "2.1": Exercise(
        _examine_order,
        [
            "Whatever you do before the write, a reader can undo before the write.",
            "There are two ways to tell the cache after the write. Which of them goes wrong with two writers?",
            "await w.write(), then await w.delete(). Nothing before, nothing after.",
        ],
    ),
    "2.2": Exercise(
        _examine_mend,
        [
            "Two things are wrong: one about the order, one about what happens when the cache is away.",
            "Who is told if cache.delete raises?",
            "Two lines: await the database, then await cache.delete(user_id), with no try around it.",
        ],
    ),
}
