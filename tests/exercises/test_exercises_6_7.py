"""The exercises of chapters 7 and 8: the solution passes, wrong answers get their own words, nothing hangs."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import zlib
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from redis.exceptions import RedisError

from cachelab import ABSENT, MISS, Entry
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer

# 7.1: how many calls in 60 s


async def atomic(client: Any, user: str) -> bool:
    pipe = client.pipeline(transaction=True)
    pipe.set(f"rate:{user}", 0, ex=60, nx=True)
    pipe.incr(f"rate:{user}")
    return bool((await pipe.execute())[1] <= 10)


async def two_moments(client: Any, user: str) -> bool:
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
    finally:  # a pod that is killed runs none
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


def for_so_long(seconds: int) -> Any:
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


# 7.2: many keys, one round trip


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
    """The solution, or, with one thing left out, one of its flaws."""

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


# 8.1: what the bytes in Redis may be


def reader(
    decode: Callable[[bytes, int], Any], *, counts_it: bool = True, heals: bool = True, empty_is_none: bool = False
) -> Any:
    """A reader of JSON that takes None from `decode` for a miss."""

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


def dies_without_an_id(data: bytes, key: int) -> Any:
    found = decoded(ValueError, RecursionError, whose=None)(data, key)
    return found if found and found["id"] == key else None


ALL = ValueError, RecursionError
everything = decoded(*ALL)


async def never_stores(client: Any, load: Any, key: int, counts: Any) -> Any:
    return await load(key)


# 8.2: whose bytes, and are they whole?


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


def pack(key: str, value: bytes) -> bytes:
    name = key.encode()
    body = len(name).to_bytes(4, "big") + name + value
    return crc(body) + body


def unpack(key: str, data: bytes) -> bytes | None:
    name, body = key.encode(), data[4:]
    head = len(name).to_bytes(4, "big") + name
    whole = len(data) >= 8 and crc(body) == data[:4]
    return body[len(head) :] if whole and body.startswith(head) else None


def pack_without_length(key: str, value: bytes) -> bytes:
    return crc(key.encode() + value) + key.encode() + value


def unpack_without_length(key: str, data: bytes) -> bytes | None:
    whole = crc(data[4:]) == data[:4] and data[4:].startswith(key.encode())
    return data[4 + len(key.encode()) :] if whole else None


def pack_without_checksum(key: str, value: bytes) -> bytes:
    return pack(key, value)[4:]


def unpack_without_checksum(key: str, data: bytes) -> bytes | None:
    return unpack(key, crc(data) + data)


def pack_by_pickle(key: str, value: bytes) -> bytes:
    body = pickle.dumps((key, value))
    return crc(body) + body


def unpack_by_pickle(key: str, data: bytes) -> bytes | None:
    if len(data) < 4 or crc(data[4:]) != data[:4]:
        return None
    found = pickle.loads(data[4:])
    return found[1] if isinstance(found, tuple) and found[0] == key else None


def pack_by_signed_pickle(key: str, value: bytes) -> bytes:
    body = pickle.dumps((key, value))
    return sha256(body).digest() + body


def unpack_by_signed_pickle(key: str, data: bytes) -> bytes | None:
    if sha256(data[32:]).digest() != data[:32]:
        return None
    found: tuple[str, bytes] = pickle.loads(data[32:])
    return found[1] if found[0] == key else None


def unpack_by_bare_pickle(key: str, data: bytes) -> bytes | None:
    try:
        found: tuple[str, bytes] = pickle.loads(data)
        return found[1] if found[0] == key else None
    except Exception:
        return None


def pack_by_letters(key: str, value: bytes) -> bytes:
    body = len(key).to_bytes(4, "big") + key.encode() + value
    return crc(body) + body


def unpack_by_letters(key: str, data: bytes) -> bytes | None:
    body = data[4:]
    end = 4 + int.from_bytes(body[:4], "big")
    whole = len(data) >= 8 and crc(body) == data[:4]
    return body[end:] if whole and body[4:end] == key.encode() else None


def pack_by_ascii(key: str, value: bytes) -> bytes:
    return pack(key.encode("ascii", "replace").decode(), value)


def pack_by_nul(key: str, value: bytes) -> bytes:
    body = key.encode() + b"\0" + value
    return crc(body) + body


def unpack_by_nul(key: str, data: bytes) -> bytes | None:
    head = key.encode() + b"\0"
    whole = len(data) >= 4 and crc(data[4:]) == data[:4] and data[4:].startswith(head)
    return data[4 + len(head) :] if whole else None


def unpack_that_raises(key: str, data: bytes) -> bytes | None:
    assert data[0] >= 0
    return unpack(key, data)


ANSWERS: list[tuple[str, Any, str]] = [
    ("7.1", atomic, "Correct."),
    ("7.1", two_moments, "leaves a counter without an end"),
    ("7.1", two_commands, "Between your two commands the counter can come to its end"),
    ("7.1", in_a_finally, "leaves a counter without an end"),
    ("7.1", for_so_long(5), "yours is shorter, or begins by the clock"),
    ("7.1", by_the_clock, "yours is shorter, or begins by the clock"),
    ("7.1", for_so_long(600), "yours is longer"),
    ("7.1", renews, "a window that each call makes longer never ends"),
    ("7.1", reads_first, "let Redis count (INCR)"),
    ("7.1", for_everybody, "Each user has a counter of their own"),
    ("7.1", always, "the 11th is not"),
    ("7.1", ..., "Nothing to check yet"),
    ("7.2", a_page(), "Correct."),
    ("7.2", a_page(many=False), "in one round trip"),
    ("7.2", a_page(once=False), "twice is loaded once"),
    ("7.2", a_page(at_once=False), "The loads wait for each other"),
    ("7.2", a_page(stores=False), "must get into the store"),
    ("7.2", a_page(absent_too=True), "ABSENT is no value"),
    ("7.2", a_page(survives=False), "must not break the page"),
    ("7.2", a_page(guards_set=False), "goes down halfway"),
    ("7.2", a_page(caught=ConnectionError), "other classes than redis's"),
    ("7.2", a_page(life_s=None), "with a moment in the future"),
    ("7.2", a_page(life_s=1), "kept for 60 s"),
    ("7.2", a_page(life_s=365 * 86_400), "kept for 60 s"),
    ("7.2", a_page(life_s=math.inf), "kept for 60 s"),
    ("7.2", a_page(order=sorted), "in the order of the keys"),
    ("7.2", entries, "a value for each key"),
    ("7.2", found_ones, "a value for each key"),
    ("7.2", empty, "Nothing to check yet"),
    ("7.2", ..., "Nothing to check yet"),
    ("8.1", reader(everything), "Correct."),
    ("8.1", reader(decoded()), "One bad entry and every reader fails"),
    ("8.1", reader(decoded(json.JSONDecodeError)), "JSONDecodeError is one of many"),
    ("8.1", reader(decoded(ValueError)), "JSONDecodeError is one of many"),
    ("8.1", reader(decoded(ValueError, RecursionError, strings=(), whose=None)), "it is JSON, but no profile"),
    ("8.1", reader(decoded(ValueError, RecursionError, whose=None)), "another user's profile"),
    ("8.1", reader(decoded(*ALL, strings=("username",))), "it is JSON, but no profile"),
    ("8.1", reader(decoded(*ALL, whose=lambda found: int(found.get("id", 0)))), "it is JSON, but no profile"),
    ("8.1", reader(everything, empty_is_none=True), "count it, once"),
    ("8.1", reader(dies_without_an_id), "JSONDecodeError is one of many"),
    ("8.1", reader(lambda data, key: list(json.loads(data))), "not another shape"),
    ("8.1", reader(everything, counts_it=False), "count it, once"),
    ("8.1", reader(everything, heals=False), "write over it"),
    ("8.1", never_stores, "load, put it there as JSON"),
    ("8.1", reader(lambda data, key: None), "must be served from Redis"),
    ("8.1", ..., "Nothing to check yet"),
    ("8.2", (pack, unpack), "Correct."),
    ("8.2", (pack_without_length, unpack_without_length), "Where does the key end?"),
    ("8.2", (pack_without_checksum, unpack_without_checksum), "the checksum must cover all"),
    ("8.2", (pack_by_pickle, unpack_by_pickle), "a pickle is a program"),
    ("8.2", (pack_by_signed_pickle, unpack_by_signed_pickle), "a pickle is a program"),
    ("8.2", (lambda key, value: pickle.dumps((key, value)), unpack_by_bare_pickle), "a pickle is a program"),
    ("8.2", (pack_by_letters, unpack_by_letters), "count the bytes of its UTF-8"),
    ("8.2", (pack_by_ascii, unpack), "What was packed must come back"),
    ("8.2", (pack_by_nul, unpack_by_nul), "Where does the key end?"),
    ("8.2", (pack, unpack_that_raises), "and not an error"),
    ("8.2", (lambda key, value: value, lambda key, data: data), "put the key inside"),
    ("8.2", (lambda key, value: b"", lambda key, data: None), "What was packed must come back"),
    ("8.2", (lambda key, value: "text", lambda key, data: None), "pack makes bytes"),
    ("8.2", (lambda key, value: None, lambda key, data: None), "Nothing to check yet"),
    ("8.2", ..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each misconception is called by its name."""
    assert_verdict(name, answer, words, capsys)


@pytest.mark.parametrize("name", ["7.1", "7.2", "8.1", "8.2"])
def test_every_misconception_comes_with_its_evidence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong, the sentence is followed by what happened."""
    assert_evidence_follows(name, ANSWERS, capsys)
