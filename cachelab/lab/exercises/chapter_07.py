"""Chapter 7: a reader that dies of what it finds, and an envelope that says whose bytes these are."""

from __future__ import annotations

import inspect
import json
import zlib
from collections import Counter
from random import Random
from typing import Any

from cachelab.lab.checks import Exercise, NotYet, Wrong, evidence_table
from cachelab.lab.fake_redis import FakeRedis
from cachelab.lab.simulation import run

__all__ = ["EXERCISES"]

ANA = {"id": 7, "username": "ana", "email": "ana@example.com"}
BEN = {"id": 8, "username": "ben", "email": "ben@example.com"}
GOOD = json.dumps(ANA).encode()
PILLS: dict[str, bytes] = {
    "cut off": GOOD[:20],
    "no text at all": b"\xff\xfe\x00",
    "a list": b"[1, 2, 3]",
    "null": b"null",
    "a field is missing": b'{"id": 7, "username": "ana"}',
    "a number for a name": b'{"id": 7, "username": 5, "email": "ana@example.com"}',
    "nested too deep": b"[" * 100_000,
    "somebody else's": json.dumps(BEN).encode(),
    "no id": b'{"username": "ana", "email": "ana@example.com"}',
}


def _examine_pill(read: Any) -> str:
    if read is ...:
        raise NotYet("write the name of your function in place of the ...")
    plain = run(_one_read, read, None)
    if plain != (ANA, 1, 0, ANA):
        words = "With nothing in Redis: load, put it there as JSON, return it; and that is no undecodable entry."
        raise Wrong(words, _facts(*plain))
    good = run(_one_read, read, GOOD)
    if good[1:3] == (0, 0) and good[0] != ANA:
        raise Wrong("Return the dict as it was stored, and not another shape of it.", _facts(*good))
    if good[:3] != (ANA, 0, 0):
        raise Wrong("What is right must be served from Redis, without a load, and not be counted.", _facts(*good))
    rows: list[list[object]] = []
    for name, pill in PILLS.items():
        try:
            value, loads, counted, kept = run(_one_read, read, pill)
        except Exception as error:
            rows.append([name, f"{type(error).__name__}: every reader gets this, until the entry's end"])
            words = "One bad entry and every reader fails, though the database is fine: it must be a miss."
            if len(rows) > 1:
                words = "JSONDecodeError is one of many: bytes can fail to decode, and JSON can be of another shape."
            raise Wrong(words, evidence_table(["found in Redis", "then"], rows, len(rows) - 1)) from error
        rows.append([name, f"{_whose(value)}, loads: {loads}, counted: {counted}"])
        evidence = evidence_table(["found in Redis", "then"], rows, len(rows) - 1)
        if value == BEN:
            raise Wrong("That is another user's profile: look whose it is before you believe it.", evidence)
        if value != ANA:
            raise Wrong("It is JSON, but no profile: look at its shape and types before you believe it.", evidence)
        if counted != 1:
            raise Wrong('Nobody will know: count it, once, in counts["undecodable"].', evidence)
        if kept != ANA:
            raise Wrong("The pill is still in Redis, and the next reader finds it again: write over it.", evidence)
    return f"{len(PILLS)} kinds of poison, {len(PILLS)} counted misses, and each is healed by its first reader."


async def _one_read(read: Any, found: bytes | None) -> tuple[Any, int, int, Any]:
    client, counts, loads = FakeRedis().client(), Counter[str](), 0

    async def load(key: int) -> dict[str, object]:
        nonlocal loads
        loads += 1
        return dict(ANA)

    if found is not None:
        await client.set("user:7", found, ex=60)
    value = await read(client, load, 7, counts)
    kept = await client.get("user:7")
    try:
        after = None if kept is None else json.loads(kept)
    except (ValueError, RecursionError):
        after = "poison"
    if after == ANA and not 0 < await client.ttl("user:7") <= 60:
        after = "immortal"
    return value, loads, counts["undecodable"], after


def _facts(value: Any, loads: int, counted: int, kept: Any) -> str:
    return f"returned {value}, {loads} loads, undecodable {counted}, in Redis afterwards: {kept}"


def _whose(value: Any) -> str:
    return {json.dumps(ANA): "ana's profile", json.dumps(BEN): "ben's profile"}.get(json.dumps(value), f"{value!r}")


VALUES = {"ana": b"ana@example.com", "ben": b"", "k" * 300: bytes(range(256))}


def _examine_envelope(codec: Any) -> str:
    if codec is ... or not (isinstance(codec, tuple) and len(codec) == 2 and all(map(callable, codec))):
        raise NotYet("give the check both of your functions: lab.check(..., (pack, unpack)).")
    pack, unpack = codec
    if any(inspect.iscoroutinefunction(one) for one in codec):
        raise Wrong("pack and unpack are plain functions.", "one of them is async")
    packed = {key: pack(key, value) for key, value in VALUES.items()}
    if all(data is None for data in packed.values()):
        raise NotYet("write the bodies of pack(key, value) and unpack(key, data).")
    for key, data in packed.items():
        if not isinstance(data, bytes):
            raise Wrong("pack makes bytes.", f"pack({key[:9]!r}, …) → {data!r}")
        if unpack(key, data) != VALUES[key]:
            raise Wrong("What was packed must come back.", f"unpack({key[:9]!r}, pack({key[:9]!r}, …)) is not")
    foreign = [(key, other, VALUES[other]) for key in VALUES for other in VALUES if other != key]
    for key, other, value in foreign:
        found = _opened(unpack, key, pack(other, value), f"what was packed for {other[:9]!r}")
        if found is not None:
            words = "A reply that belongs to another key must be a miss: put the key inside and compare it."
            raise Wrong(words, f"unpack({key[:9]!r}, what was packed for {other[:9]!r}) → {found!r}")
    for first, second in (("an", b"ab"), ("ana", b"b"), ("anab", b""), ("a", b"b\0c"), ("a\0b", b"c")):
        for key in ("an", "ana", "anab", "a", "a\0b"):
            found = _opened(unpack, key, pack(first, second), f"pack({first!r}, {second!r})")
            if key != first and found is not None:
                words = "Where does the key end? Without its length, 'an' + 'ab' is 'ana' + 'b'."
                raise Wrong(words, f"unpack({key!r}, pack({first!r}, {second!r})) → {found!r}")
    draw = Random(7)
    for trial in range(3_000):
        key = "ana"
        what, data = _damaged(packed[key], draw)
        found = _opened(unpack, key, data, what)
        if found not in (None, VALUES[key]):
            words = "A wrong value came back: the checksum must cover all that can be damaged."
            raise Wrong(words, f"trial {trial + 1}, {what}: {found!r}")
        if found is not None and data != packed[key]:
            raise Wrong("Damaged bytes were taken for whole ones.", f"trial {trial + 1}, {what}")
    body = b"ccachelab.lab.exercises.chapter_07\n_spring\n(tR."  # a pickle that calls _spring()
    for data in (body, zlib.crc32(body).to_bytes(4, "big") + body):
        _opened(unpack, "ana", data, "a pickle")
        if SPRUNG:
            SPRUNG.clear()
            raise Wrong(
                "The bytes chose what to run: a pickle is a program.", "unpack('ana', a pickle) ran code from it"
            )
    return "Every value comes back, to its own key only; 3,000 damaged envelopes, 0 wrong values and 0 errors."


def _opened(unpack: Any, key: str, data: bytes, what: str) -> Any:
    try:
        return unpack(key, data)
    except Exception as error:
        words = "Bytes that do not fit must be a miss (None), and not an error, however short they are."
        raise Wrong(words, f"{what}: {type(error).__name__}: {error}") from error


SPRUNG: list[str] = []


def _spring() -> None:
    SPRUNG.append("loaded")


def _damaged(data: bytes, draw: Random) -> tuple[str, bytes]:
    """One accident: a flipped bit, a lost end, bytes too many."""
    place = int(draw.random() * len(data))
    kind = int(draw.random() * 3)
    if kind == 0:
        bit = int(draw.random() * 8)
        return f"bit {bit} of byte {place} flipped", data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
    if kind == 1:
        return f"cut after {place} bytes", data[:place]
    return f"{place + 1} bytes too many", data + data[: place + 1]


EXERCISES = {
    "7.pill": Exercise(
        _examine_pill,
        [
            "What can json.loads raise, and what can it return, when the bytes are not yours?",
            'Decode in a function of its own that returns a profile or None: a dict, whose "id" is key, of the types.',
            "try: ... except (ValueError, RecursionError). On None: count it, and go on as if nothing had been there.",
        ],
    ),
    "7.envelope": Exercise(
        _examine_envelope,
        [
            "What has to be inside, so that unpack can tell whose bytes these are, and that they are whole?",
            "body = the key's length, the key, the value; in front of it zlib.crc32(body) as four bytes.",
            'body = len(name).to_bytes(4, "big") + name + value; return zlib.crc32(body).to_bytes(4, "big") + body',
        ],
    ),
}
