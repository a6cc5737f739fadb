"""Exercise 8.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def reader(
    decode: Callable[[bytes, int], Any], *, counts_it: bool = True, heals: bool = True, empty_is_none: bool = False
) -> Any:
    """A reader to which None from `decode` is a miss. With the defaults it is the solution."""

    async def read(client: Any, load: Any, key: int, counts: Any) -> Any:
        data = await client.get(f"user:{key}")
        if empty_is_none:
            data = data or None
        if data is not None:
            profile = decode(data, key)
            if profile is not None:
                return profile
            counts["undecodable"] += counts_it
        profile = await load(key)
        if heals or data is None:
            await client.set(f"user:{key}", json.dumps(profile), ex=60)
        return profile

    return read


def id_of(found: Any) -> Any:
    return found.get("id")


def decoded(
    *caught: type[Exception],
    strings: tuple[str, ...] = ("username", "email"),
    whose: Callable[[Any], Any] | None = id_of,
) -> Callable[[bytes, int], Any]:
    def decode(data: bytes, key: int) -> Any:
        try:
            found = json.loads(data)
        except caught:
            return None
        fits = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in strings)
        if (strings and not fits) or (whose is not None and whose(found) != key):
            return None
        return found

    return decode


def fails_without_an_id(data: bytes, key: int) -> Any:
    found = decoded(ValueError, RecursionError, whose=None)(data, key)
    return found if found and found["id"] == key else None


ALL = ValueError, RecursionError
everything = decoded(*ALL)


async def never_stores(client: Any, load: Any, key: int, counts: Any) -> Any:
    return await load(key)


ANSWERS: list[tuple[Any, str]] = [
    (reader(everything), "Correct."),
    (reader(decoded()), "One bad entry and every reader fails"),
    (reader(decoded(json.JSONDecodeError)), "JSONDecodeError is one of many"),
    (reader(decoded(ValueError)), "JSONDecodeError is one of many"),
    (reader(decoded(ValueError, RecursionError, strings=(), whose=None)), "it is JSON, but no profile"),
    (reader(decoded(ValueError, RecursionError, whose=None)), "another user's profile"),
    (reader(decoded(*ALL, strings=("username",))), "it is JSON, but no profile"),
    (reader(decoded(*ALL, whose=lambda found: int(found.get("id", 0)))), "it is JSON, but no profile"),
    (reader(everything, empty_is_none=True), "count it, once"),
    (reader(fails_without_an_id), "JSONDecodeError is one of many"),
    (reader(lambda data, key: list(json.loads(data))), "not another shape"),
    (reader(everything, counts_it=False), "count it, once"),
    (reader(everything, heals=False), "write over it"),
    (never_stores, "load, put it there as JSON"),
    (reader(lambda data, key: None), "must be served from Redis"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("8.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("8.1", ANSWERS, capsys)
