"""A count-min sketch: how often was a key asked for lately, in a few bytes and for any number of keys.

Problem: to know who is popular, one has to count keys that are not in the cache too, and there is no end of those.
Idea: no counter belongs to one key. Each key counts in three places, chosen by its hash, that it shares with others.
    Collisions only add, so the smallest of the three is nearest the truth. Counters stop at 15, and all are halved
    every 10 × `capacity` counts: what is remembered is the recent past. (Of a key that is full nothing is counted.)
Guarantee: an estimate is never less than the true count (up to 15) since the last halving. The same keys give the same
    estimates in every process: PYTHONHASHSEED plays no part.
Not guaranteed: that it is not more. Keys that are equal but written differently (1, 1.0, True) are counted apart, and
    an object whose repr shows its address is another key in every process.
Cost: 16 to 32 bytes for each entry of capacity; four bits a counter would do, but a byte is the smallest thing that
    Python handles quickly. Three look-ups a count. Halving costs one pass over the bytes every 10 × `capacity` counts.
Source: Cormode, Muthukrishnan, Journal of Algorithms 55(1), 2005; halving: Einziger, Friedman, Manes, "TinyLFU", ACM
    Transactions on Storage 13(4), 2017; that a full key does not count: Caffeine, FrequencySketch.
"""

from __future__ import annotations

from typing import TypeAlias
from zlib import crc32

__all__ = ["Places", "Sketch"]

Places: TypeAlias = tuple[int, int, int]
"""Where a key counts. It depends on the key and the capacity alone, so who asks often may keep it."""

HALVED = bytes(count // 2 for count in range(256))


class Sketch:
    """Counts, roughly and up to 15, for a cache of `capacity` entries."""

    def __init__(self, capacity: int) -> None:
        self._mask = (1 << (16 * capacity - 1).bit_length()) - 1
        self._counts = bytearray(self._mask + 1)
        self._period = self._left = 10 * capacity

    def places(self, key: object) -> Places:
        """The three places of a key, from the CRC of what `repr` shows of it, by double hashing."""
        digest, mask = crc32(repr(key).encode()), self._mask
        step = digest >> 15
        return digest & mask, digest + step & mask, digest - step & mask

    def count(self, places: Places) -> None:
        """One more for the key with these places; after every 10 × `capacity` of these, all counters are halved."""
        a, b, c = places
        counts = self._counts
        if counts[a] < 15:
            counts[a] += 1
        elif counts[b] == counts[c] == 15:
            return  # a full key brings the halving no nearer: nothing was counted, so there is nothing to forget
        if counts[b] < 15:
            counts[b] += 1
        if counts[c] < 15:
            counts[c] += 1
        self._left -= 1
        if not self._left:
            self._counts = counts.translate(HALVED)
            self._left = self._period

    def estimate(self, places: Places) -> int:
        """How often the key with these places was counted lately, or more."""
        a, b, c = places
        counts = self._counts
        least = counts[a]
        if counts[b] < least:
            least = counts[b]
        if counts[c] < least:
            least = counts[c]
        return least
