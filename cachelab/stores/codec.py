"""What is sent to a shared store: a value in an envelope that says whose it is, of which shape, and for how long.

Problem: the bytes that come back may be anything: cut off, those of another key, written by another release, or made to
    run code in the process that unpickles them.
Idea: MessagePack, decoded to a declared type. In front of it stand a format marker and a checksum over all of its
    bytes. The MessagePack is one array: the schema version, the key, the entry's times as durations, and the value,
    which is missing if the key is known to be absent. Size, marker and checksum are checked first. Bytes that fail any
    check are refused as `Undecodable`.
Guarantee: `decode` returns what `encode` was given, of the declared type, for this key and version, or it raises
    `Undecodable`. It runs no code that the bytes name, and decodes no more than `max_bytes`. No stored value is in the
    text or the traceback of an `Undecodable`. ABSENT is not None, and None is a value if the declared type allows it.
Not guaranteed: anything against a writer with bad intent: the checksum finds accidents, not forgery. That a value is of
    the declared type when it is encoded: if it is not, it is refused when it is read, or comes back as that type (a
    tuple as a list, a subclass as its base, a Decimal as a str).
Cost: about 50 bytes and the key for each entry, and a microsecond or two each way for a small value.
Source: msgspec, https://jcristharif.com/msgspec; MessagePack, https://msgpack.org.
"""

from __future__ import annotations

import zlib
from math import inf
from typing import Any, Generic, TypeVar

import msgspec

from cachelab.entry import ABSENT, checked_count
from cachelab.events import CacheError

__all__ = ["Codec", "Envelope", "Undecodable"]

T = TypeVar("T")

MARKER = b"cl2"  # a new layout of the envelope gets a new number
HEAD = len(MARKER) + 4  # bytes before the MessagePack: the marker and the checksum


class Undecodable(CacheError):
    """Bytes from a store that are no entry of this key, type and version. A store counts them as misses."""


class Envelope(msgspec.Struct, Generic[T], array_like=True, forbid_unknown_fields=True, frozen=True):
    """An entry as it is sent. Its times are durations in seconds, since moments mean nothing on another machine.

    `version`           of the value's shape
    `key`               whose entry it is
    `lifetime_s`        how long the entry was to live when it was written
    `stale_for_s`       for how long at the end of its lifetime it is stale
    `refresh_window_s`  for how long at the end of its lifetime a reader may have it loaded again
    `load_time_s`       how long its load took
    `never_expires`     whether the entry has no end, although its store gives it one
    `value`             the value; if there is none, the key is known to be absent
    """

    version: int
    key: str
    lifetime_s: float
    stale_for_s: float
    refresh_window_s: float
    load_time_s: float
    never_expires: bool
    value: T = ABSENT  # type: ignore[assignment]  # no bytes of a T decode to this


class Codec:
    """To bytes and back, for values of `value_type`: any type that msgspec knows, such as `User` or `User | None`.

    `version`    of the shape of that type, an int: raise it when the shape or its meaning changes
    `max_bytes`  of a whole envelope; a larger one is refused before it is decoded

    Raises TypeError for a version that is no int, and ValueError for a `max_bytes` that is no whole number above 0.
    """

    def __init__(self, value_type: Any, *, version: int, max_bytes: int = 1_000_000) -> None:
        if type(version) is not int:
            raise TypeError(f"version must be an int, not {version!r}.")
        self.version = version
        self.max_bytes = checked_count("max_bytes", max_bytes)
        self._pack = msgspec.msgpack.Encoder().encode
        self._unpack = msgspec.msgpack.Decoder(Envelope[value_type]).decode

    def encode(
        self,
        key: str,
        value: Any,
        *,
        lifetime_s: float,
        stale_for_s: float = 0.0,
        refresh_window_s: float = 0.0,
        load_time_s: float = 0.0,
        never_expires: bool = False,
    ) -> bytes:
        """The envelope of a value or of `ABSENT`; the other arguments are as in `Envelope`.

        Raises TypeError for a value that msgspec cannot encode.
        """
        fields = (self.version, key, lifetime_s, stale_for_s, refresh_window_s, load_time_s, never_expires)
        try:
            body = self._pack(fields if value is ABSENT else (*fields, value))
        except Exception as error:  # TypeError, OverflowError, RecursionError and others
            raise TypeError(f"A value of type {type(value).__name__} cannot be encoded: it is not kept.") from error
        return MARKER + zlib.crc32(body).to_bytes(4, "big") + body

    def decode(self, key: str, data: bytes) -> Envelope[Any]:
        """What was encoded for `key`. Raises `Undecodable` for anything else."""
        if len(data) > self.max_bytes:
            raise Undecodable(f"{len(data)} bytes are more than {self.max_bytes}.")
        if not data.startswith(MARKER):
            raise Undecodable("This is no envelope of ours.")
        body = data[HEAD:]
        if data[len(MARKER) : HEAD] != zlib.crc32(body).to_bytes(4, "big"):
            raise Undecodable("The checksum differs: the bytes are damaged.")
        try:
            envelope = self._unpack(body)
        except Exception as error:  # of msgspec or of the type's own checks; its text may quote the value
            what = type(error).__name__
            raise Undecodable(f"The bytes are no entry of this type in version {self.version}: {what}.") from None
        self._check(envelope, key)
        return envelope

    def _check(self, envelope: Envelope[Any], key: str) -> None:
        if envelope.version != self.version:
            raise Undecodable(f"Version {envelope.version} was found where {self.version} is read.")
        if envelope.key != key:
            raise Undecodable("The entry belongs to another key.")
        if not (0 <= envelope.lifetime_s < inf and 0 <= envelope.load_time_s < inf):  # this refuses NaN too
            raise Undecodable("A duration is no number of seconds.")
        if not (0 <= envelope.stale_for_s <= envelope.refresh_window_s < inf):
            raise Undecodable("An entry cannot be stale before its refresh window begins.")
