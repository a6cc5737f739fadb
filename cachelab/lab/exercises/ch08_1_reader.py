"""Exercise 8.1: a reader that fails on the bytes that it finds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sandbox import raised_at
from cachelab.lab.sim.fake_redis import FakeRedis
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
    """What one read came to: the profile, the loads, the count of undecodable entries, and what Redis holds then."""

    value: Any
    loads: int
    counted: int
    stored: Any
    life_s: float
    """How long the entry in Redis will live; 0 if there is none, -1 if it never ends."""

    def __str__(self) -> str:
        counts = f"{self.loads} loads, undecodable {self.counted}"
        life = f", for {self.life_s:.1f} s" if self.life_s > 0 else ""
        return f"returned {self.value}, {counts}, in Redis afterwards: {self.stored}{life}"


class _DatabaseDown(Exception):
    """What the load raises while the database is down."""


async def _read_once(
    read: Any, found: bytes | None, *, found_life_s: int | None = 20, counted: int = 0, is_down: bool = False
) -> _Read:
    """Let the learner's function read ana's profile, with these bytes in Redis, or with none."""
    client, counts, loads = FakeRedis().client(), Counter(undecodable=counted), 0

    async def load(key: int) -> dict[str, object]:
        nonlocal loads
        loads += 1
        if is_down:
            raise _DatabaseDown("the database is down")
        return dict(ANA)

    if found is not None:
        await client.set("user:7", found, ex=found_life_s)
    value = None
    try:
        value = await awaited("read", read(client, load, 7, counts))
    except _DatabaseDown as error:
        value = error
    await asyncio.sleep(0.05)  # for a reader that stores in the background
    data, life_ms = await client.get("user:7"), await client.pttl("user:7")
    try:
        stored = None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        stored = "poison"
    return _Read(
        value, loads, counts["undecodable"] - counted, stored, max(life_ms, 0) / 1_000 if life_ms != -1 else -1
    )


def _check_life(found: _Read, evidence: str) -> None:
    """What was stored in this read lives for 60 s from now."""
    if found.life_s == -1:
        raise Wrong("The profile is stored without an end: it needs a TTL of 60 s.", evidence)
    if not 59.5 < found.life_s <= 60:
        words = f"A profile that was loaded lives for 60 s from then on; yours has {found.life_s:.0f} s left."
        raise Wrong(words, evidence)


def _check_good_entries(read: Any) -> None:
    """With nothing in Redis it loads and stores; with a right profile it loads nothing, and leaves it as it is."""
    empty = run_experiment(_read_once, read, None)
    if empty[:4] != (ANA, 1, 0, ANA):
        words = "With nothing in Redis: load, put it there as JSON, return it; and that is no undecodable entry."
        raise Wrong(words, str(empty))
    _check_life(empty, str(empty))
    good = run_experiment(_read_once, read, GOOD)
    if good[1:3] == (0, 0) and good.value != ANA:
        raise Wrong("Return the dict as it was stored, and not another shape of it.", str(good))
    if good[:4] != (ANA, 0, 0, ANA):
        raise Wrong("What is right must be served from Redis, without a load, and not be counted.", str(good))
    if not 19 < good.life_s <= 20:
        words = "A read must not make an entry live longer: whoever is read often enough would never be loaded again."
        raise Wrong(words, f"an entry with 20 s left was read; {good}")


def _check_origin_down(read: Any) -> None:
    """An error of the load reaches the reader as it was raised, and it is no undecodable entry."""
    for found, what in ((None, "nothing in Redis"), (GOOD[:20], "half a profile in Redis")):
        try:
            down = run_experiment(partial(_read_once, is_down=True), read, found)
        except Exception as error:
            if not isinstance(error.__cause__, _DatabaseDown) and not isinstance(error, ExceptionGroup):
                raise
            words = "If the load fails, its error reaches the reader as it was raised, and not inside another."
            raise Wrong(words, f"{what}, and the database is down: {error!r}{raised_at(error)}") from error
        evidence = f"{what}, and the database is down: {down}"
        if not isinstance(down.value, _DatabaseDown):
            raise Wrong("If the load fails, its error reaches the reader.", evidence)
        if down.loads > 1:
            raise Wrong(
                "A load that fails is tried again. Keep the load out of the try: only the bytes are untrusted.",
                evidence,
            )
        if down.counted != (found is not None):
            words = "The database is down, and that is counted as an undecodable entry: keep the load out of the try."
            if down.counted == 0:
                words = "Count an undecodable entry when it is found, whatever becomes of the load."
            raise Wrong(words, evidence)


def _check_pill(found: _Read, evidence: str) -> None:
    """A pill is a counted miss, and the reader writes over it."""
    if found.value == BEN:
        raise Wrong("That is another user's profile: look whose it is before you believe it.", evidence)
    if found.value != ANA:
        raise Wrong("It is JSON, but no profile: look at its shape and types before you believe it.", evidence)
    if found.counted != 1:
        raise Wrong('This stays unnoticed: count it, once more, in counts["undecodable"].', evidence)
    if found.loads != 1:
        raise Wrong("One load is enough for a miss.", evidence)
    if found.stored != ANA:
        raise Wrong("The pill is still in Redis, and the next reader finds it again: write over it.", evidence)
    _check_life(found, evidence)


def _check_pills(read: Any) -> None:
    """Each pill in turn; some have a TTL of their own, and others have none."""
    rows: list[list[object]] = []
    for number, (name, pill) in enumerate(PILLS.items()):
        life_s = None if number % 3 == 2 else 20
        try:
            found = run_experiment(partial(_read_once, found_life_s=life_s, counted=number), read, pill)
        except (NameError, Wrong):  # a mistake that has nothing to do with the bytes
            raise
        except Exception as error:
            rows.append([name, f"{type(error).__name__}: every reader gets this, until the entry expires"])
            words = "One bad entry and every reader fails, though the database is fine: it must be a miss."
            if len(rows) > 1:
                words = "JSONDecodeError is one of many: bytes can fail to decode, and JSON can be of another shape."
            where = raised_at(error).removeprefix(", at ")
            evidence = f"{evidence_table(HEADER, rows, len(rows) - 1)}\n{where}"
            raise Wrong(words, evidence) from error
        rows.append([name, f"{_whose(found.value)}, loads: {found.loads}, counted: {found.counted}"])
        _check_pill(found, f"{evidence_table(HEADER, rows, len(rows) - 1)}\n{found}")


def _examine(read: Any) -> str:
    """Let the learner's function find nothing, a right profile, each kind of pill, and a database that is down."""
    if read is ...:
        raise NotYet("write the name of your function in place of the ...")
    _check_good_entries(read)
    _check_pills(read)
    _check_origin_down(read)
    return f"{len(PILLS)} kinds of poison, {len(PILLS)} counted misses, and each is healed by its first reader."


def _whose(value: Any) -> str:
    named = {repr(ANA): "ana's profile", repr(BEN): "ben's profile"}
    return named.get(repr(value), f"{value!r:.60}")


EXERCISE = Exercise(
    _examine,
    [
        "What can json.loads raise, and what can it return, when the bytes are not yours?",
        'Decode in a function of its own that returns a profile or None: a dict, whose "id" is key, of the types.',
        "try: ... except (ValueError, RecursionError). On None: count it, and go on as if nothing had been there.",
    ],
)
