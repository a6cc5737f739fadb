"""A Bloom filter: a small set of keys that is sometimes wrong when it says yes, and never when it says no.

Problem: a key that does not exist is a miss and a query, each time. A set of all keys that exist would know better, but
    takes as much memory as the keys.
Idea: an array of bits. Each key sets k of them, which its hash chooses. A key of which one bit is not set was never
    added.
Guarantee: a key that was added is in the filter, also while the filter is built anew, and after a `rebuild` that failed
    or was cancelled. After a `rebuild`, every key is in the filter that its snapshot had or that was added since it
    began. Equal keys are one key, as they are for a store in Redis: 42 and "42" are two. Every process sets the same
    bits for a key.
Not guaranteed: that a key which is in the filter was added: of the others a share of `false_positives` is in it as long
    as no more than `expected` were added, and with twice as many it is sixteen times that, for one in a hundred. In a
    filter for ten keys or fewer it is more. A key cannot be removed; a rebuild leaves out those that are gone.
    What was added in another process is not known here. Threads need a lock around each call.
Cost: 1.44·log2(1/p) bits for each key, which is 9.6 for p = 1 in 100, and a hash of the key for each question. A
    rebuild takes the memory of two filters.
Source: Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970. One hash for all places:
    Dillinger and Manolios, "Bloom filters in probabilistic verification", FMCAD 2004 ("enhanced double hashing").
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import aclosing
from hashlib import blake2b

from cachelab.entry import checked_count, checked_function, checked_number
from cachelab.stores.redis_key import escaped

__all__ = ["Bloom"]

KEYS_A_TURN = 1_000  # of a rebuild, between two turns of the event loop: two or three milliseconds


class Bloom:
    """A set of keys that may hold one that was not added, and never lacks one that was: `add(key)`, `key in bloom`.

    m = −n·ln p / (ln 2)² bits and k = m/n · ln 2 hashes, for n = `expected` keys and p = `false_positives`

    `expected`         how many different keys will be added
    `false_positives`  which share of the other keys may be found then, above 0 and below 1
    `bits`, `hashes`   m and k of the formula, as whole numbers
    `bytes`            the memory that the bits take

    A key is what a `RedisStore` takes: an int, a str, bytes, a UUID, None, or a tuple of these. Anything else is a
    TypeError. Raises ValueError for other numbers, and TypeError for a share that is no number.
    """

    def __init__(self, expected: int, false_positives: float = 0.01) -> None:
        self.expected = checked_count("expected", expected)
        self.false_positives = checked_number("false_positives", false_positives)
        if not 0 < self.false_positives < 1:
            raise ValueError(f"false_positives must be a share above 0 and below 1, not {false_positives!r}.")
        self.bits = math.ceil(-self.expected * math.log(self.false_positives) / math.log(2) ** 2)
        self.hashes = max(1, round(self.bits / self.expected * math.log(2)))
        self._array = bytearray(math.ceil(self.bits / 8))
        self._next: Bloom | None = None  # the filter that a rebuild fills

    @property
    def bytes(self) -> int:
        """How many bytes the bits take."""
        return len(self._array)

    @property
    def false_positive_rate(self) -> float:
        """Which share of the keys that were not added is found now. It counts all bits.

        Above `false_positives` there are more keys than were planned: it is time for a `rebuild`.
        """
        return (int.from_bytes(self._array, "big").bit_count() / self.bits) ** self.hashes

    def add(self, key: Hashable) -> None:
        """From now on the key is in the filter. Raises TypeError for what is no key."""
        array, bits, (place, step) = self._array, self.bits, self._places(key)
        for number in range(1, self.hashes + 1):
            array[place >> 3] |= 1 << (place & 7)
            place, step = (place + step) % bits, step + number
        if self._next is not None:
            self._next.add(key)

    def __contains__(self, key: Hashable) -> bool:
        array, bits, (place, step) = self._array, self.bits, self._places(key)
        for number in range(1, self.hashes + 1):
            if not array[place >> 3] >> (place & 7) & 1:
                return False
            place, step = (place + step) % bits, step + number
        return True

    def _places(self, key: Hashable) -> tuple[int, int]:
        """The first place of a key, and the step to its second: two halves of one hash.

        The step grows by 1, 2, 3 … after each place. If it stayed the same, two keys with the same step would share
        most of their places, and in a small filter that happens often.
        """
        digest = blake2b(escaped(key).encode(), digest_size=16).digest()
        return int.from_bytes(digest[:8], "big") % self.bits, int.from_bytes(digest[8:], "big") % self.bits

    async def rebuild(
        self,
        snapshot: Callable[[], AsyncGenerator[Hashable, None]],
        *,
        settle_s: float,
        expected: int | None = None,
    ) -> None:
        """Build the filter anew: for more keys, or without those that are gone. It answers and takes adds meanwhile.

        `snapshot`  an async generator function of every key that exists. It is called once, `settle_s` after the start.
        `settle_s`  seconds within which a key that was added is also committed, or never will be. The snapshot is read
                    after that long: otherwise it may lack a key that was added before the rebuild began.
        `expected`  how many keys are planned for now; by default as many as before

        Raises what `snapshot` raises; then, and if it is cancelled, the filter stays as it was. RuntimeError if a
        rebuild is under way. ValueError or TypeError for arguments of other kinds.
        """
        checked_function("snapshot", snapshot, "an async generator function")
        if not 0 <= checked_number("settle_s", settle_s) < math.inf:
            raise ValueError(f"settle_s must be 0 or more seconds, not {settle_s!r}.")
        new = Bloom(self.expected if expected is None else expected, self.false_positives)
        if self._next is not None:
            raise RuntimeError("The filter is being rebuilt already.")
        self._next = new  # from here on it takes what is added
        try:
            await asyncio.sleep(settle_s)
            await _fill(new, snapshot())
            self.expected, self.bits, self.hashes, self._array = new.expected, new.bits, new.hashes, new._array
        finally:
            self._next = None


async def _fill(new: Bloom, keys: AsyncGenerator[Hashable, None]) -> None:
    if not isinstance(keys, AsyncGenerator):
        if isinstance(keys, Coroutine):  # of an async function without `yield`
            keys.close()
        raise TypeError(f"snapshot must be an async generator function, but it returned {type(keys).__name__}.")
    count = 0
    async with aclosing(keys):
        async for key in keys:
            new.add(key)
            count += 1
            if count % KEYS_A_TURN == 0:
                await asyncio.sleep(0)
