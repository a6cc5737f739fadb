"""Exercise 8.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import io
import json
import marshal
import pickle
import struct
import unicodedata
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


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


def pack_by_digest(key: str, value: bytes) -> bytes:
    """A digest of the key in its place, and one over all."""
    body = sha256(key.encode()).digest() + value
    return sha256(body).digest() + body


def unpack_by_digest(key: str, data: bytes) -> bytes | None:
    body = data[32:]
    if sha256(body).digest() != data[:32] or body[:32] != sha256(key.encode()).digest():
        return None
    return body[32:]


def pack_by_struct(key: str, value: bytes) -> bytes:
    """Both lengths, and the checksum at the end."""
    name = key.encode()
    body = struct.pack(f"<HI{len(name)}s{len(value)}s", len(name), len(value), name, value)
    return body + struct.pack("<I", zlib.crc32(body))


def unpack_by_struct(key: str, data: bytes) -> bytes | None:
    try:
        names, values = struct.unpack_from("<HI", data)
        name, value, checksum = struct.unpack(f"<{names}s{values}sI", data[6:])
    except struct.error:
        return None
    return value if checksum == zlib.crc32(data[:-4]) and name == key.encode() else None


def pack_by_json(key: str, value: bytes) -> bytes:
    """JSON escapes what a key may hold; a line with the checksum follows."""
    body = json.dumps([key, b64encode(value).decode()]).encode()
    return body + b"\n%010d" % zlib.crc32(body)


def unpack_by_json(key: str, data: bytes) -> bytes | None:
    try:
        body, checksum = data.rsplit(b"\n", 1)
        if b"%010d" % zlib.crc32(body) != checksum:
            return None
        name, value = json.loads(body)
        return b64decode(value) if name == key else None
    except (ValueError, TypeError):
        return None


def pack_by_msgpack(key: str, value: bytes) -> bytes:
    """A typed pair, compressed, with a checksum."""
    body = zlib.compress(msgspec.msgpack.encode((key, value)))
    return crc(body) + body


def unpack_by_msgpack(key: str, data: bytes) -> bytes | None:
    if len(data) < 4 or crc(data[4:]) != data[:4]:
        return None
    try:
        name, value = msgspec.msgpack.decode(zlib.decompress(data[4:]), type=tuple[str, bytes])
    except (zlib.error, msgspec.MsgspecError):
        return None
    return value if name == key else None


def pack_value_first(key: str, value: bytes) -> bytes:
    """The length of the value says where the key begins."""
    body = b"%d:" % len(value) + value + key.encode()
    return body + crc(body)


def unpack_value_first(key: str, data: bytes) -> bytearray | None:
    body, checksum = data[:-4], data[-4:]
    digits, colon, rest = body.partition(b":")
    if crc(body) != checksum or not colon or not digits.isdigit():
        return None
    return bytearray(rest[: int(digits)]) if rest[int(digits) :] == key.encode() else None


def by_colon(colon: str) -> Any:
    """A separator between key and value."""

    def pack(key: str, value: bytes) -> bytes:
        body = (key + colon).encode() + value
        return crc(body) + body

    return pack


def by_colon_back(colon: str) -> Any:
    def unpack(key: str, data: bytes) -> bytes | None:
        head = (key + colon).encode()
        whole = len(data) >= 4 and crc(data[4:]) == data[:4] and data[4:].startswith(head)
        return data[4 + len(head) :] if whole else None

    return unpack


def pack_by_repr(key: str, value: bytes) -> bytes:
    body = repr((key, value)).encode()
    return crc(body) + body


def unpack_by_eval(key: str, data: bytes) -> bytes | None:
    if len(data) < 4 or crc(data[4:]) != data[:4]:
        return None
    try:
        found: tuple[str, bytes] = eval(data[4:])
    except Exception:
        return None
    return found[1] if found[0] == key else None


def pack_by_marshal(key: str, value: bytes) -> bytes:
    body = marshal.dumps((key, value))
    return crc(body) + body


def unpack_by_marshal(key: str, data: bytes) -> bytes | None:
    if len(data) < 4 or crc(data[4:]) != data[:4]:
        return None
    try:
        found = marshal.loads(data[4:])
        return found[1] if found[0] == key else None
    except Exception:
        return None


def unpack_by_unpickler(key: str, data: bytes) -> bytes | None:
    if sha256(data[32:]).digest() != data[:32]:
        return None
    found: tuple[str, bytes] = pickle.Unpickler(io.BytesIO(data[32:])).load()
    return found[1] if found[0] == key else None


def pack_by_hash(key: str, value: bytes) -> bytes:
    body = hash(key).to_bytes(8, "big", signed=True) + value
    return crc(body) + body


def unpack_by_hash(key: str, data: bytes) -> bytes | None:
    body = data[4:]
    whole = len(data) >= 12 and crc(body) == data[:4]
    return body[8:] if whole and body[:8] == hash(key).to_bytes(8, "big", signed=True) else None


def normalised(key: str) -> str:
    return unicodedata.normalize("NFC", key)


def checksum_only(key: str) -> str:
    return f"{zlib.crc32(key.encode()):08x}"


def by_name(name: Callable[[str], str]) -> Any:
    """Something else in the place of the key."""
    return lambda function: lambda key, data: function(name(key), data)


KEPT: dict[bytes, tuple[str, bytes]] = {}


def pack_into_a_dict(key: str, value: bytes) -> bytes:
    ticket = b"%06d" % len(KEPT)
    KEPT[ticket + crc(ticket)] = key, value
    return ticket + crc(ticket)


def unpack_from_a_dict(key: str, data: bytes) -> bytes | None:
    found = KEPT.get(data, ("", b""))
    return found[1] if found[0] == key else None


def unpack_that_misspells(key: str, data: bytes) -> bytes | None:
    body = data[4:]
    return unpack(key, data) if crc(body) == data[:4] else bdoy  # type: ignore[name-defined] # noqa: F821


def pack_that_misspells(key: str, value: bytes) -> bytes:
    return pack(key, value) + key.encoded()  # type: ignore[attr-defined,no-any-return]


ANSWERS: list[tuple[Any, str]] = [
    ((pack, unpack), "Correct."),
    ((pack_by_digest, unpack_by_digest), "Correct."),
    ((pack_by_struct, unpack_by_struct), "Correct."),
    ((pack_by_json, unpack_by_json), "Correct."),
    ((pack_by_msgpack, unpack_by_msgpack), "Correct."),
    ((pack_value_first, unpack_value_first), "Correct."),
    ((by_colon(":"), by_colon_back(":")), "Key and value can both hold ':'"),
    ((by_colon("<~>"), by_colon_back("<~>")), "Key and value can both hold '<~>'"),
    ((pack_by_repr, unpack_by_eval), "whatever is evaluated is a program"),
    ((pack_by_marshal, unpack_by_marshal), "marshal trusts its bytes"),
    ((pack_by_signed_pickle, unpack_by_unpickler), "a pickle is a program"),
    ((pack_by_hash, unpack_by_hash), "another number in each process"),
    ((by_name(str.lower)(pack), by_name(str.lower)(unpack)), "Two keys that look alike are two keys"),
    ((by_name(str.strip)(pack), by_name(str.strip)(unpack)), "Two keys that look alike are two keys"),
    ((by_name(normalised)(pack), by_name(normalised)(unpack)), "Two keys that look alike are two keys"),
    ((by_name(checksum_only)(pack), by_name(checksum_only)(unpack)), "Two keys that look alike are two keys"),
    ((pack_into_a_dict, unpack_from_a_dict), "The value is not inside"),
    ((pack, unpack_that_misspells), "Your code raised NameError: name 'bdoy' is not defined, at line"),
    (
        (pack_that_misspells, unpack),
        "Your code raised AttributeError: 'str' object has no attribute",
    ),
    ((pack_without_length, unpack_without_length), "Where does the key end?"),
    ((pack_without_checksum, unpack_without_checksum), "the checksum must cover all"),
    ((pack_by_pickle, unpack_by_pickle), "a pickle is a program"),
    ((pack_by_signed_pickle, unpack_by_signed_pickle), "a pickle is a program"),
    ((lambda key, value: pickle.dumps((key, value)), unpack_by_bare_pickle), "a pickle is a program"),
    ((pack_by_letters, unpack_by_letters), "count the bytes of its UTF-8"),
    ((pack_by_ascii, unpack), "What was packed must come back"),
    ((pack_by_nul, unpack_by_nul), "Where does the key end?"),
    ((pack, unpack_that_raises), "and not an error"),
    ((lambda key, value: value, lambda key, data: data), "put the key inside"),
    ((lambda key, value: b"", lambda key, data: None), "unpack returns None for whatever was packed"),
    ((pack, lambda key, data: None), "unpack returns None for whatever was packed"),
    ((pack, lambda key, data: data.decode("latin-1")), "unpack gives back bytes, or None"),
    ((lambda key, value: pack(key, value) if value else None, unpack), "pack returns None: is a return missing?"),
    ((lambda key, value: "text", lambda key, data: None), "pack has to return bytes"),
    ((lambda key, value: None, lambda key, data: None), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("8.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("8.2", ANSWERS, capsys)
