"""Exercise 8.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
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


class Profile(msgspec.Struct):
    id: int
    username: str
    email: str


async def with_a_type(client: Any, load: Any, key: int, counts: Any) -> Any:
    """A declared type, strictly decoded."""
    data = await client.get(f"user:{key}")
    if data is not None:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            profile = msgspec.json.decode(data, type=Profile)
            if profile.id == key:
                return msgspec.structs.asdict(profile)
        counts["undecodable"] += 1
    profile_dict = await load(key)
    await client.set(f"user:{key}", msgspec.json.encode(profile_dict), ex=timedelta(minutes=1))
    return profile_dict


async def with_a_pattern(client: Any, load: Any, key: int, counts: Any) -> Any:
    """A pattern for the shape, and a broad `except` around the decoder alone."""
    data = await client.get(f"user:{key}")
    try:
        found = "nothing" if data is None else json.loads(data)
    except Exception:
        found = "undecodable"
    match found:
        case {"id": int(whose), "username": str(), "email": str()} if whose == key:
            return found
        case "nothing":
            pass
        case _:
            counts["undecodable"] += 1
    profile = await load(key)
    await client.set(f"user:{key}", json.dumps(profile, indent=1), px=60_000)
    return profile


async def that_deletes_and_reads_again(client: Any, load: Any, key: int, counts: Any) -> Any:
    """A pill is taken out, and then the read begins anew, as if nothing had been there."""
    data = await client.get(f"user:{key}")
    if data is None:
        profile = await load(key)
        pipe = client.pipeline()
        pipe.set(f"user:{key}", json.dumps(profile))
        pipe.expire(f"user:{key}", 60)
        await pipe.execute()
        return profile
    if (profile := everything(data, key)) is None:
        counts.update(["undecodable"])
        await client.delete(f"user:{key}")
        return await that_deletes_and_reads_again(client, load, key, counts)
    return profile


async def that_stores_in_the_background(client: Any, load: Any, key: int, counts: Any) -> Any:
    data = await client.get(f"user:{key}")
    profile = None if data is None else everything(data, key)
    if profile is None:
        counts["undecodable"] += data is not None
        profile = await load(key)
        task = asyncio.create_task(client.set(f"user:{key}", json.dumps(profile), ex=60))
        task.add_done_callback(RUNNING.discard)
        RUNNING.add(task)
    return profile


RUNNING: set[asyncio.Task[Any]] = set()


async def that_lengthens_lives(client: Any, load: Any, key: int, counts: Any) -> Any:
    await client.getex(f"user:{key}", ex=60)
    return await reader(everything)(client, load, key, counts)


class OtherSet:
    """A client whose `set` is given other options."""

    def __init__(self, client: Any, **options: Any) -> None:
        self.client, self.options = client, options
        self.get = client.get

    async def set(self, key: str, value: str, **_: Any) -> None:
        await self.client.set(key, value, **self.options)


def storing(**options: Any) -> Any:
    async def read(client: Any, load: Any, key: int, counts: Any) -> Any:
        return await reader(everything)(OtherSet(client, **options), load, key, counts)

    return read


async def that_keeps_the_ttl(client: Any, load: Any, key: int, counts: Any) -> Any:
    there = await client.exists(f"user:{key}")
    options: dict[str, Any] = {"keepttl": True} if there else {"ex": 60}
    return await storing(**options)(client, load, key, counts)


async def that_tries_again(client: Any, load: Any, key: int, counts: Any) -> Any:
    """The load is inside the `try`, and again in the `except`."""
    try:
        data = await client.get(f"user:{key}")
        profile = None if data is None else json.loads(data)
        if data is not None and everything(data, key) is None:
            raise ValueError
        if profile is None:
            profile = await load(key)
            await client.set(f"user:{key}", json.dumps(profile), ex=60)
    except Exception:
        counts["undecodable"] += 1
        profile = await load(key)
        await client.set(f"user:{key}", json.dumps(profile), ex=60)
    return profile


async def that_counts_an_outage(client: Any, load: Any, key: int, counts: Any) -> Any:
    try:
        return await reader(everything)(client, load, key, counts)
    except Exception:
        counts["undecodable"] += 1
        raise


async def that_hides_an_outage(client: Any, load: Any, key: int, counts: Any) -> Any:
    try:
        return await reader(everything)(client, load, key, counts)
    except Exception:
        return {}


async def that_wraps_an_outage(client: Any, load: Any, key: int, counts: Any) -> Any:
    try:
        return await reader(everything)(client, load, key, counts)
    except Exception as error:
        raise RuntimeError("no profile") from error


async def that_loads_in_a_group(client: Any, load: Any, key: int, counts: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        return await group.create_task(reader(everything)(client, load, key, counts))


async def that_loads_twice(client: Any, load: Any, key: int, counts: Any) -> Any:
    before = counts["undecodable"]
    profile = await reader(everything)(client, load, key, counts)
    return profile if counts["undecodable"] == before else await load(key)


async def no_return(client: Any, load: Any, key: int, counts: Any) -> None:
    await reader(everything)(client, load, key, counts)


async def no_await(client: Any, load: Any, key: int, counts: Any) -> Any:
    return reader(everything)(client, load, key, counts)


def not_async(client: Any, load: Any, key: int, counts: Any) -> dict[str, Any]:
    return {}


async def misspells(client: Any, load: Any, key: int, counts: Any) -> Any:
    return await client.gte(f"user:{key}")


def misspells_at_a_pill(data: bytes, key: int) -> Any:
    try:
        return everything(data, key) or bytez  # type: ignore[name-defined] # noqa: F821
    finally:
        pass


ANSWERS: list[tuple[Any, str]] = [
    (reader(everything), "Correct."),
    (with_a_type, "Correct."),
    (with_a_pattern, "Correct."),
    (that_deletes_and_reads_again, "Correct."),
    (that_stores_in_the_background, "Correct."),
    (that_lengthens_lives, "A read must not make an entry live longer"),
    (that_keeps_the_ttl, "lives for 60 s from then on; yours has 20 s left"),
    (storing(), "stored without an end"),
    (storing(ex=600), "yours has 600 s left"),
    (that_tries_again, "A load that fails is tried again"),
    (that_counts_an_outage, "counted as an undecodable entry: keep the load out of the try"),
    (that_hides_an_outage, "If the load fails, its error reaches the reader"),
    (that_wraps_an_outage, "as it was raised, and not inside another"),
    (that_loads_in_a_group, "as it was raised, and not inside another"),
    (that_loads_twice, "One load is enough"),
    (no_return, "read returns None: is a return missing?"),
    (no_await, "read returns a coroutine, and not what it comes to: an await is missing"),
    (not_async, "read has to be async"),
    (misspells, "Your code raised AttributeError: 'Redis' object has no attribute 'gte', at line"),
    (reader(misspells_at_a_pill), "Your code raised NameError: name 'bytez' is not defined, at line"),
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


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("8.1", ANSWERS, capsys)
