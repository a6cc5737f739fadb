"""A sketch of counts: about how often each key was requested lately, in a few bytes, for any number of keys.

Problem: to know which keys are popular, a policy must remember keys that are not in the cache, and there is no limit to
    their number.
Idea: a count-min sketch. No counter belongs to one key. Each key has two places, chosen by its hash, which it shares
    with other keys. A count is noted in both places, unless there is more already. Sharing only adds, so the smaller of
    the two is nearer the truth. The policy halves all counters now and then, so the sketch remembers the recent past.
Guarantee: an estimate is never less than any count noted for that key, halved as often as all were halved since. With
    `digest`, the same keys give the same estimates in every process: PYTHONHASHSEED plays no part. With a
    `secret_digest`, nobody outside the process can tell which keys share their places.
Not guaranteed: that an estimate is not too high. With `digest`, somebody who chooses keys can choose them so that they
    share both places with a popular one. Keys that are equal but written differently (1, 1.0, True) are counted apart,
    and an object whose repr shows its address is another key in every process.
Cost: 48 to 96 bytes for each entry of capacity. Four bits for each counter would do, but a byte is the smallest thing
    that Python handles quickly. Two look-ups for an estimate; halving is one pass over the bytes. With 10 keys for each
    entry, about 12 % of them at most share both places. With `digest` it can be twice as many: a checksum of similar
    texts is less random than a hash.
Source: Cormode, Muthukrishnan, Journal of Algorithms 55(1), 2005; noting no more than is missing: Estan, Varghese,
    SIGCOMM 2002; halving: Einziger, Friedman, Manes, "TinyLFU", ACM Transactions on Storage 13(4), 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from zlib import crc32

__all__ = ["Sketch", "digest", "secret_digest"]

HALVED = bytes(count // 2 for count in range(256))


def digest(key: object) -> int:
    """All that a sketch needs of a key, in 32 bits: the CRC of its `repr`."""
    return crc32(repr(key).encode())


def secret_digest() -> Callable[[object], int]:
    """A function like `digest`, whose values nobody can foresee: it hashes a random text together with the `repr`."""
    secret = token_hex(16)  # for a process in which PYTHONHASHSEED is set; otherwise `hash` has a secret of its own
    return lambda key: hash(secret + repr(key)) & 0xFFFFFFFF


class Sketch:
    """Counts up to 255, roughly, for a cache of `capacity` entries. Keys are given by their `digest`."""

    def __init__(self, capacity: int) -> None:
        bits = min((48 * capacity - 1).bit_length(), 32)
        self._counts = bytearray(1 << bits)
        self._mask = (1 << bits) - 1  # the last bits of the digest are one place,
        self._shift = 32 - bits  # its first bits are the other

    def note(self, digest: int, count: int) -> None:
        """Raise the key's two counters to `count` where they are lower. `count` includes what the sketch knew of it."""
        counts = self._counts
        last = digest & self._mask
        if counts[last] < count:
            counts[last] = count
        first = digest >> self._shift
        if counts[first] < count:
            counts[first] = count

    def estimate(self, digest: int) -> int:
        """How often the key was counted lately; perhaps too high."""
        counts = self._counts
        last = counts[digest & self._mask]
        first = counts[digest >> self._shift]
        return last if last < first else first

    def halve(self) -> None:
        """Halve every count, rounded down."""
        self._counts = self._counts.translate(HALVED)
