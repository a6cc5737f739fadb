"""Exercise 7.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import RedisError

from cachelab import ABSENT, MISS, Entry
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def a_page(
    *,
    many: bool = True,
    once: bool = True,
    at_once: bool = True,
    stores: bool = True,
    absent_too: bool = False,
    survives: bool = True,
    guards_set: bool = True,
    life_s: float | None = 60,
    caught: type[Exception] = RedisError,
    order: Callable[[list[int]], list[int]] = list,
) -> Any:
    """The solution, or an answer that differs from it in one point."""

    async def page(store: Any, load: Any, keys: list[int]) -> list[Any]:
        clock, values = asyncio.get_running_loop().time, dict[int, Any]()
        try:
            found = await store.get_many(keys) if many else [await store.get(key) for key in keys]
        except caught:
            if not survives:
                raise
            found = [MISS] * len(keys)
        values = {key: entry.value for key, entry in zip(keys, found, strict=True) if entry is not MISS}

        async def fetch(key: int) -> None:
            values[key] = value = await load(key)
            if stores and (absent_too or value is not ABSENT):
                try:
                    await store.set(key, Entry(value, 60 if life_s is None else clock() + life_s))
                except caught:
                    if not guards_set:
                        raise

        missing = [key for key in (dict.fromkeys(keys) if once else keys) if key not in values]
        if at_once:
            await asyncio.gather(*map(fetch, missing))
        else:
            for key in missing:
                await fetch(key)
        return [values[key] for key in order(keys)]

    return page


async def in_the_background(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """The page does not wait until the store has what was loaded."""
    clock, fills = asyncio.get_running_loop().time, set[asyncio.Task[None]]()

    async def fill(key: int, value: Any) -> None:
        with suppress(RedisError):
            await store.set(key, Entry(value, clock() + 60))

    async def fetch(key: int) -> Any:
        value = await load(key)
        if value is not ABSENT:
            task = asyncio.create_task(fill(key, value))
            fills.add(task)
            task.add_done_callback(fills.discard)
        return value

    try:
        found = dict(zip(keys, await store.get_many(keys), strict=True))
    except RedisError:
        found = dict.fromkeys(keys, MISS)
    missing = [key for key, entry in found.items() if entry is MISS]
    loaded = dict(zip(missing, await asyncio.gather(*map(fetch, missing)), strict=True))
    return [loaded[key] if key in loaded else found[key].value for key in keys]


async def unheard_in_the_background(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """The same, and nobody hears of a fill that fails."""

    class Unheard:
        get_many = store.get_many

        async def set(self, key: int, entry: Any) -> None:
            asyncio.create_task(store.set(key, entry))  # noqa: RUF006 - the mistake that the check must find

    return list(await in_the_background(Unheard(), load, keys))


async def in_a_group(store: Any, load: Any, keys: list[int]) -> tuple[Any, ...]:
    """A TaskGroup, one trip for each key once, and a tuple."""
    unique = sorted(set(keys))
    try:
        found = await store.get_many(unique)
    except Exception:
        found = [MISS] * len(unique)
    values: dict[int, Any] = {}
    expires = asyncio.get_running_loop().time() + 60

    async def fetch(key: int) -> None:
        values[key] = await load(key)
        if values[key] is not ABSENT:
            with suppress(Exception):
                await store.set(key, Entry(values[key], expires))

    async with asyncio.TaskGroup() as group:
        for key, entry in zip(unique, found, strict=True):
            if isinstance(entry, Entry):
                values[key] = entry.value
            else:
                group.create_task(fetch(key))
    return tuple(values[key] for key in keys)


async def first_all_loads_then_all_fills(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """Tasks by key, and the fills after the loads, all at once, with their errors as results."""
    try:
        entries = await store.get_many(keys)
    except RedisError:
        entries = [MISS for _ in keys]
    missing = {key for key, entry in zip(keys, entries, strict=True) if entry is MISS}
    tasks = {key: asyncio.ensure_future(load(key)) for key in missing}
    for task in tasks.values():
        await task
    expires = asyncio.get_running_loop().time() + 60
    fills = [
        store.set(key, Entry(task.result(), expires)) for key, task in tasks.items() if task.result() is not ABSENT
    ]
    await asyncio.gather(*fills, return_exceptions=True)
    return [tasks[key].result() if entry is MISS else entry.value for key, entry in zip(keys, entries, strict=True)]


async def a_cache_for_the_page(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """A function for each key, and tasks that callers of the same key share."""
    tasks: dict[int, asyncio.Task[Any]] = {}

    async def value(key: int, entry: Any) -> Any:
        if entry is not MISS:
            return entry.value
        loaded = await load(key)
        if loaded is not ABSENT:
            with suppress(RedisError):
                await store.set(key, Entry(loaded, asyncio.get_running_loop().time() + 60))
        return loaded

    try:
        found = await store.get_many(keys)
    except RedisError:
        found = [MISS] * len(keys)
    for key, entry in zip(keys, found, strict=True):
        if key not in tasks:
            tasks[key] = asyncio.create_task(value(key, entry))
    return list(await asyncio.gather(*(tasks[key] for key in keys)))


async def empty_is_missing(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """It takes an empty value for a missing one."""
    have: dict[int, Any] = {}
    with suppress(RedisError):
        have = {
            key: entry.value for key, entry in zip(keys, await store.get_many(keys), strict=True) if entry is not MISS
        }

    async def fetch(key: int) -> None:
        have[key] = await load(key)
        if have[key] is not ABSENT:
            with suppress(RedisError):
                await store.set(key, Entry(have[key], asyncio.get_running_loop().time() + 60))

    await asyncio.gather(*(fetch(key) for key in dict.fromkeys(keys) if not have.get(key)))
    return [have[key] for key in keys]


async def empty_is_not_stored(store: Any, load: Any, keys: list[int]) -> list[Any]:
    class Picky:
        get_many = store.get_many

        async def set(self, key: int, entry: Any) -> None:
            if entry.value:
                await store.set(key, entry)

    return list(await a_page()(Picky(), load, keys))


async def bare_values(store: Any, load: Any, keys: list[int]) -> list[Any]:
    class Bare:
        get_many = store.get_many

        async def set(self, key: int, entry: Any) -> None:
            await store.set(key, entry.value)

    return list(await a_page()(Bare(), load, keys))


async def always_waits(store: Any, load: Any, keys: list[int]) -> list[Any]:
    """`asyncio.wait` fails where nothing is missing."""
    found = dict(zip(keys, await store.get_many(keys), strict=True))
    tasks = {key: asyncio.create_task(load(key)) for key, entry in found.items() if entry is MISS}
    await asyncio.wait(tasks.values())
    for key, task in tasks.items():
        if task.result() is not ABSENT:
            await store.set(key, Entry(task.result(), asyncio.get_running_loop().time() + 60))
    return [tasks[key].result() if key in tasks else found[key].value for key in keys]


async def wrong_values(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return [value or "nothing" for value in await a_page()(store, load, keys)]


async def no_return(store: Any, load: Any, keys: list[int]) -> None:
    await a_page()(store, load, keys)


async def no_await(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return [load(key) for key in keys]


async def misspells(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return [entry.value for entry in await store.getmany(keys)]


def not_async(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return keys


async def entries(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return list(await store.get_many(keys))


async def found_ones(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return [entry.value for entry in await store.get_many(keys) if entry is not MISS]


async def empty(store: Any, load: Any, keys: list[int]) -> None: ...


ANSWERS: list[tuple[Any, str]] = [
    (a_page(), "Correct."),
    (in_the_background, "Correct."),
    (in_a_group, "Correct."),
    (first_all_loads_then_all_fills, "Correct."),
    (a_cache_for_the_page, "Correct."),
    (unheard_in_the_background, "A `set` in the background has failed"),
    (empty_is_missing, "An empty value, or None, is a value like any other"),
    (empty_is_not_stored, "An empty value is a value like any other"),
    (bare_values, "is an Entry(value, expires)"),
    (always_waits, "Your code raised ValueError: Set of Tasks/Futures is empty, at line"),
    (wrong_values, "the value of each key, as the store or the origin has it"),
    (no_return, "page returns None: is a return missing?"),
    (no_await, "still to be awaited: an await is missing"),
    (misspells, "Your code raised AttributeError: '_RemoteStore' object has no attribute 'getmany', at line"),
    (not_async, "page has to be async"),
    (a_page(many=False), "in one round trip"),
    (a_page(once=False), "twice is to be loaded once"),
    (a_page(at_once=False), "The loads wait for each other"),
    (a_page(stores=False), "has to be stored, and to expire later"),
    (a_page(absent_too=True), "ABSENT is no value"),
    (a_page(survives=False), "get and get_many and set raise"),
    (a_page(guards_set=False), "if the store fails, at get_many or at a set"),
    (a_page(caught=ConnectionError), "other classes than redis's"),
    (a_page(life_s=None), "with a time in the future"),
    (a_page(life_s=1), "kept for 60 s"),
    (a_page(life_s=365 * 86_400), "kept for 60 s"),
    (a_page(life_s=math.inf), "kept for 60 s"),
    (a_page(order=sorted), "in the order of the keys"),
    (entries, "a value for each of its keys"),
    (found_ones, "a value for each of its keys"),
    (empty, "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=6)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("7.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("7.2", ANSWERS, capsys)
