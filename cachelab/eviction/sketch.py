"""A sketch of counts: how often was a key asked for lately, in a few bytes and for any number of keys.

Problem: to know who is popular, one has to remember keys that are not in the cache too, and there is no end of those.
Idea: a count-min sketch. No counter belongs to one key. Each key has two places, chosen by its hash, that it shares
    with others; a count is noted in both unless there is more already. Sharing only adds, so the smaller of the two is
    nearer the truth. Whoever keeps the sketch has all counters halved now and then: what is remembered is the recent
    past.
Guarantee: an estimate is never less than any count noted for that key since, halved as often as there was halving. The
    same keys give the same estimates in every process: PYTHONHASHSEED plays no part.
Not guaranteed: that it is not more. Keys that are equal but written differently (1, 1.0, True) are counted apart, and
    an object whose repr shows its address is another key in every process.
Cost: 48 to 96 bytes for each entry of capacity; four bits a counter would do, but a byte is the smallest thing that
    Python handles quickly. Two look-ups, and halving is one pass over the bytes. With 10 keys for each entry, at most
    12 % of them share both places.
Source: Cormode, Muthukrishnan, Journal of Algorithms 55(1), 2005; to note no more than is missing: Estan, Varghese,
    SIGCOMM 2002; halving: Einziger, Friedman, Manes, "TinyLFU", ACM Transactions on Storage 13(4), 2017.
"""

from __future__ import annotations

from zlib import crc32

__all__ = ["Sketch", "digest"]

HALVED = bytes(count // 2 for count in range(256))


def digest(key: object) -> int:
    """All that a sketch wants to know of a key, 32 bits: the CRC of what `repr` shows of it."""
    return crc32(repr(key).encode())


class Sketch:
    """Counts up to 255, roughly, for a cache of `capacity` entries. Keys are given by their `digest`."""

    def __init__(self, capacity: int) -> None:
        bits = min((48 * capacity - 1).bit_length(), 32)
        self._counts = bytearray(1 << bits)
        self._mask = (1 << bits) - 1  # one place is the last bits of the digest,
        self._shift = 32 - bits  # the other its first

    def note(self, digest: int, count: int) -> None:
        """The key was counted `count` times, all that is known of it included."""
        counts = self._counts
        last = digest & self._mask
        if counts[last] < count:
            counts[last] = count
        first = digest >> self._shift
        if counts[first] < count:
            counts[first] = count

    def estimate(self, digest: int) -> int:
        """How often the key was counted lately, or more."""
        counts = self._counts
        last = counts[digest & self._mask]
        first = counts[digest >> self._shift]
        return last if last < first else first

    def halve(self) -> None:
        """Forget half of everything."""
        self._counts = self._counts.translate(HALVED)
