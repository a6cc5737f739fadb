"""Exercise 8.2: whose bytes are these, are they whole, and do they run anything?"""

from __future__ import annotations

import inspect
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sandbox import is_learner_code, raised_at

__all__ = ["EXERCISE"]

VALUES = {"ana": b"ana@example.com", "ben": b"", "zoë": b"zo\xc3\xab", "a\0b": b"c", "k" * 300: bytes(range(256))}
LOOK_ALIKES = [
    ("ana", "Ana"),
    ("ana", " ana"),
    ("zo\xeb", "zoe\u0308"),
    ("plumless", "buckeroo"),
    ("7", "07"),
]
"""Keys that are the same in lower case, without space, after normalisation, by their CRC32, and as a number."""
SPLITS = [("an", b"ab"), ("ana", b"b"), ("anab", b""), ("a", b"b\0c"), ("a\0b", b"c")]
"""Keys and values that look the same without the length of the key: put together, or with a NUL between the two."""
SEPARATORS = [":", "::", "|", ",", ";", "/", "\n", "\r\n", "\t", " ", "=", "\x1f", "\x1e", "\x01"]
DAMAGES, GARBAGE = 3_000, 300
INCOMPRESSIBLE = Random("envelope").randbytes(4_000)
CALLS = {
    ("_pickle", "loads"): "pickle.loads",
    ("_pickle", "load"): "pickle.load",
    ("marshal", "loads"): "marshal.loads",
    ("marshal", "load"): "marshal.load",
    ("builtins", "eval"): "eval",
    ("builtins", "exec"): "exec",
    ("builtins", "hash"): "hash",
}
"""Functions that run their input, or trust it: bytes from a store must not get there. And `hash`."""
TRAP_CALLS: list[str] = []


def _spring_trap() -> None:
    """What a pickle in `_check_runs_nothing` calls, if it is loaded."""
    TRAP_CALLS.append("called")


def _open(unpack: Any, key: str, data: bytes, what: str) -> Any:
    """What `unpack` returns; an error is a wrong answer. `what` says what the bytes are."""
    try:
        found = unpack(key, data)
    except NameError:  # a mistake that has nothing to do with the bytes
        raise
    except Exception as error:
        words = "Bytes that do not fit must be a miss (None), and not an error, however short they are."
        raise Wrong(words, f"{what}: {type(error).__name__}: {error}{raised_at(error)}") from error
    if found is not None and not isinstance(found, bytes | bytearray | memoryview):
        raise Wrong("unpack gives back bytes, or None.", f"{what}: {found!r:.60}")
    return found


@contextmanager
def _calls_heard(heard: list[str]) -> Iterator[None]:
    """Within this block, note the learner's own calls of the functions in `CALLS`."""

    def hear(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and is_learner_code(frame.f_code.co_filename):
            if (name := CALLS.get((getattr(called, "__module__", ""), called.__name__))) is not None:
                heard.append(name)
            elif type(getattr(called, "__self__", None)).__name__ == "Unpickler":
                heard.append("pickle.Unpickler")

    before = sys.getprofile()
    sys.setprofile(hear)
    try:
        yield
    finally:
        sys.setprofile(before)


def _pack_all(pack: Any) -> dict[str, bytes]:
    """Each of the values in its envelope."""
    packed = {key: pack(key, value) for key, value in VALUES.items()}
    if all(data is None for data in packed.values()):
        raise NotYet("write the bodies of pack(key, value) and unpack(key, data).")
    for key, data in packed.items():
        if not isinstance(data, bytes):
            words = "pack returns None: is a return missing?" if data is None else "pack has to return bytes."
            raise Wrong(words, f"pack({key[:9]!r}, …) → {data!r:.60}")
    return packed


def _check_round_trip(unpack: Any, packed: dict[str, bytes]) -> None:
    """What was packed comes back under its key."""
    found = {
        key: _open(unpack, key, data, f"unpack({key[:9]!r}, pack({key[:9]!r}, …))") for key, data in packed.items()
    }
    if all(value is None for value in found.values()):
        words = "unpack returns None for whatever was packed. Is a return missing? Or do pack and unpack not agree?"
        raise Wrong(words, "unpack('ana', pack('ana', …)) → None")
    for key, value in found.items():
        if value != VALUES[key]:
            words = "What was packed must come back, whatever the key: count the bytes of its UTF-8, not its letters."
            raise Wrong(words, f"unpack({key[:9]!r}, pack({key[:9]!r}, {VALUES[key][:15]!r})) → {value!r:.40}")


def _check_runs_nothing(pack: Any, unpack: Any, data: bytes) -> None:
    """`unpack` loads no pickle: neither one that somebody puts in its way, nor one of its own; nor does it evaluate."""
    words = "The bytes chose what to run: a pickle is a program."
    trap = f"c{__name__}\n_spring_trap\n(tR.".encode()  # a pickle that calls _spring_trap()
    for pickled in (trap, zlib.crc32(trap).to_bytes(4, "big") + trap):
        _open(unpack, "ana", pickled, "a pickle")
        if TRAP_CALLS:
            TRAP_CALLS.clear()
            raise Wrong(words, "unpack('ana', a pickle) ran code from it")
    heard: list[str] = []
    with _calls_heard(heard):
        unpack("ana", data)
    if running := [name for name in heard if name != "hash"]:
        if running[0] in ("eval", "exec"):
            words = "The bytes chose what to run: whatever is evaluated is a program."
        if running[0].startswith("marshal"):
            words = "marshal trusts its bytes: wrong ones may crash Python, and code is among what it can hold."
        raise Wrong(words, f"unpack calls {running[0]}; a checksum before it keeps out accidents, but no attacker")
    with _calls_heard(heard):
        pack("ana", b"")
    if heard:
        words = (
            "hash(key) is another number in each process: no pod could read what another has packed. Put in the key."
        )
        raise Wrong(words, f"your code calls {heard[0]}")


def _check_holds_the_value(pack: Any, unpack: Any) -> None:
    """The bytes are all that is needed: another process has nothing else."""
    data = pack("noise", INCOMPRESSIBLE)
    if len(data) < len(INCOMPRESSIBLE):
        words = "The value is not inside. Another process has these bytes, and nothing else."
        raise Wrong(words, f"pack('noise', 4,000 random bytes) → {len(data)} bytes")
    if _open(unpack, "noise", data, "4,000 random bytes in their envelope") != INCOMPRESSIBLE:
        raise Wrong("A long value does not come back.", "unpack('noise', pack('noise', 4,000 random bytes))")


def _check_miss(unpack: Any, key: str, data: bytes, what: str, words: str) -> None:
    found = _open(unpack, key, data, what)
    if found is not None:
        raise Wrong(words, f"unpack({key[:30]!r}, {what}) → {found!r:.60}")


def _check_whose(pack: Any, unpack: Any) -> None:
    """What was packed for one key is a miss for every other."""
    words = "A reply that belongs to another key must be a miss: put the key inside and compare it."
    for key in VALUES:
        for other in [name for name in VALUES if name != key]:
            _check_miss(unpack, key, pack(other, VALUES[other]), f"what was packed for {other[:9]!r}", words)
    alike = "Two keys that look alike are two keys: put the key inside as it is, and compare all of it."
    for pair in LOOK_ALIKES:
        for key, other in (pair, pair[::-1]):
            _check_miss(unpack, key, pack(other, b"value"), f"what was packed for {other!r}", alike)
    ends = "Where does the key end? Without its length, 'an' + 'ab' is 'ana' + 'b'."
    _check_splits(pack, unpack, SPLITS, ends)
    between = _between_key_and_value(pack)
    for separator in [*([between] if between else []), *SEPARATORS]:
        splits = [(f"a{separator}b", b"c"), ("a", f"b{separator}c".encode()), ("c", f"a{separator}b".encode())]
        words = f"Where does the key end? Key and value can both hold {separator!r}: put in the length of the key."
        _check_splits(pack, unpack, [*splits, (f"b{separator}c", b"a")], words)


def _check_splits(pack: Any, unpack: Any, splits: list[tuple[str, bytes]], words: str) -> None:
    for packed_key, value in splits:
        what, data = f"pack({packed_key!r}, {value!r})", pack(packed_key, value)
        for key, _ in splits:
            if key != packed_key:
                _check_miss(unpack, key, data, what, words)
        if _open(unpack, packed_key, data, what) != value:
            raise Wrong(words, f"unpack({packed_key!r}, {what}) does not give the value back")


def _between_key_and_value(pack: Any) -> str:
    """What stands between key and value in an envelope, as text; "" if they cannot be found."""
    key, value = b"kkkkkkk", b"vvvvvvv"
    data = bytes(pack(key.decode(), value))
    at_key, at_value = data.find(key), data.find(value)
    if -1 in (at_key, at_value):
        return ""
    first, second = sorted((at_key, at_value))
    return data[first + len(key) : second].decode(errors="ignore")


def _check_whole(unpack: Any, key: str, data: bytes) -> None:
    """Damaged bytes are a miss, and so are bytes that no `pack` has made."""
    random = Random(7)
    for damage, damaged in _accidents(data, random):
        found = _open(unpack, key, damaged, damage)
        if found not in (None, VALUES[key]):
            words = "A wrong value came back: the checksum must cover all that can be damaged."
            raise Wrong(words, f"{damage}: {found!r}")
        if found is not None and damaged != data:
            raise Wrong("Damaged bytes were taken for whole ones.", f"{damage}")
    for length in range(GARBAGE):
        garbage = random.randbytes(length % 64)
        _check_miss(unpack, key, garbage, f"{garbage!r}", "Bytes that are no envelope at all were taken for one.")


def _accidents(data: bytes, random: Random) -> Iterator[tuple[str, bytes]]:
    """Accidents that happen to an envelope, in words, and the bytes after each: first every lost end, then others."""
    for length in range(len(data)):
        yield f"cut after {length} bytes", data[:length]
    for trial in range(1, DAMAGES + 1):
        damage, damaged = _damage(data, random)
        yield f"trial {trial}, {damage}", damaged


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
    packed = _pack_all(pack)
    _check_round_trip(unpack, packed)
    _check_runs_nothing(pack, unpack, packed["ana"])
    _check_holds_the_value(pack, unpack)
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
