"""Exercise 8.2: whose bytes are these, are they whole, and do they run anything?"""

from __future__ import annotations

import inspect
import zlib
from contextlib import suppress
from random import Random
from typing import Any
from unittest.mock import patch

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong

__all__ = ["EXERCISE"]

VALUES = {"ana": b"ana@example.com", "ben": b"", "zoë": b"zo\xc3\xab", "a\0b": b"c", "k" * 300: bytes(range(256))}


def examine(codec: Any) -> str:
    """Raises `Wrong` with the bytes that were taken for what they are not; returns what was right."""
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
        if _opened(unpack, key, data, f"unpack({key[:9]!r}, pack({key[:9]!r}, …))") != VALUES[key]:
            words = "What was packed must come back, whatever the key: count the bytes of its UTF-8, not its letters."
            raise Wrong(words, f"unpack({key[:9]!r}, pack({key[:9]!r}, {VALUES[key][:15]!r})) does not give it back")
    _runs_nothing(unpack, packed["ana"])
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
    return "Every value comes back, to its own key only; 3,000 damaged envelopes, 0 wrong values and 0 errors."


def _runs_nothing(unpack: Any, data: bytes) -> None:
    """Neither of a pickle that is put in its way, nor of its own."""
    words = "The bytes chose what to run: a pickle is a program."
    trap = f"c{__name__}\n_spring\n(tR.".encode()  # a pickle that calls _spring()
    for pickled in (trap, zlib.crc32(trap).to_bytes(4, "big") + trap):
        _opened(unpack, "ana", pickled, "a pickle")
        if SPRUNG:
            SPRUNG.clear()
            raise Wrong(words, "unpack('ana', a pickle) ran code from it")
    with patch("pickle.loads") as loads, suppress(Exception):  # behind a checksum, too, it runs what it says
        unpack("ana", data)
    if loads.called:
        raise Wrong(words, "unpack calls pickle.loads; a checksum before it keeps out accidents, and nobody else")


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


EXERCISE = Exercise(
    examine,
    [
        "What has to be inside, so that unpack can tell whose bytes these are, and that they are whole?",
        "body = the key's length, the key, the value; in front of it zlib.crc32(body) as four bytes.",
        'body = len(name).to_bytes(4, "big") + name + value; return zlib.crc32(body).to_bytes(4, "big") + body',
    ],
)
