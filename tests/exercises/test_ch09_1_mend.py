"""Exercise 9.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import LockError, WatchError

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

DELETE_OWN = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
Release = Callable[[Any, str, str], Awaitable[object]]


def unique() -> str:
    """A token that nobody else has."""
    return uuid4().hex


async def delete_own(redis: Any, name: str, token: str) -> None:
    await redis.eval(DELETE_OWN, 1, name, token)


def locked(release: Release, *, token: Callable[[], str] = unique, px: int | None = 300, name: str = "") -> Any:
    """The lock of the exercise with another release."""

    def build(redis: Any, load: Any) -> Any:
        async def get(key: str) -> Any:
            mine = token()
            while (value := await redis.get(key)) is None:
                if await redis.set(f"lock:{key}", mine, nx=True, px=px):
                    try:
                        value = await load(key)
                        await redis.set(key, value, ex=60)
                        return value
                    finally:
                        await release(redis, f"lock:{key}", mine)
                await asyncio.sleep(0.05)
            return value

        return get

    build.__name__ = name or release.__name__
    return build


async def watched(redis: Any, name: str, token: str) -> None:
    """A transaction, which fails if the lock has changed since it was looked at."""
    async with redis.pipeline() as pipe:
        with suppress(WatchError):
            await pipe.watch(name)
            if await pipe.get(name) == token.encode():
                pipe.multi()
                pipe.delete(name)
                await pipe.execute()


async def by_a_registered_script(redis: Any, name: str, token: str) -> None:
    await redis.register_script(DELETE_OWN)(keys=[name], args=[token])


def library_lock(redis: Any, load: Any) -> Any:
    """redis-py's own lock, which compares in a script."""

    async def get(key: str) -> Any:
        while (value := await redis.get(key)) is None:
            lock = redis.lock(f"lock:{key}", timeout=0.3, blocking=False)
            if await lock.acquire():
                try:
                    value = await load(key)
                    await redis.set(key, value, ex=60)
                    return value
                finally:
                    with suppress(LockError):
                        await lock.release()
            await asyncio.sleep(0.05)
        return value

    return get


def renewed(redis: Any, load: Any) -> Any:
    """While it loads, a node makes its own lock longer again and again."""
    renew = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], 300) end"

    async def keep(name: str, token: str) -> None:
        while True:
            await asyncio.sleep(0.1)
            await redis.eval(renew, 1, name, token)

    async def get(key: str) -> Any:
        token, name = unique(), f"lock:{key}"
        while (value := await redis.get(key)) is None:
            if await redis.set(name, token, nx=True, px=300):
                keeper = asyncio.ensure_future(keep(name, token))
                try:
                    value = await load(key)
                    await redis.set(key, value, ex=60)
                    return value
                finally:
                    keeper.cancel()
                    await delete_own(redis, name, token)
            await asyncio.sleep(0.05)
        return value

    return get


def a_name_each(redis: Any, load: Any) -> Any:
    """A lock in a hash, whose field is the token: HDEL of an own field cannot hit another's."""
    take = (
        "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end "
        "redis.call('HSET', KEYS[1], ARGV[1], 1) redis.call('PEXPIRE', KEYS[1], 300) return 1"
    )

    async def get(key: str) -> Any:
        token, name = unique(), f"lock:{key}"
        while (value := await redis.get(key)) is None:
            if await redis.eval(take, 1, name, token):
                try:
                    value = await load(key)
                    await redis.set(key, value, ex=60)
                    return value
                finally:
                    await redis.hdel(name, token)
            await asyncio.sleep(0.02)
        return value

    return get


async def as_it_was(redis: Any, name: str, token: str) -> None:
    await redis.delete(name)


async def two_steps(redis: Any, name: str, token: str) -> None:
    if await redis.get(name) == token.encode():
        await redis.delete(name)


async def bytes_against_text(redis: Any, name: str, token: str) -> None:
    """GET returns bytes, so this is never true."""
    if await redis.get(name) == token:
        await redis.delete(name)


async def never(redis: Any, name: str, token: str) -> None:
    """The lock is left to its end."""


async def misspells(redis: Any, name: str, token: str) -> None:
    await redis.eval(DELETE_OWN, 1, name, tokn)  # type: ignore[name-defined] # noqa: F821


def by_the_clock(redis: Any, load: Any) -> Any:
    """It deletes only if its own clock says that the lock is still there."""
    now = asyncio.get_running_loop().time

    async def get(key: str) -> Any:
        while (value := await redis.get(key)) is None:
            began = now()
            if await redis.set(f"lock:{key}", "held", nx=True, px=300):
                try:
                    value = await load(key)
                    await redis.set(key, value, ex=60)
                    return value
                finally:
                    if now() - began < 0.28:
                        await redis.delete(f"lock:{key}")
            await asyncio.sleep(0.05)
        return value

    return get


def no_lock(redis: Any, load: Any) -> Any:
    async def get(key: str) -> Any:
        value = await redis.get(key)
        if value is None:
            value = await load(key)
            await redis.set(key, value, ex=60)
        return value

    return get


def no_fill(redis: Any, load: Any) -> Any:
    async def get(key: str) -> Any:
        token = unique()
        while (value := await redis.get(key)) is None:
            if await redis.set(f"lock:{key}", token, nx=True, px=300):
                try:
                    return await load(key)
                finally:
                    await delete_own(redis, f"lock:{key}", token)
            await asyncio.sleep(0.05)
        return value

    return get


def swallows(redis: Any, load: Any) -> Any:
    """An error of the origin is no answer."""
    get = locked(delete_own)(redis, load)

    async def safe(key: str) -> Any:
        try:
            return await get(key)
        except ConnectionError:
            return 0

    return safe


def no_return(redis: Any, load: Any) -> Any:
    get = locked(delete_own)(redis, load)

    async def forgets(key: str) -> None:
        await get(key)

    return forgets


def not_async(redis: Any, load: Any) -> Any:
    return lambda key: 1


def another_value(redis: Any, load: Any) -> Any:
    get = locked(delete_own)(redis, load)

    async def wraps(key: str) -> Any:
        return [await get(key)]

    return wraps


def sleeps_not(redis: Any, load: Any) -> Any:
    async def get(key: str) -> Any:
        while True:
            await asyncio.sleep(0)

    return get


def not_returned(redis: Any, load: Any) -> None:
    locked(delete_own)(redis, load)


async def is_async(redis: Any, load: Any) -> Any:
    return locked(delete_own)(redis, load)


def waits_for_ever(redis: Any, load: Any) -> Any:
    async def get(key: str) -> Any:
        while (value := await redis.get(key)) is None:
            await asyncio.sleep(0.05)
        return value

    return get


def same() -> str:
    return "held"


ANSWERS: list[tuple[Any, str]] = [
    (locked(delete_own), "Correct."),
    (locked(watched), "Correct."),
    (locked(by_a_registered_script), "Correct."),
    (library_lock, "Correct."),
    (renewed, "Correct."),
    (a_name_each, "Correct."),
    (locked(as_it_was), "A node may remove only its own lock"),
    (locked(delete_own, token=same, name="same_token"), "A node may remove only its own lock"),
    (locked(two_steps), "Comparing and deleting have to be one step"),
    (by_the_clock, "Comparing and deleting have to be one step"),
    (locked(never), "A load has failed, and its lock stays"),
    (locked(bytes_against_text), "A load has failed, and its lock stays"),
    (locked(delete_own, px=60_000, name="a_minute"), "Its lock has to end by itself after 0.3 s"),
    (locked(delete_own, px=None, name="no_end"), "Its lock has to end by itself after 0.3 s"),
    (no_lock, "there is no lock any more"),
    (no_fill, "the value was not in Redis when the lock was freed"),
    (swallows, "its own callers do not get its error"),
    (no_return, "get returns None: is a return missing?"),
    (not_async, "get has to be async"),
    (another_value, "A caller gets something else than what load returned"),
    (sleeps_not, "Your code did not come back"),
    (not_returned, "The function has to return its get"),
    (is_async, "The function itself is not async"),
    (waits_for_ever, "some callers wait for ever"),
    (locked(misspells), "Your code raised NameError: name 'tokn' is not defined, at line"),
    ("locked", "Give the check your function"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("9.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("9.1", ANSWERS, capsys)
