"""Exercise 8.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import pickle
import zlib
from hashlib import sha256
from typing import Any

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


ANSWERS: list[tuple[Any, str]] = [
    ((pack, unpack), "Correct."),
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
    ((lambda key, value: b"", lambda key, data: None), "What was packed must come back"),
    ((lambda key, value: "text", lambda key, data: None), "pack has to return bytes"),
    ((lambda key, value: None, lambda key, data: None), "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("8.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("8.2", ANSWERS, capsys)
