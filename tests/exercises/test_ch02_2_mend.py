"""Exercise 2.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

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


ANSWERS: list[tuple[Any, str]] = [
    (mended, "Correct."),
    (..., "Nothing to check yet"),
    (tries_again, "Correct."),
    (copied, "A reader that comes between the delete and the write"),
    (silent, "The delete failed, and update_user said nothing"),
    (other_error, "Let the cache's own error through"),
    (deletes_nothing, "Nothing tells the cache"),
    (writes_nothing, "It has to write to the database"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("2.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("2.2", ANSWERS, capsys)
