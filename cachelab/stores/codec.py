"""What travels to a shared store: a value in an envelope that says whose it is, of which shape, and for how long.

Problem: the bytes that come back may be anything: cut off, another key's, written by another release, or made to run
    code in whoever unpickles them.
Idea: MessagePack, decoded to a declared type. Before the bytes a format marker and a checksum over all of them; in the
    bytes one array of the schema version, the key, the entry's times as durations, and the value, which is missing if
    the key is known to be absent. Size, marker and checksum are looked at first, and what does not fit is refused as
    `Undecodable`.
Guarantee: `decode` returns what `encode` was given of the declared type for this key and version, or raises
    `Undecodable`; it runs no code that the bytes name, and looks at no more than `max_bytes`. ABSENT is not None, and
    None is a value if the declared type takes it.
Not guaranteed: anything against somebody who may write to the store: the checksum finds accidents, not forgery. That a
    value is of the declared type when it is encoded: if it isn't, it is refused when it is read, or comes back as that
    type (a tuple as a list, a subclass as its base, a Decimal as a str).
Cost: about 50 bytes and the key for each entry, and a microsecond or two each way for a small value.
Source: msgspec, https://jcristharif.com/msgspec; MessagePack, https://msgpack.org.
"""

from __future__ import annotations

import zlib
from math import inf
from typing import Any, Generic, TypeVar

import msgspec

from cachelab.entry import ABSENT
from cachelab.events import CacheError

__all__ = ["Codec", "Envelope", "Undecodable"]

T = TypeVar("T")

MARKER = b"cl2"  # a new layout of the envelope gets a new number
HEAD = len(MARKER) + 4  # the marker and the checksum stand before the MessagePack


class Undecodable(CacheError):
    """Bytes from a store that are no entry of this key, type and version. A miss, which somebody should count."""


class Envelope(msgspec.Struct, Generic[T], array_like=True, forbid_unknown_fields=True, frozen=True):
    """An entry as it travels. It has durations in seconds, since moments mean nothing on another machine.

    `version`  of the value's shape
    `key`      whose it is
    `life_s`   how long it was to live when it was written
    `stale_s`  how long before its end it becomes stale
    `refresh_s`    how long before its end a reader may have to load it anew
    `load_time_s`   how long its load took
    `endless`  whether it has no end, though its store gives it one
    `value`    the value; where there is none, the key is known to be absent
    """

    version: int
    key: str
    life_s: float
    stale_s: float
    refresh_s: float
    load_time_s: float
    endless: bool
    value: T = ABSENT  # type: ignore[assignment]  # no bytes of a T say this


class Codec:
    """To bytes and back, for values of `value_type`: whatever msgspec knows, as `User` or `User | None`.

    `version`    of the shape of that type, an int: raise it when the shape or its meaning changes
    `max_bytes`  of a whole envelope; more is refused before it is looked at

    Raises TypeError for another version.
    """

    def __init__(self, value_type: Any, *, version: int, max_bytes: int = 1_000_000) -> None:
        if type(version) is not int:
            raise TypeError(f"version must be an int, not {version!r}.")
        self.version = version
        self.max_bytes = max_bytes
        self._pack = msgspec.msgpack.Encoder().encode
        self._unpack = msgspec.msgpack.Decoder(Envelope[value_type]).decode

    def encode(
        self,
        key: str,
        value: Any,
        *,
        life_s: float,
        stale_s: float = 0.0,
        refresh_s: float = 0.0,
        load_time_s: float = 0.0,
        endless: bool = False,
    ) -> bytes:
        """The envelope of a value or `ABSENT`; the rest is as in `Envelope`.

        Raises what msgspec raises for a value it cannot encode: TypeError, OverflowError and such.
        """
        if value is ABSENT:
            body = self._pack((self.version, key, life_s, stale_s, refresh_s, load_time_s, endless))
        else:
            body = self._pack((self.version, key, life_s, stale_s, refresh_s, load_time_s, endless, value))
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
            kept = self._unpack(body)
        except Exception as error:  # of msgspec, of a type's own checks, or RecursionError for what is nested too deep
            raise Undecodable(f"The bytes are no entry of this type in version {self.version}: {error}") from error
        self._check(kept, key)
        return kept

    def _check(self, kept: Envelope[Any], key: str) -> None:
        if kept.version != self.version:
            raise Undecodable(f"Version {kept.version} was found where {self.version} is read.")
        if kept.key != key:
            raise Undecodable("The entry belongs to another key.")
        if not (0 <= kept.life_s < inf and 0 <= kept.load_time_s < inf):  # this is false for NaN, too
            raise Undecodable("A duration is no number of seconds.")
        if not (0 <= kept.stale_s <= kept.refresh_s < inf):
            raise Undecodable("An entry cannot be stale before it is due.")
