"""Exercise 7.2: many keys, one round trip, and a store that may be down."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import exceptions

from cachelab.entry import ABSENT, MISS, Entry, Miss
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sandbox import raised_at
from cachelab.lab.sim.simulation import run
from cachelab.stores.memory import MemoryStore

__all__ = ["EXERCISE"]


WANTED = [3, 1, 4, 1, 5, 9, 2, 6, 5, 30]
VALUES = {1: "user 1", 2: "", 3: "user 3", 4: None, 5: "user 5", 6: "", 9: "user 9", 30: ABSENT}
"""What the origin holds. Two values are empty and one is None: they are values like any other."""
STORED = (1, 2, 3, 4)
LOADED = (5, 6, 9)
ABSENT_KEY = 30
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
        if not isinstance(entry, Entry):
            words = "What goes into the store is an Entry(value, expires)."
            raise Wrong(words, f"store.set({key}, {entry!r:.60})")
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
    stored: dict[int, Any]


async def _visit(page: Any, keys: Sequence[int], *broken: str) -> _Visit:
    """Ask for a page with these keys once, on a store that holds the keys `STORED`."""
    loop, store, loads = asyncio.get_running_loop(), _RemoteStore(broken), Counter[int]()
    await asyncio.sleep(1_000)  # so that 60 is no moment in the future

    async def load(key: int) -> Any:
        loads[key] += 1
        await asyncio.sleep(0.1)
        return VALUES[key]

    for key in STORED:
        store.memory.put(key, Entry(VALUES[key], loop.time() + 60))
    start = loop.time()
    answer = await awaited("page", page(store, load, list(keys)))
    took_s, trips = loop.time() - start, store.trips.copy()
    await asyncio.sleep(0.2)  # for a page that fills in the background
    end = start + took_s
    held = {key: entry for key in WANTED if (entry := store.memory.find(key)) is not MISS}
    lifetimes_s = {key: entry.expires - end for key, entry in held.items()}
    return _Visit(answer, trips, loads, took_s, lifetimes_s, {key: entry.value for key, entry in held.items()})


async def _is_stub(page: Any) -> bool:
    """Whether the function does nothing at all."""
    store = _RemoteStore()

    async def load(key: int) -> Any:
        return key

    return await page(store, load, [1]) is None and not store.trips


def _check_answer(answer: Any, keys: Sequence[int]) -> None:
    """A list with the value of each key, in the order of the keys."""
    if isinstance(answer, list | tuple) and any(map(inspect.isawaitable, answer)):
        for value in filter(inspect.iscoroutine, answer):
            value.close()
        raise Wrong("Among the values is one that is still to be awaited: an await is missing.", f"{keys} → {answer!r}")
    evidence = f"{keys} → {answer!r}"
    if not isinstance(answer, list | tuple) or len(answer) != len(keys) or any(value is MISS for value in answer):
        raise Wrong("The page has to return a list with a value for each of its keys.", evidence)
    if any(isinstance(value, Entry) for value in answer):
        raise Wrong("The store has entries; the page has to return their values.", evidence)
    if list(answer) != [VALUES[key] for key in keys]:
        if sorted(map(repr, answer)) == sorted(repr(VALUES[key]) for key in keys):
            raise Wrong("The values must stand in the order of the keys.", evidence)
        raise Wrong("The page has to return the value of each key, as the store or the origin has it.", evidence)


def _check_work(visit: _Visit) -> None:
    """One trip for all keys, and one load for each that is missing, all at the same time."""
    evidence = f"trips: {dict(visit.trips)}; loads: {dict(visit.loads)}; {visit.took_s * 1000:.0f} ms"
    if visit.trips["get"] or visit.trips["get_many"] != 1:
        raise Wrong("Read all keys from the store in one round trip: get_many, once.", evidence)
    if set(visit.loads) & set(STORED) == {key for key in STORED if not VALUES[key]}:
        words = "An empty value, or None, is a value like any other. A key is missing if the store returns MISS for it."
        raise Wrong(words, f"the store holds {VALUES[2]!r} for key 2 and {VALUES[4]!r} for key 4; {evidence}")
    if set(visit.loads) != set(WANTED) - set(STORED):
        raise Wrong("Load what is missing, and nothing else.", evidence)
    if max(visit.loads.values()) > 1:
        raise Wrong("A key that is on the page twice is to be loaded once.", evidence)
    if visit.took_s > 0.15:
        raise Wrong("The loads wait for each other: let them run at the same time.", evidence)


def _check_stored(visit: _Visit) -> None:
    """The values that were loaded are stored for 60 s, and ABSENT is not."""
    lifetimes_s = visit.lifetimes_s
    missing = [key for key in LOADED if key not in lifetimes_s]
    if missing == [6]:
        words = "An empty value is a value like any other, and has to be stored; only ABSENT is not."
        raise Wrong(
            words, f"the load of 6 returned {VALUES[6]!r}, and after the page only these are there: {[*lifetimes_s]}"
        )
    if missing:
        words = (
            "What was loaded has to be stored, and to expire later: Entry(value, expires), with a time in the future."
        )
        raise Wrong(words, f"after the page only these are there: {sorted(lifetimes_s)}")
    if ABSENT_KEY in lifetimes_s:
        words = "ABSENT is no value. If it is stored for 60 s, a new user is not found for that long."
        raise Wrong(words, f"the load of {ABSENT_KEY} returns ABSENT, and the store holds it")
    for key, value in visit.stored.items():
        if value != VALUES[key]:
            raise Wrong("Each entry holds the value of its own key.", f"the entry of key {key} holds {value!r}")
    if not all(59.5 < lifetimes_s[key] < 60.5 for key in LOADED):
        words = "What was loaded is kept for 60 s, so `expires` is the time 60 s from now."
        raise Wrong(words, f"a moment after the page, the entry of user 5 has {lifetimes_s[5]:.1f} s left")


def _check_store_down(page: Any, *broken: str) -> None:
    """The page is the same while these methods of the store raise."""
    complaints: list[str] = []
    try:
        answer = run_experiment(_visit, page, WANTED, *broken, complaints=complaints).answer
        _check_answer(answer, WANTED)
        gc.collect()
    except BaseException as error:
        seen = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        if not all(isinstance(one, exceptions.RedisError) for one in seen):
            raise
        words = (
            "The page must not fail if the store fails, at get_many or at a set: the origin is there. "
            "(Python's own ConnectionError and TimeoutError are other classes than redis's.)"
        )
        raised = f"{type(seen[0]).__module__}.{seen[0]!r}"
        raise Wrong(words, f"{' and '.join(broken)} raise: {raised}{raised_at(seen[0])}") from error
    if complaints:
        words = "A `set` in the background has failed, and your code does not handle its error, so asyncio reports it."
        raise Wrong(words, f"{' and '.join(broken)} raise; {len(complaints)} times: {complaints[0]}")


def _examine(page: Any) -> str:
    """Run the page on a store that works, then where nothing is missing, and then on stores that do not work."""
    if page is ... or (inspect.iscoroutinefunction(page) and run(_is_stub, page)):
        raise NotYet("write the body of page(store, load, keys).")
    healthy = run_experiment(_visit, page, WANTED)
    _check_answer(healthy.answer, WANTED)
    _check_work(healthy)
    _check_stored(healthy)
    nothing_missing = run_experiment(_visit, page, list(STORED))
    _check_answer(nothing_missing.answer, list(STORED))
    _check_store_down(page, "get", "get_many", "set")
    _check_store_down(page, "set")
    return (
        f"One round trip for the reads, {len(set(WANTED)) - len(STORED)} loads at once, and it works without the store."
    )


EXERCISE = Exercise(
    _examine,
    [
        "get_many gives an Entry or MISS for each key, in order. Which keys are missing, each once?",
        "missing = list(dict.fromkeys(key for key, entry in ... if entry is MISS)), then asyncio.gather the loads.",
        "Put `try: … except RedisError:` around get_many (then every key is missing), and around each set.",
    ],
)
