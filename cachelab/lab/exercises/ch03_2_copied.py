"""Exercise 3.2: mend the TTL cache that is copied everywhere."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterable
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.ttl_cache_examiner import (
    LOAD_S,
    TTL_S,
    Played,
    Step,
    examine_ttl_cache,
    origin_answer,
    refuse_awaitable,
)

__all__ = ["EXERCISE"]

ROOMY, SIZES = 1_000, (3, 1, 10)
MANY = 200


class _Text(str):
    """A key or a value of which one can tell whether it is still held anywhere."""


class _Roomless:
    """A cache of the learner's with little room, on a clock of its own, and what it has loaded."""

    def __init__(self, make: Any, size: int) -> None:
        self.now = 0.0
        self.loads = 0
        self.keys: list[weakref.ref[_Text]] = []
        self.values: list[weakref.ref[_Text]] = []
        self.cache = make(self._load, TTL_S, size, lambda: self.now)

    def _load(self, key: str) -> _Text:
        self.loads += 1
        value = _Text(f"user {key}")
        self.values.append(weakref.ref(value))
        return value

    def read(self, numbers: Iterable[int]) -> int:
        """Read these keys, well within one TTL; return how many of them had to be loaded."""
        before = self.loads
        for number in numbers:
            self.now += 0.001
            key = _Text(f"key {number}")
            self.keys.append(weakref.ref(key))
            self.cache.get(key)
        return self.loads - before

    def held(self, refs: list[weakref.ref[_Text]], allowed: int) -> int:
        """How many of these keys, or values, are still held. If it seems too many, rubbish is cleared first."""
        if sum(ref() is not None for ref in refs) > allowed:
            gc.collect()
        return sum(ref() is not None for ref in refs)


def _play_sync(make: Any, script: list[Step]) -> Played:
    """Call `get` at each step's time, on a clock that only the script and the loads move."""
    now, asked = 0.0, 0
    loads: Counter[int] = Counter()

    def load(key: int) -> str | None:
        nonlocal now
        loads[key] += 1
        now += LOAD_S
        return origin_answer(key, loads[key])

    def clock() -> float:
        nonlocal asked
        asked += 1
        return now

    cache = make(load, TTL_S, ROOMY, clock)
    steps = []
    for when, _, key in script:
        now = max(now, when)
        try:
            value = cache.get(key)
        except ConnectionError as error:
            answer = f"ConnectionError: {error}"
        else:
            refuse_awaitable(value, "get is a plain function here, and so is load: `def`, not `async def`.")
            answer = repr(value)
        steps.append((answer, loads.total()))
    return Played(steps, asked)


def _check_the_instant(make: Any) -> None:
    """A value is served for less than `ttl` seconds after its load, which ends at 1 s."""
    at_expiry: list[Step] = [(1 - LOAD_S, "get", 1), (1 + TTL_S, "get", 1)]
    if _play_sync(make, at_expiry).steps[-1][1] == 1:
        words = "An entry has expired at the very instant at which it expires: it is served for less than ttl seconds."
        raise Wrong(words, f"loaded at 1 s, TTL {TTL_S:g} s, and still served at {1 + TTL_S:g} s")


def _check_room(make: Any, size: int) -> None:
    """It has room for `size` entries, and for no more."""
    loads = _Roomless(make, size).read([*range(size)] * 3)
    if loads > size:
        words = "It holds fewer entries than it has room for."
        raise Wrong(words, f"size {size}; {size} different keys, each read three times: {loads} loads.")
    expired = _Roomless(make, size)
    expired.read(range(size))
    expired.now += 2 * TTL_S
    loads = expired.read([*range(size)] * 3)
    if loads > size:
        words = "When it is full of entries that have expired, it does not keep what it loads again."
        raise Wrong(words, f"size {size}; {size} expired keys, each read three times: {loads} loads.")
    many = _Roomless(make, size)
    many.read(range(MANY))
    held = many.held(many.values, size)
    hits = 0
    for order in (range(2 * size), range(2 * size - 1, -1, -1)):  # the values may be kept as copies
        again = _Roomless(make, size)
        again.read(range(2 * size))
        hits = max(hits, 2 * size - again.read(order))
    if max(held, hits) > size:
        if held == MANY or (held <= size and hits == 2 * size):
            words = "The bound is gone: the cache grows with every key that is ever read. lru_cache had a bound."
        else:
            words = "It holds more entries than its size: one too many, and one has to leave."
        raise Wrong(words, f"size {size}; after {MANY} different keys it holds {max(held, hits)} values.")
    many.now += 100 * TTL_S
    many.read([*range(size)] * 2)
    keys = many.held(many.keys, MANY // 4)
    if keys > MANY // 4:
        words = "The values leave, and their keys stay: every table of the class must forget the key that leaves."
        raise Wrong(words, f"size {size}; {MANY} different keys were read, and {keys} of them are still held.")


def _check_one_leaves(make: Any, size: int) -> None:
    """One entry too many, and one leaves."""
    full = _Roomless(make, size)
    full.read(range(size + 1))
    held = full.held(full.values, size)
    if held >= size:
        return
    lost = 0
    for number in range(size + 1):
        probed = _Roomless(make, size)
        probed.read(range(size + 1))
        lost += probed.read([number])
    if lost > 1:
        words = "When one entry has to be evicted, others leave with it. One is enough: which one is up to you."
        raise Wrong(words, f"size {size}; {size + 1} different keys were read, and {lost} of them are gone.")


def _examine(make: Any) -> str:
    """The experiment of the TTL caches on `make(load, ttl, size, clock)`, and then its size."""
    found = examine_ttl_cache(make, deletes=False, play=_play_sync)
    _check_the_instant(make)
    for size in SIZES:
        _check_room(make, size)
        _check_one_leaves(make, size)
    return f"{found} And it holds {SIZES[0]} entries where {SIZES[0]} is the size."


EXERCISE = Exercise(
    _examine,
    [
        "Load one key at second 0 and another at second 9, with a TTL of 10 s. When does each of them expire?",
        "Each entry needs its own moment of expiry: keep (value, expires), and look at the clock when you read it.",
        "An OrderedDict has both: move_to_end(key) on a hit, popitem(last=False) when it is over its size.",
    ],
)
