"""Exercise 7.2: many keys, one round trip, and a store that may be down."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import exceptions

from cachelab.entry import ABSENT, MISS, Entry, Miss
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.simulation import run
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]


WANTED = [3, 1, 4, 1, 5, 9, 2, 6, 5, 30]
STORED = (1, 2, 3, 4)
ABSENT_KEY = 30
RIGHT = [ABSENT if key == ABSENT_KEY else f"user {key}" for key in WANTED]
BROKEN = {"get": exceptions.ConnectionError, "get_many": exceptions.ConnectionError, "set": exceptions.TimeoutError}
"""What a client of Redis raises. These classes have the names of Python's own, and are other classes."""


class _RemoteStore:
    """A store across the network: each call takes a millisecond and is counted; the `broken` methods raise."""

    def __init__(self, broken: Sequence[str] = ()) -> None:
        self.memory: MemoryStore[Any] = MemoryStore(1_000)
        self.trips: Counter[str] = Counter()
        self.broken = broken

    async def _travel(self, method: str) -> None:
        self.trips[method] += 1
        await asyncio.sleep(0.001)
        if method in self.broken:
            raise BROKEN[method]("the store is down")

    async def get(self, key: int) -> Entry[Any] | Miss:
        await self._travel("get")
        return self.memory.find(key)

    async def get_many(self, keys: Any) -> list[Entry[Any] | Miss]:
        await self._travel("get_many")
        return [self.memory.find(key) for key in keys]

    async def set(self, key: int, entry: Entry[Any]) -> None:
        await self._travel("set")
        self.memory.put(key, entry)

    async def delete(self, key: int) -> None:
        await self._travel("delete")
        self.memory.remove(key)


@dataclass
class _Visit:
    """One visit: its answer, the calls on store and origin, the time, and how long each stored entry will live."""

    answer: Any
    trips: Counter[str]
    loads: Counter[int]
    took_s: float
    lifetimes_s: dict[int, float]


async def _visit(page: Any, *broken: str) -> _Visit:
    """Ask for the page once, on a store that holds the keys `STORED`."""
    loop, store, loads = asyncio.get_running_loop(), _RemoteStore(broken), Counter[int]()
    await asyncio.sleep(1_000)  # so that 60 is no moment in the future

    async def load(key: int) -> Any:
        loads[key] += 1
        await asyncio.sleep(0.1)
        return ABSENT if key == ABSENT_KEY else f"user {key}"

    for key in STORED:
        store.memory.put(key, Entry(f"user {key}", loop.time() + 60))
    start = loop.time()
    answer = await page(store, load, list(WANTED))
    took_s = loop.time() - start
    held = {key: store.memory.find(key) for key in WANTED}
    lifetimes_s = {key: entry.expires - loop.time() for key, entry in held.items() if entry is not MISS}
    return _Visit(answer, store.trips, loads, took_s, lifetimes_s)


async def _is_stub(page: Any) -> bool:
    """Whether the function does nothing at all."""
    store = _RemoteStore()

    async def load(key: int) -> Any:
        return key

    return await page(store, load, [1]) is None and not store.trips


def _check_answer(answer: Any) -> None:
    """A list with the value of each key, in the order of the keys."""
    evidence = f"{WANTED} → {answer!r}"
    if not isinstance(answer, list) or len(answer) != len(WANTED) or any(value is MISS for value in answer):
        raise Wrong("The page needs a list with a value for each key it was given.", evidence)
    if any(isinstance(value, Entry) for value in answer):
        raise Wrong("The store gives entries; the page wants their values.", evidence)
    if answer != RIGHT:
        raise Wrong("The values must stand in the order of the keys.", evidence)


def _check_work(visit: _Visit) -> None:
    """One trip for all keys, and one load for each that is missing, all at the same time."""
    evidence = f"trips: {dict(visit.trips)}; loads: {dict(visit.loads)}; {visit.took_s * 1000:.0f} ms"
    if visit.trips["get"] or visit.trips["get_many"] != 1:
        raise Wrong("Read all keys from the store in one round trip: get_many, once.", evidence)
    if set(visit.loads) != set(WANTED) - set(STORED):
        raise Wrong("Load what is missing, and nothing else.", evidence)
    if max(visit.loads.values()) > 1:
        raise Wrong("A key that is on the page twice is loaded once.", evidence)
    if visit.took_s > 0.15:
        raise Wrong("The loads wait for each other: let them run at the same time.", evidence)


def _check_stored(lifetimes_s: dict[int, float]) -> None:
    """The values that were loaded are stored for 60 s, and ABSENT is not."""
    if not {5, 6, 9} <= set(lifetimes_s):
        words = (
            "What was loaded must get into the store, for a while: Entry(value, expires) with a moment in the future."
        )
        raise Wrong(words, f"after the page only these are there: {sorted(lifetimes_s)}")
    if ABSENT_KEY in lifetimes_s:
        words = "ABSENT is no value: kept for the TTL of a value, a new user would not be seen for that long."
        raise Wrong(words, f"the load of {ABSENT_KEY} returns ABSENT, and the store holds it")
    if not all(59 < lifetimes_s[key] < 61 for key in (5, 6, 9)):
        words = "What was loaded is kept for 60 s: expires is the moment of its end, 60 s from now."
        raise Wrong(words, f"a moment after the page, the entry of user 5 has {lifetimes_s[5]:.1f} s left")


def _check_store_down(page: Any, *broken: str) -> None:
    """The page is the same while these methods of the store raise."""
    try:
        answer = run(_visit, page, *broken).answer
    except exceptions.RedisError as error:
        words = (
            "A store that is down must not break the page, nor one that goes down halfway: the origin is there. "
            "(Python's own ConnectionError and TimeoutError are other classes than redis's.)"
        )
        raise Wrong(words, f"{' and '.join(broken)} raise: {type(error).__module__}.{error!r}") from error
    if answer != RIGHT:
        raise Wrong("With the store down, the page is not the same.", f"{WANTED} → {answer!r}")


def _examine(page: Any) -> str:
    """Run the page once on a store that works, and twice on one that does not."""
    if page is ... or (inspect.iscoroutinefunction(page) and run(_is_stub, page)):
        raise NotYet("write the body of page(store, load, keys).")
    healthy = run(_visit, page)
    _check_answer(healthy.answer)
    _check_work(healthy)
    _check_stored(healthy.lifetimes_s)
    _check_store_down(page, "get", "get_many", "set")
    _check_store_down(page, "set")
    return (
        f"One trip for the reads, {len(set(WANTED)) - len(STORED)} loads at once, and it survives a store that is down."
    )


EXERCISE = Exercise(
    _examine,
    [
        "get_many gives an Entry or MISS for each key, in order. Which keys are missing, each once?",
        "missing = list(dict.fromkeys(key for key, entry in ... if entry is MISS)), then asyncio.gather the loads.",
        "Put try/except Exception around get_many (then everything is missing) and around each set.",
    ],
)
