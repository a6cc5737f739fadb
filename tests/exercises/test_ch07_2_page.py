"""Exercise 7.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
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


async def entries(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return list(await store.get_many(keys))


async def found_ones(store: Any, load: Any, keys: list[int]) -> list[Any]:
    return [entry.value for entry in await store.get_many(keys) if entry is not MISS]


async def empty(store: Any, load: Any, keys: list[int]) -> None: ...


ANSWERS: list[tuple[Any, str]] = [
    (a_page(), "Correct."),
    (a_page(many=False), "in one round trip"),
    (a_page(once=False), "twice is loaded once"),
    (a_page(at_once=False), "The loads wait for each other"),
    (a_page(stores=False), "must get into the store"),
    (a_page(absent_too=True), "ABSENT is no value"),
    (a_page(survives=False), "must not break the page"),
    (a_page(guards_set=False), "goes down halfway"),
    (a_page(caught=ConnectionError), "other classes than redis's"),
    (a_page(life_s=None), "with a moment in the future"),
    (a_page(life_s=1), "kept for 60 s"),
    (a_page(life_s=365 * 86_400), "kept for 60 s"),
    (a_page(life_s=math.inf), "kept for 60 s"),
    (a_page(order=sorted), "in the order of the keys"),
    (entries, "a value for each key"),
    (found_ones, "a value for each key"),
    (empty, "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("7.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("7.2", ANSWERS, capsys)
