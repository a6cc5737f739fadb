"""Exercise 8.1: a reader that fails on the bytes that it finds."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

ANA = {"id": 7, "username": "ana", "email": "ana@example.com"}
BEN = {"id": 8, "username": "ben", "email": "ben@example.com"}
GOOD = json.dumps(ANA).encode()
PILLS: dict[str, bytes] = {  # bytes on which a reader may fail
    "cut off": GOOD[:20],
    "no text at all": b"\xff\xfe\x00",
    "a list": b"[1, 2, 3]",
    "null": b"null",
    "a field is missing": b'{"id": 7, "username": "ana"}',
    "a number for a name": b'{"id": 7, "username": 5, "email": "ana@example.com"}',
    "a number for an email": b'{"id": 7, "username": "ana", "email": 5}',
    "no bytes at all": b"",
    "nested too deep": b"[" * 100_000,
    "somebody else's": json.dumps(BEN).encode(),
    "the id as a text": b'{"id": "7", "username": "ana", "email": "ana@example.com"}',
    "no id": b'{"username": "ana", "email": "ana@example.com"}',
}


HEADER = ["found in Redis", "then"]


class _Read(NamedTuple):
    """What one read came to: the profile, the loads, the count of undecodable entries, what Redis holds afterwards."""

    value: Any
    loads: int
    counted: int
    stored: Any

    def __str__(self) -> str:
        counts = f"{self.loads} loads, undecodable {self.counted}"
        return f"returned {self.value}, {counts}, in Redis afterwards: {self.stored}"


async def _read_once(read: Any, found: bytes | None) -> _Read:
    """Let the learner's function read ana's profile, with these bytes in Redis, or with none."""
    client, counts, loads = FakeRedis().client(), Counter[str](), 0

    async def load(key: int) -> dict[str, object]:
        nonlocal loads
        loads += 1
        return dict(ANA)

    if found is not None:
        await client.set("user:7", found, ex=60)
    value = await read(client, load, 7, counts)
    data = await client.get("user:7")
    try:
        stored = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        stored = "poison"
    if stored == ANA and not 0 < await client.ttl("user:7") <= 60:
        stored = "a profile that never expires"
    return _Read(value, loads, counts["undecodable"], stored)


def _check_good_entries(read: Any) -> None:
    """With nothing in Redis it loads and stores; with a right profile it loads nothing."""
    empty = run(_read_once, read, None)
    if empty != (ANA, 1, 0, ANA):
        words = "With nothing in Redis: load, put it there as JSON, return it; and that is no undecodable entry."
        raise Wrong(words, str(empty))
    good = run(_read_once, read, GOOD)
    if good[1:3] == (0, 0) and good.value != ANA:
        raise Wrong("Return the dict as it was stored, and not another shape of it.", str(good))
    if good[:3] != (ANA, 0, 0):
        raise Wrong("What is right must be served from Redis, without a load, and not be counted.", str(good))


def _check_pill(found: _Read, evidence: str) -> None:
    """A pill is a counted miss, and the reader writes over it."""
    if found.value == BEN:
        raise Wrong("That is another user's profile: look whose it is before you believe it.", evidence)
    if found.value != ANA:
        raise Wrong("It is JSON, but no profile: look at its shape and types before you believe it.", evidence)
    if found.counted != 1:
        raise Wrong('This stays unnoticed: count it, once, in counts["undecodable"].', evidence)
    if found.stored != ANA:
        raise Wrong("The pill is still in Redis, and the next reader finds it again: write over it.", evidence)


def _examine(read: Any) -> str:
    """Let the learner's function find nothing, a right profile, and each kind of pill."""
    if read is ...:
        raise NotYet("write the name of your function in place of the ...")
    _check_good_entries(read)
    rows: list[list[object]] = []
    for name, pill in PILLS.items():
        try:
            found = run(_read_once, read, pill)
        except Exception as error:
            rows.append([name, f"{type(error).__name__}: every reader gets this, until the entry's end"])
            words = "One bad entry and every reader fails, though the database is fine: it must be a miss."
            if len(rows) > 1:
                words = "JSONDecodeError is one of many: bytes can fail to decode, and JSON can be of another shape."
            raise Wrong(words, evidence_table(HEADER, rows, len(rows) - 1)) from error
        rows.append([name, f"{_whose(found.value)}, loads: {found.loads}, counted: {found.counted}"])
        _check_pill(found, evidence_table(HEADER, rows, len(rows) - 1))
    return f"{len(PILLS)} kinds of poison, {len(PILLS)} counted misses, and each is healed by its first reader."


def _whose(value: Any) -> str:
    return {json.dumps(ANA): "ana's profile", json.dumps(BEN): "ben's profile"}.get(json.dumps(value), f"{value!r}")


EXERCISE = Exercise(
    _examine,
    [
        "What can json.loads raise, and what can it return, when the bytes are not yours?",
        'Decode in a function of its own that returns a profile or None: a dict, whose "id" is key, of the types.',
        "try: ... except (ValueError, RecursionError). On None: count it, and go on as if nothing had been there.",
    ],
)
