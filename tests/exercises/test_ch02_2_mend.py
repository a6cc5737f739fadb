"""Exercise 2.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def mended(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    await cache.delete(user_id)


async def copied(db: Any, cache: Any, user_id: int, email: str) -> None:
    await cache.delete(user_id)
    await db.update_user(user_id, email)


async def tries_again(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    for attempt in range(3):
        try:
            await cache.delete(user_id)
        except Exception:
            if attempt == 2:
                raise
        else:
            return


async def silent(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    with contextlib.suppress(Exception):
        await cache.delete(user_id)


async def other_error(db: Any, cache: Any, user_id: int, email: str) -> None:
    try:
        await mended(db, cache, user_id, email)
    except Exception:
        raise KeyError(user_id) from None


async def deletes_nothing(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)


async def writes_nothing(db: Any, cache: Any, user_id: int, email: str) -> None:
    await cache.delete(user_id)


# Right answers


async def tries_again_after_a_pause(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    for pause_s in (0.1, 1.0, 10.0):
        try:
            await cache.delete(user_id)
            break
        except Exception:
            await asyncio.sleep(pause_s)
    else:
        await cache.delete(user_id)


async def tries_for_a_while(db: Any, cache: Any, user_id: int, email: str) -> None:
    clock = asyncio.get_running_loop().time
    await db.update_user(user_id, email)
    deadline = clock() + 5
    while True:
        try:
            await cache.delete(user_id)
            break
        except Exception:
            if clock() > deadline:
                raise
            await asyncio.sleep(0.5)


class UpdateNotSeen(Exception):
    """An error of the service's own."""


async def with_its_own_error(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    try:
        await cache.delete(user_id)
    except Exception as error:
        raise UpdateNotSeen(user_id) from error


async def in_a_group(db: Any, cache: Any, user_id: int, email: str) -> int:
    version: int = await db.update_user(user_id=user_id, email=email)
    async with asyncio.TaskGroup() as group:
        group.create_task(cache.delete(user_id))
    return version


async def whatever_happens(db: Any, cache: Any, user_id: int, email: str) -> None:
    try:
        await db.update_user(user_id, email)
    finally:
        async with asyncio.timeout(5):
            await asyncio.shield(cache.delete(user_id))


async def deletes_before_and_after(db: Any, cache: Any, user_id: int, email: str) -> None:
    with contextlib.suppress(Exception):
        await cache.delete(user_id)
    await mended(db, cache, user_id, email)


# Wrong answers


async def has_a_typo(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_usr(user_id, email)


async def has_a_typo_where_it_fails(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    try:
        await cache.delete(user_id)
    except Exception:
        cache.log_it(user_id)


async def writes_without_await(db: Any, cache: Any, user_id: int, email: str) -> None:
    db.update_user(user_id, email)
    await cache.delete(user_id)


async def deletes_without_await(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    cache.delete(user_id)


async def at_the_same_time(db: Any, cache: Any, user_id: int, email: str) -> None:
    await asyncio.gather(db.update_user(user_id, email), cache.delete(user_id))


async def deletes_another_key(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    await cache.delete(f"user:{user_id}")


async def writes_another_user(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(email, user_id)
    await cache.delete(user_id)


def is_plain(db: Any, cache: Any, user_id: int, email: str) -> None:
    """It forgets everything."""


async def in_the_background(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    asyncio.create_task(cache.delete(user_id))  # noqa: RUF006 - the mistake that the check must name


async def tries_for_ever(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    while True:
        with contextlib.suppress(Exception):
            await cache.delete(user_id)
            return


async def gives_up_in_silence(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    for _ in range(3):
        with contextlib.suppress(Exception):
            await cache.delete(user_id)
            return


async def hides_the_databases_error(db: Any, cache: Any, user_id: int, email: str) -> None:
    with contextlib.suppress(ConnectionError):
        await db.update_user(user_id, email)
    await cache.delete(user_id)


ANSWERS: list[tuple[Any, str]] = [
    (mended, "Correct."),
    (..., "Nothing to check yet"),
    (tries_again, "Correct."),
    (copied, "A reader that comes between the delete and the write"),
    (silent, "The delete failed, and update_user said nothing"),
    (other_error, "Let the cache's own error through"),
    (deletes_nothing, "Nothing tells the cache"),
    (writes_nothing, "It has to write to the database"),
    (tries_again_after_a_pause, "Correct."),
    (tries_for_a_while, "Correct."),
    (with_its_own_error, "Correct."),
    (in_a_group, "Correct."),
    (whatever_happens, "Correct."),
    (deletes_before_and_after, "Correct."),
    (has_a_typo, "Your code raised AttributeError: '_Database' object has no attribute 'update_usr', at line"),
    (has_a_typo_where_it_fails, "has no attribute 'log_it', at line"),
    (writes_without_await, "db.update_user(…) is called and not awaited"),
    (deletes_without_await, "cache.delete(…) is called and not awaited"),
    (at_the_same_time, "The steps are under way at the same time"),
    (deletes_another_key, "The delete is of another key"),
    (writes_another_user, "The database has to be given user_id and email as they are"),
    (is_plain, "update_user has to be an async function"),
    (in_the_background, "The delete failed, and update_user said nothing"),
    (tries_for_ever, "update_user tries for ever"),
    (gives_up_in_silence, "The delete failed, and update_user said nothing"),
    (hides_the_databases_error, "The write failed, and update_user said nothing"),
    (7, "The check needs the function itself"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("2.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("2.2", ANSWERS, capsys)
