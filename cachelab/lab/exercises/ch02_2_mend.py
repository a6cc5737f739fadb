"""Exercise 2.2: mend a copied `update_user`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from cachelab.cache import Cache
from cachelab.entry import MISS, Entry, Miss
from cachelab.events import CacheError
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.exercises.race_evidence import Watch, steps_table
from cachelab.lab.sim.races import World

__all__ = ["EXERCISE"]

USER, EMAIL = 42, "new@example.com"
PATIENCE_S = 600.0
SLIPS = (NameError, AttributeError, TypeError, IndexError)
"""Errors that nobody raises on purpose."""


class _Database:
    """What `update_user` writes to: a world."""

    def __init__(self, world: World, watch: Watch) -> None:
        self._world, self._watch = world, watch

    def update_user(self, user_id: int, email: str) -> Any:
        if (user_id, email) != (USER, EMAIL):
            words = "The database has to be given user_id and email as they are."
            self._watch.report(Wrong(words, f"db.update_user({user_id!r}, {email!r}) for user {USER} and {EMAIL!r}"))
        return self._watch.step("db.update_user(…)", self._world.write())


class _WatchedCache(Cache[int, int]):
    """The cache of a race. It tells which key is deleted, and whether the delete is awaited."""

    watch: Watch

    def delete(self, key: int) -> Any:
        if key != USER:
            words = "The delete is of another key: the entry's key is user_id."
            self.watch.report(Wrong(words, f"cache.delete({key!r}) for user {USER}"))
        return self.watch.step("cache.delete(…)", super().delete(key))


async def _reader(world: World) -> None:
    await world.cache.get(USER)


def _check_orders(update_user: Any) -> int:
    """Run the writer in every order with a reader, and with a second writer; return the number of orders."""
    watch = Watch("update_user")

    def cache(world: World) -> _WatchedCache:
        watched = _WatchedCache(world, load=world.load, ttl=60.0)
        watched.watch = watch
        return watched

    def writer(world: World) -> Any:
        return update_user(_Database(world, watch), world.cache, USER, EMAIL)

    alone = [
        watch.race({"writer": writer}, {"writer": 9}, warm=warm, cache=cache).interleavings[0] for warm in (True, False)
    ]
    verbs = [step.did.split()[0] for step in alone[0].steps]
    if "writes" not in verbs:
        raise Wrong("It has to write to the database.", steps_table(alone[0]) if verbs else "It did nothing.")
    if alone[0].stale:
        words = "Nothing tells the cache: it holds the old version until the TTL ends."
        raise Wrong(words, steps_table(alone[0]))
    steps = max(len(one.steps) for one in alone)
    orders = 0
    for warm in (True, False):
        turns = {"reader": 4, "writer": steps}
        found = watch.race({"writer": writer}, turns, warm=warm, reader=_reader, cache=cache)
        orders += len(found.interleavings)
        if found.stale and verbs[-1] == "writes":
            words = (
                "A reader that comes between the delete and the write loads the old version, and no delete follows. "
                "The fence cannot help: that load began after the delete."
            )
            raise Wrong(words, steps_table(found.stale[0]))
        if found.stale:
            words = "A reader fills the old version, and the fence does not hear of the write: no delete follows it."
            raise Wrong(words, steps_table(found.stale[0]))
    two = {"writer 1": writer, "writer 2": writer}
    both = watch.race(two, dict.fromkeys(two, steps), warm=True, cache=cache)
    if both.stale:
        raise Wrong("Let the next reader fill: two writers can fill in the wrong order.", steps_table(both.stale[0]))
    return orders


class _FailingStore:
    """A store with one entry, whose next deletes fail: a tenth of a second after each call."""

    def __init__(self, failures: float) -> None:
        self.entry: Entry[int] | Miss = MISS
        self._failures = failures

    async def get(self, _key: object) -> Entry[int] | Miss:
        return self.entry

    async def set(self, _key: object, entry: Entry[int]) -> None:
        self.entry = entry

    async def delete(self, _key: object) -> None:
        await asyncio.sleep(0.1)
        if self._failures > 0:
            self._failures -= 1
            raise ConnectionError("the cache does not answer")
        self.entry = MISS


class _Row:
    """A database with one row, that may refuse to write."""

    def __init__(self, *, fails: bool) -> None:
        self.version = 1
        self._fails = fails

    async def load(self, _key: object) -> int:
        return self.version

    async def update_user(self, user_id: int, email: str) -> int:
        await asyncio.sleep(0.01)
        if self._fails:
            raise ConnectionError("the database does not answer")
        self.version += 1
        return self.version


async def _run_with_failures(update_user: Any, db: _Row, failures: float) -> tuple[BaseException | None, bool]:
    """Run it once on a filled cache. Return its error, and whether the cache still holds the old version."""
    store = _FailingStore(failures)
    cache: Cache[int, int] = Cache(store, load=db.load, ttl=86_400.0)
    await cache.get(USER)
    task = asyncio.ensure_future(update_user(db, cache, USER, EMAIL))
    await asyncio.wait({task}, timeout=PATIENCE_S)
    if not task.done():
        task.cancel()
        words = "The cache cannot be reached, and update_user tries for ever. Give up some time, and tell the caller."
        raise Wrong(words, f"after {PATIENCE_S:g} s it has not returned")
    return task.exception(), store.entry is not MISS and await cache.get(USER) != db.version


def _check_failures(update_user: Any) -> None:
    """Whatever fails for good, the caller gets its error; and a delete that fails once is made good, or told."""
    for failures in (float("inf"), 1):
        error, is_stale = run_experiment(_run_with_failures, update_user, _Row(fails=False), failures)
        if error is None and is_stale:
            words = "The delete failed, and update_user said nothing. Its caller believes that all see the new address."
            raise Wrong(words, "The database has the new version, the cache the old one, and no error was raised.")
        if error is not None:
            _refuse_other_error(error, "", "Let the cache's own error through: the caller can then delete again")
    error, _ = run_experiment(_run_with_failures, update_user, _Row(fails=True), 0)
    if error is None:
        words = "The write failed, and update_user said nothing. Its caller believes that the address is changed."
        raise Wrong(words, "The database raised ConnectionError, and no error was raised.")
    _refuse_other_error(error, "the database does not answer", "Let the database's error through")


def _refuse_other_error(error: BaseException, text: str, words: str) -> None:
    """Raises `Wrong` if an error neither is the one that happened, nor has it as its cause, nor in its group.

    It is the database's error with this text, or if that is "", the cache's own.
    """
    if any(isinstance(one, ConnectionError if text else CacheError) and text in str(one) for one in _causes(error)):
        return
    if isinstance(error, SLIPS):
        raise error
    raise Wrong(f"{words}, or raise yours `from` it.", repr(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from, and if it is a group, what is in it."""
    if error is not None:
        yield error
        yield from _causes(error.__cause__)
        for one in getattr(error, "exceptions", ()):
            yield from _causes(one)


def _examine(update_user: Any) -> str:
    """Run the learner's function in every order with a reader, and with a cache or a database that fails."""
    if update_user is ...:
        raise NotYet("write the name of your function in place of the ...")
    if not callable(update_user):
        raise Wrong("The check needs the function itself.", f"it was given {update_user!r:.60}")
    orders = _check_orders(update_user)
    _check_failures(update_user)
    return f"0 of {orders} orders end stale, and the caller learns of a delete that fails."


EXERCISE = Exercise(
    _examine,
    [
        "Two things are wrong: one is about the order, the other about what happens when the cache cannot be reached.",
        "If cache.delete raises, does the caller of update_user learn of it?",
        "Two lines: await the database, then await cache.delete(user_id), with no try around it.",
    ],
)
