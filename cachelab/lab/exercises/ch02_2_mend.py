"""Exercise 2.2: mend a copied `update_user`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from cachelab.cache import Cache
from cachelab.events import CacheError, InvalidationFailed
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.race_evidence import steps_table
from cachelab.lab.sim.races import Interleaving, World, race, run_in_order
from cachelab.lab.sim.simulation import run

__all__ = ["EXERCISE"]

Writer: TypeAlias = Callable[[World], Awaitable[object]]


class _UnreachableCache(World):
    """A world in which a delete from the cache raises, after its turn."""

    async def delete(self, _key: object = None) -> None:
        await super().delete()
        raise ConnectionError("the cache does not answer")


class _Database:
    """What `update_user` writes to."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def update_user(self, user_id: int, email: str) -> int:
        return await self.world.write()


def _cache(world: World) -> Cache[int, int]:
    return Cache(world, load=world.load, ttl=60.0)


async def _reader(world: World) -> None:
    await world.cache.get(42)


def _check_orders(writer: Writer) -> int:
    """Run the writer in every order with a reader; return the number of orders."""
    undisturbed = race({"writer": writer}, turns={"writer": 9}, warm=True, cache=_cache).interleavings[0]
    verbs = [step.did.split()[0] for step in undisturbed.steps]
    turns = {"reader": 4, "writer": len(verbs)}
    with_reader = race({"reader": _reader, "writer": writer}, turns=turns, warm=True, cache=_cache)
    if "writes" not in verbs:
        raise Wrong("It has to write to the database.", steps_table(undisturbed) if verbs else "It did nothing.")
    if undisturbed.stale:
        words = "Nothing tells the cache: it holds the old version until the TTL ends."
        raise Wrong(words, steps_table(undisturbed))
    if with_reader.stale:
        words = (
            "A reader that comes between the delete and the write loads the old version, and no delete follows. The "
            "fence cannot help: that load began after the delete."
        )
        raise Wrong(words, steps_table(with_reader.stale[0]))
    if "fills" in verbs:
        words = "Let the next reader fill: two writers can fill in the wrong order."
        raise Wrong(words, steps_table(undisturbed))
    return len(with_reader.interleavings)


def _check_failed_delete(writer: Writer) -> None:
    """Run the writer on a cache that cannot be reached."""

    async def scenario() -> Interleaving:
        world = _UnreachableCache(warm=True)
        world.cache = _cache(world)
        return await run_in_order(world, {"writer": writer}, ("writer",) * 20)

    errors = run(scenario).errors
    if not errors:
        words = "The delete failed, and update_user said nothing. Its caller believes that all see the new address."
        raise Wrong(words, "The database has the new version, the cache the old one, and no error was raised.")
    if not any(error.__name__ in errors["writer"] for error in (CacheError, InvalidationFailed)):
        raise Wrong("Let the cache's own error through: the caller can then delete again.", errors["writer"])


def _examine(update_user: Any) -> str:
    """Run the learner's function in every order with a reader, and with a cache that cannot be reached."""
    if update_user is ...:
        raise NotYet("write the name of your function in place of the ...")

    async def writer(world: World) -> None:
        await update_user(_Database(world), world.cache, 42, "new@example.com")

    orders = _check_orders(writer)
    _check_failed_delete(writer)
    return f"0 of {orders} orders end stale, and the caller learns of a delete that fails."


EXERCISE = Exercise(
    _examine,
    [
        "Two things are wrong: one is about the order, the other about what happens when the cache cannot be reached.",
        "If cache.delete raises, does the caller of update_user learn of it?",
        "Two lines: await the database, then await cache.delete(user_id), with no try around it.",
    ],
)
