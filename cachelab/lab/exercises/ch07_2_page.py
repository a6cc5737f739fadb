"""Exercise 7.2: many keys, one round trip, and a store that may be down."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

from redis import exceptions

from cachelab.entry import ABSENT, MISS, Entry, Miss
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.simulation import run
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]


class _Shelf:
    """A store across the network: a millisecond for each call, counted; the methods that are `broken` raise."""

    def __init__(self, broken: Sequence[str] = ()) -> None:
        self.inside: MemoryStore[Any] = MemoryStore(1_000)
        self.trips: Counter[str] = Counter()
        self.broken = broken

    async def _travel(self, name: str) -> None:
        self.trips[name] += 1
        await asyncio.sleep(0.001)
        if name in self.broken:
            raise DOWN[name]("the store is down")

    async def get(self, key: int) -> Entry[Any] | Miss:
        await self._travel("get")
        return self.inside.find(key)

    async def get_many(self, keys: Any) -> list[Entry[Any] | Miss]:
        await self._travel("get_many")
        return [self.inside.find(key) for key in keys]

    async def set(self, key: int, entry: Entry[Any]) -> None:
        await self._travel("set")
        self.inside.put(key, entry)

    async def delete(self, key: int) -> None:
        await self._travel("delete")
        self.inside.remove(key)


DOWN = {"get": exceptions.ConnectionError, "get_many": exceptions.ConnectionError, "set": exceptions.TimeoutError}
"""What a client of Redis raises. The names are Python's, the classes are not."""
WANTED = [3, 1, 4, 1, 5, 9, 2, 6, 5, 30]
KEPT = (1, 2, 3, 4)
ABSENT_KEY = 30


async def _stub(page: Any) -> bool:
    """Whether the function does nothing at all."""
    shelf = _Shelf()

    async def load(key: int) -> Any:
        return key

    return await page(shelf, load, [1]) is None and not shelf.trips


def examine(page: Any) -> str:
    """Raises `Wrong` with what happened to the page; returns what was right."""
    if page is ... or (inspect.iscoroutinefunction(page) and run(_stub, page)):
        raise NotYet("write the body of page(store, load, keys).")

    async def scenario(*broken: str) -> tuple[Any, _Shelf, Counter[int], float, dict[int, float]]:
        loop, shelf, loads = asyncio.get_running_loop(), _Shelf(broken), Counter[int]()
        await asyncio.sleep(1_000)  # so that 60 is no moment in the future

        async def load(key: int) -> Any:
            loads[key] += 1
            await asyncio.sleep(0.1)
            return ABSENT if key == ABSENT_KEY else f"user {key}"

        for key in KEPT:
            shelf.inside.put(key, Entry(f"user {key}", loop.time() + 60))
        began = loop.time()
        answer = await page(shelf, load, list(WANTED))
        took = loop.time() - began
        found = {key: shelf.inside.find(key) for key in WANTED}
        lives = {key: entry.expires - loop.time() for key, entry in found.items() if entry is not MISS}
        return answer, shelf, loads, took, lives

    right = [ABSENT if key == ABSENT_KEY else f"user {key}" for key in WANTED]
    answer, shelf, loads, took, lives = run(scenario)
    facts = f"trips: {dict(shelf.trips)}; loads: {dict(loads)}; {took * 1000:.0f} ms"
    if not isinstance(answer, list) or len(answer) != len(WANTED) or any(one is MISS for one in answer):
        raise Wrong("The page needs a list with a value for each key it was asked for.", f"{WANTED} → {answer!r}")
    if any(isinstance(one, Entry) for one in answer):
        raise Wrong("The store gives entries; the page wants their values.", f"{WANTED} → {answer!r}")
    if answer != right:
        raise Wrong("The values must stand in the order of the keys.", f"{WANTED} → {answer!r}")
    if shelf.trips["get"] or shelf.trips["get_many"] != 1:
        raise Wrong("Ask the store for all keys in one round trip: get_many, once.", facts)
    if set(loads) != set(WANTED) - set(KEPT):
        raise Wrong("Load what is missing, and nothing else.", facts)
    if max(loads.values()) > 1:
        raise Wrong("A key that is on the page twice is loaded once.", facts)
    if took > 0.15:
        raise Wrong("The loads wait for each other: let them run at the same time.", facts)
    if not {5, 6, 9} <= set(lives):
        words = (
            "What was loaded must get into the store, for a while: Entry(value, expires) with a moment in the future."
        )
        raise Wrong(words, f"after the page only these are there: {sorted(lives)}")
    if ABSENT_KEY in lives:
        words = "ABSENT is no value: kept for the TTL of a value, a new user would not be seen for that long."
        raise Wrong(words, f"the load of {ABSENT_KEY} says ABSENT, and the store holds it")
    if not all(59 < lives[key] < 61 for key in (5, 6, 9)):
        words = "What was loaded is kept for 60 s: expires is the moment of its end, 60 s from now."
        raise Wrong(words, f"a moment after the page, user 5 still has {lives[5]:.1f} s to live")
    for broken in (("get", "get_many", "set"), ("set",)):
        try:
            answer, *_ = run(scenario, *broken)
        except exceptions.RedisError as error:
            words = (
                "A store that is down must not break the page, nor one that goes down halfway: the origin is there. "
                "(Python's own ConnectionError and TimeoutError are other classes than redis's.)"
            )
            raise Wrong(words, f"{' and '.join(broken)} raise: {type(error).__module__}.{error!r}") from error
        if answer != right:
            raise Wrong("With the store down, the page is not the same.", f"{WANTED} → {answer!r}")
    return (
        f"One trip for the reads, {len(set(WANTED)) - len(KEPT)} loads at once, and it survives a store that is down."
    )


EXERCISE = Exercise(
    examine,
    [
        "get_many gives an Entry or MISS for each key, in order. Which keys are missing, each once?",
        "missing = list(dict.fromkeys(key for key, entry in ... if entry is MISS)), then asyncio.gather the loads.",
        "Put try/except Exception around get_many (then everything is missing) and around each set.",
    ],
)
