"""What travels to a shared store: a value in an envelope that says whose it is, of which shape, and for how long.

Problem: the bytes that come back may be anything: cut off, another key's, written by another release, or made to run
    code in whoever unpickles them.
Idea: MessagePack, decoded to a declared type. Around the value an envelope with a format marker, a checksum, the schema
    version, the key, whether the key is known to be absent, and the entry's times as durations. It is read in that
    order, the value last, and what does not fit is refused as `Undecodable`.
Guarantee: `decode` returns what `encode` was given for this key and version, or raises `Undecodable`; it runs no code
    that the bytes name, and looks at no more than `max_bytes`. ABSENT is not None, and None is a value.
Not guaranteed: anything against somebody who may write to the store: the checksum finds accidents, not forgery. That a
    value is of the declared type when it is encoded: if it isn't, it is refused when it is read.
Cost: about 50 bytes and the key for each entry, and a few microseconds each way for a small value.
Source: msgspec, https://jcristharif.com/msgspec; MessagePack, https://msgpack.org.
"""

from __future__ import annotations

import zlib
from math import inf
from typing import Any, NamedTuple

import msgspec

from cachelab.entry import ABSENT
from cachelab.events import CacheError

__all__ = ["Codec", "Kept", "Undecodable"]

MARKER = b"cl1"  # a new layout of the envelope gets a new number
HEAD = len(MARKER) + 4  # the marker and the checksum stand before the MessagePack


class Undecodable(CacheError):
    """Bytes from a store that are no entry of this key, type and version. A miss, which somebody should count."""


class Kept(NamedTuple):
    """What an envelope keeps of an entry. It has durations in seconds, since moments mean nothing on another machine.

    `value`    the value, or `ABSENT`
    `life_s`   how long it was to live when it was written
    `stale_s`  how long before its end it becomes stale
    `due_s`    how long before its end a reader may have to load it anew
    `load_s`   how long its load took
    `endless`  whether it has no end, though its store gives it one
    """

    value: Any
    life_s: float
    stale_s: float = 0.0
    due_s: float = 0.0
    load_s: float = 0.0
    endless: bool = False


class _Envelope(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    key: str
    absent: bool
    life_s: float
    stale_s: float
    due_s: float
    load_s: float
    endless: bool
    value: msgspec.Raw  # left alone until everything before it is found to be right


class Codec:
    """To bytes and back, for values of `value_type`: whatever msgspec knows, as `User` or `User | None`.

    `version`    of the shape of that type: raise it when the shape or its meaning changes
    `max_bytes`  of a whole envelope; more is refused before it is looked at
    """

    def __init__(self, value_type: Any, *, version: int, max_bytes: int = 1_000_000) -> None:
        self.version = version
        self.max_bytes = max_bytes
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_envelope = msgspec.msgpack.Decoder(_Envelope).decode
        self._decode_value = msgspec.msgpack.Decoder(value_type).decode

    def encode(self, key: str, kept: Kept) -> bytes:
        """The envelope. Raises what msgspec raises for a value it cannot encode: TypeError, OverflowError and such."""
        absent = kept.value is ABSENT
        value = msgspec.Raw(self._encode(None if absent else kept.value))
        body = self._encode(_Envelope(self.version, key, absent, *kept[1:], value=value))
        return MARKER + zlib.crc32(body).to_bytes(4, "big") + body

    def decode(self, key: str, data: bytes) -> Kept:
        """What was encoded for `key`. Raises `Undecodable` for anything else."""
        if len(data) > self.max_bytes:
            raise Undecodable(f"{len(data)} bytes are more than {self.max_bytes}.")
        body = memoryview(data)[HEAD:]
        if data[: len(MARKER)] != MARKER:
            raise Undecodable("This is no envelope of ours.")
        if data[len(MARKER) : HEAD] != zlib.crc32(body).to_bytes(4, "big"):
            raise Undecodable("The checksum differs: the bytes are damaged.")
        try:
            envelope = self._decode_envelope(body)
            self._check(envelope, key)
            value = ABSENT if envelope.absent else self._decode_value(envelope.value)
        except Undecodable:
            raise
        except Exception as error:  # of msgspec, of a type's own checks, or RecursionError for what is nested too deep
            raise Undecodable(f"The bytes are no entry of this type: {error}") from error
        return Kept(value, envelope.life_s, envelope.stale_s, envelope.due_s, envelope.load_s, envelope.endless)

    def _check(self, envelope: _Envelope, key: str) -> None:
        if envelope.version != self.version:
            raise Undecodable(f"Version {envelope.version} was found where {self.version} is read.")
        if envelope.key != key:
            raise Undecodable("The entry belongs to another key.")
        if not (0 <= envelope.life_s < inf and 0 <= envelope.load_s < inf):  # this is false for NaN, too
            raise Undecodable("A duration is no number of seconds.")
        if not (0 <= envelope.stale_s <= envelope.due_s):
            raise Undecodable("An entry cannot be stale before it is due.")
