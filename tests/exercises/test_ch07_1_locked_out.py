"""Exercise 7.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def atomic(client: Any, user: str) -> bool:
    pipe = client.pipeline(transaction=True)
    pipe.set(f"rate:{user}", 0, ex=60, nx=True)
    pipe.incr(f"rate:{user}")
    return bool((await pipe.execute())[1] <= 10)


async def heals(client: Any, user: str) -> bool:
    async with client.pipeline() as pipe:
        count, _ = await pipe.incr(f"rate:{user}").expire(f"rate:{user}", 60, nx=True).execute()
    return bool(count <= 10)


async def in_milliseconds(client: Any, user: str) -> int:
    """Its own names, and an answer that is 1 or 0."""
    pipe = client.pipeline()
    pipe.set(f"{user}/calls", 10, px=60_000, nx=True)
    pipe.decr(f"{user}/calls")
    return int((await pipe.execute())[-1] >= 0)


async def looks_for_the_end(client: Any, user: str) -> bool:
    """It gives a TTL to a counter that it finds without one, whoever has left it."""
    pipe = client.pipeline()
    pipe.incr(f"rate:{user}")
    pipe.ttl(f"rate:{user}")
    count, ttl = await pipe.execute()
    if ttl == -1:
        await client.expire(f"rate:{user}", 60)
    return bool(count <= 10)


async def a_list_of_calls(client: Any, user: str) -> bool:
    pipe = client.pipeline()
    pipe.rpush(f"calls:{user}", "call")
    pipe.expire(f"calls:{user}", 60, nx=True)
    pipe.ltrim(f"calls:{user}", 0, 10)
    pipe.llen(f"calls:{user}")
    return bool((await pipe.execute())[-1] <= 10)


async def only_above_ten(client: Any, user: str) -> bool:
    count = await client.incr(f"rate:{user}")
    if count >= 10:
        await client.expire(f"rate:{user}", 60, nx=True)
    return bool(count <= 10)


async def misspells(client: Any, user: str) -> bool:
    return bool(await client.incr(f"rate:{usr}") <= 10)  # type: ignore[name-defined] # noqa: F821


async def no_return(client: Any, user: str) -> None:
    await atomic(client, user)


async def no_await(client: Any, user: str) -> Any:
    return client.incr(f"rate:{user}")


def not_async(client: Any, user: str) -> bool:
    return True


async def expires_later(client: Any, user: str) -> bool:
    count = await client.incr(f"rate:{user}")
    if count == 1:
        await client.expire(f"rate:{user}", 60)
    return bool(count <= 10)


async def two_commands(client: Any, user: str) -> bool:
    await client.set(f"rate:{user}", 0, ex=60, nx=True)
    return bool(await client.incr(f"rate:{user}") <= 10)


async def in_a_finally(client: Any, user: str) -> bool:
    count = 1
    try:
        count = await client.incr(f"rate:{user}")
    finally:  # a pod that is killed does not come here
        if count == 1:
            await client.expire(f"rate:{user}", 60)
    return bool(count <= 10)


async def renews(client: Any, user: str) -> bool:
    pipe = client.pipeline(transaction=True)
    pipe.incr(f"rate:{user}")
    pipe.expire(f"rate:{user}", 60)
    return bool((await pipe.execute())[0] <= 10)


async def reads_first(client: Any, user: str) -> bool:
    count = int(await client.get(f"rate:{user}") or 0) + 1
    await client.set(f"rate:{user}", count, **({"ex": 60} if count == 1 else {"keepttl": True}))
    return count <= 10


def window_of(seconds: int) -> Any:
    async def allow(client: Any, user: str) -> bool:
        pipe = client.pipeline(transaction=True)
        pipe.set(f"rate:{user}", 0, ex=seconds, nx=True)
        pipe.incr(f"rate:{user}")
        return bool((await pipe.execute())[1] <= 10)

    return allow


async def by_the_clock(client: Any, user: str) -> bool:
    return await atomic(client, f"{user}:{asyncio.get_running_loop().time() // 60}")


async def for_everybody(client: Any, user: str) -> bool:
    return await atomic(client, "all")


async def always(client: Any, user: str) -> bool:
    return True


ANSWERS: list[tuple[Any, str]] = [
    (atomic, "Correct."),
    (heals, "Correct."),
    (in_milliseconds, "Correct."),
    (looks_for_the_end, "Correct."),
    (a_list_of_calls, "Correct."),
    (only_above_ten, "a counter is left without a TTL"),
    (misspells, "Your code raised NameError: name 'usr' is not defined, at line"),
    (no_return, "allow returns None: is a return missing?"),
    (no_await, "allow returns a coroutine, and not what it comes to: an await is missing"),
    (not_async, "allow has to be async"),
    (window_of(59), "Yours are shorter, or begin by the clock"),
    (window_of(61), "yours are longer"),
    (expires_later, "leaves a counter without a TTL"),
    (two_commands, "Between your two commands the counter can expire"),
    (in_a_finally, "leaves a counter without a TTL"),
    (window_of(5), "Yours are shorter, or begin by the clock"),
    (by_the_clock, "Yours are shorter, or begin by the clock"),
    (window_of(600), "yours are longer"),
    (renews, "If each call makes the 60 s longer, they never end"),
    (reads_first, "Let Redis count (INCR)"),
    (for_everybody, "Each user has a counter of their own"),
    (always, "the 11th is not"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("7.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("7.1", ANSWERS, capsys)
