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


SPLITS = [("an", b"ab"), ("ana", b"b"), ("anab", b""), ("a", b"b\0c"), ("a\0b", b"c")]
"""Keys and values that look the same without the length of the key: put together, or with a NUL between the two."""
DAMAGES = 3_000
TRAP_CALLS: list[str] = []


def _spring_trap() -> None:
    """What a pickle in `_check_runs_nothing` calls, if it is loaded."""
    TRAP_CALLS.append("called")


def _open(unpack: Any, key: str, data: bytes, what: str) -> Any:
    """What `unpack` returns; an error is a wrong answer. `what` says what the bytes are."""
    try:
        return unpack(key, data)
    except Exception as error:
        words = "Bytes that do not fit must be a miss (None), and not an error, however short they are."
        raise Wrong(words, f"{what}: {type(error).__name__}: {error}") from error


def _check_round_trip(unpack: Any, packed: dict[str, Any]) -> None:
    """What was packed comes back under its key."""
    for key, data in packed.items():
        shown = repr(key[:9])
        if not isinstance(data, bytes):
            raise Wrong("pack has to return bytes.", f"pack({shown}, …) → {data!r}")
        if _open(unpack, key, data, f"unpack({shown}, pack({shown}, …))") != VALUES[key]:
            words = "What was packed must come back, whatever the key: count the bytes of its UTF-8, not its letters."
            raise Wrong(words, f"unpack({shown}, pack({shown}, {VALUES[key][:15]!r})) does not give it back")


def _check_runs_nothing(unpack: Any, data: bytes) -> None:
    """`unpack` loads no pickle: neither one that somebody puts in its way, nor one of its own."""
    words = "The bytes chose what to run: a pickle is a program."
    trap = f"c{__name__}\n_spring_trap\n(tR.".encode()  # a pickle that calls _spring_trap()
    for pickled in (trap, zlib.crc32(trap).to_bytes(4, "big") + trap):
        _open(unpack, "ana", pickled, "a pickle")
        if TRAP_CALLS:
            TRAP_CALLS.clear()
            raise Wrong(words, "unpack('ana', a pickle) ran code from it")
    with patch("pickle.loads") as loads, suppress(Exception):  # a checksum in front of a pickle does not disarm it
        unpack("ana", data)
    if loads.called:
        raise Wrong(words, "unpack calls pickle.loads; a checksum before it keeps out accidents, but no attacker")


def _check_whose(pack: Any, unpack: Any) -> None:
    """What was packed for one key is a miss for every other."""
    for key in VALUES:
        for other in [name for name in VALUES if name != key]:
            what = f"what was packed for {other[:9]!r}"
            found = _open(unpack, key, pack(other, VALUES[other]), what)
            if found is not None:
                words = "A reply that belongs to another key must be a miss: put the key inside and compare it."
                raise Wrong(words, f"unpack({key[:9]!r}, {what}) → {found!r}")
    for packed_key, value in SPLITS:
        for key, _ in SPLITS:
            what = f"pack({packed_key!r}, {value!r})"
            found = _open(unpack, key, pack(packed_key, value), what)
            if key != packed_key and found is not None:
                words = "Where does the key end? Without its length, 'an' + 'ab' is 'ana' + 'b'."
                raise Wrong(words, f"unpack({key!r}, {what}) → {found!r}")


def _check_whole(unpack: Any, key: str, data: bytes) -> None:
    """Damaged bytes are a miss."""
    random = Random(7)
    for trial in range(1, DAMAGES + 1):
        damage, damaged = _damage(data, random)
        found = _open(unpack, key, damaged, damage)
        if found not in (None, VALUES[key]):
            words = "A wrong value came back: the checksum must cover all that can be damaged."
            raise Wrong(words, f"trial {trial}, {damage}: {found!r}")
        if found is not None and damaged != data:
            raise Wrong("Damaged bytes were taken for whole ones.", f"trial {trial}, {damage}")


def _damage(data: bytes, random: Random) -> tuple[str, bytes]:
    """One accident, in words, and the bytes after it: a flipped bit, a lost end, or bytes too many."""
    place = int(random.random() * len(data))
    kind = int(random.random() * 3)
    if kind == 0:
        bit = int(random.random() * 8)
        return f"bit {bit} of byte {place} flipped", data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
    if kind == 1:
        return f"cut after {place} bytes", data[:place]
    return f"{place + 1} bytes too many", data + data[: place + 1]


def _examine(codec: Any) -> str:
    """Pack and unpack values under their own keys, under others, with a pickle in the way, and damaged."""
    if codec is ... or not (isinstance(codec, tuple) and len(codec) == 2 and all(map(callable, codec))):
        raise NotYet("give the check both of your functions: lab.check(..., (pack, unpack)).")
    pack, unpack = codec
    if any(inspect.iscoroutinefunction(function) for function in codec):
        raise Wrong("pack and unpack are plain functions.", "one of them is async")
    packed = {key: pack(key, value) for key, value in VALUES.items()}
    if all(data is None for data in packed.values()):
        raise NotYet("write the bodies of pack(key, value) and unpack(key, data).")
    _check_round_trip(unpack, packed)
    _check_runs_nothing(unpack, packed["ana"])
    _check_whose(pack, unpack)
    _check_whole(unpack, "ana", packed["ana"])
    return f"Every value comes back, to its own key only; {DAMAGES:,} damaged envelopes, 0 wrong values and 0 errors."


EXERCISE = Exercise(
    _examine,
    [
        "What has to be inside, so that unpack can tell whose bytes these are, and that they are whole?",
        "body = the key's length, the key, the value; in front of it zlib.crc32(body) as four bytes.",
        'body = len(name).to_bytes(4, "big") + name + value; return zlib.crc32(body).to_bytes(4, "big") + body',
    ],
)
