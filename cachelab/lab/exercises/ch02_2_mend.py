"""Exercise 2.2: mend a copied `update_user`."""

from __future__ import annotations

from typing import Any

from cachelab.cache import Cache
from cachelab.events import CacheError
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.race_evidence import steps_table
from cachelab.lab.sim.races import World, race
from cachelab.lab.sim.simulation import run

__all__ = ["EXERCISE"]


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


def examine(update_user: Any) -> str:
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
        raise Wrong("It has to write to the database.", steps_table(alone) if alone.steps else "It did nothing.")
    if alone.stale:
        raise Wrong("Nobody told the cache: it holds the old version until the TTL ends.", steps_table(alone))
    if result.stale:
        words = (
            "A reader who comes between the delete and the write loads the old version, and nobody deletes it again."
        )
        raise Wrong(f"{words} The fence cannot help: that load began after the delete.", steps_table(result.stale[0]))
    if any(step.did.startswith("fills") for step in alone.steps):
        raise Wrong("Let the next reader fill: two writers can fill in the wrong order.", steps_table(alone))

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


EXERCISE = Exercise(
    examine,
    [
        "Two things are wrong: one about the order, one about what happens when the cache is away.",
        "Who is told if cache.delete raises?",
        "Two lines: await the database, then await cache.delete(user_id), with no try around it.",
    ],
)
