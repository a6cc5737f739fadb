"""Exercise 2.1: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cachelab import lab
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def nothing(w: lab.World) -> None: ...


async def only_deletes(w: lab.World) -> None:
    await w.delete()


async def only_writes(w: lab.World) -> None:
    await w.write()


async def write_then_delete(w: lab.World) -> None:
    await w.write()
    await w.delete()


async def delete_then_write(w: lab.World) -> None:
    await w.delete()
    await w.write()


async def write_then_set(w: lab.World) -> None:
    await w.fill(await w.write())


async def double_delete(w: lab.World) -> None:
    await w.delete()
    await w.write()
    await w.delete()


async def four_steps(w: lab.World) -> None:
    for _ in range(2):
        await w.write()
        await w.delete()


async def for_ever(w: lab.World) -> None:
    while True:
        await w.write()


# Right answers


async def fills_and_deletes(w: lab.World) -> None:
    await w.fill(await w.write())
    await w.delete()


async def deletes_twice(w: lab.World) -> None:
    await w.write()
    await w.delete()
    await asyncio.sleep(0.5)
    await w.delete()


async def whatever_happens(w: lab.World) -> int:
    try:
        version = await w.write()
    finally:
        await asyncio.wait_for(w.delete(), timeout=1)
    return version


def is_a_factory(w: lab.World) -> Any:
    return write_then_delete(w)


class CalledWriter:
    async def __call__(self, w: lab.World) -> None:
        for step in (w.write, w.delete):
            await step()


# Wrong answers


async def has_a_typo(w: lab.World) -> None:
    await w.wirte()  # type: ignore[attr-defined]


async def has_a_typo_later(w: lab.World) -> None:
    await w.write()
    await w.delet()  # type: ignore[attr-defined]


async def writes_without_await(w: Any) -> None:
    w.write()
    await w.delete()


async def deletes_without_await(w: Any) -> None:
    await w.write()
    w.delete()


async def at_the_same_time(w: lab.World) -> None:
    await asyncio.gather(w.write(), w.delete())


def is_plain(w: lab.World) -> None:
    w.steps.clear()


async def does_something_else(w: lab.World) -> None:
    await asyncio.sleep(1)


async def only_if_something_is_cached(w: lab.World) -> None:
    await w.write()
    if await w.look() is not None:
        await w.delete()


async def delete_then_set(w: lab.World) -> None:
    version = await w.write()
    await w.delete()
    await w.fill(version)


async def delayed_double_delete(w: lab.World) -> None:
    await w.delete()
    await w.write()
    await asyncio.sleep(1)
    await w.delete()


async def set_then_write(w: lab.World) -> None:
    await w.fill(2)
    await w.write()


ANSWERS: list[tuple[Any, str]] = [
    (write_then_delete, "Correct."),
    (nothing, "Nothing to check yet"),
    (only_deletes, "The writer has to write"),
    (only_writes, "Nothing tells the cache"),
    (delete_then_write, "What comes before the last write is undone"),
    (write_then_set, "the writer that writes last need not be the last to fill"),
    (double_delete, "The first delete makes the cache cold"),
    (for_ever, "it takes more steps, or waits for what never comes"),
    (fills_and_deletes, "Correct."),
    (deletes_twice, "Correct."),
    (whatever_happens, "Correct."),
    (is_a_factory, "Correct."),
    (CalledWriter(), "Correct."),
    (..., "Nothing to check yet"),
    (has_a_typo, "Your code raised AttributeError: 'World' object has no attribute 'wirte', at line"),
    (has_a_typo_later, "no attribute 'delet', at line"),
    (writes_without_await, "w.write() is called and not awaited"),
    (deletes_without_await, "w.delete() is called and not awaited"),
    (at_the_same_time, "The steps are under way at the same time"),
    (is_plain, "writer has to be an async function"),
    (does_something_else, "The writer takes no step"),
    (only_if_something_is_cached, "a delete must follow each write, whatever is in the cache"),
    (delete_then_set, "the writer that writes last need not be the last to fill"),
    (delayed_double_delete, "The first delete makes the cache cold"),
    (set_then_write, "the writer that writes last need not be the last to fill"),
    (7, "The check needs the function writer itself"),
    (four_steps, "At most three steps"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("2.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("2.1", ANSWERS, capsys)
