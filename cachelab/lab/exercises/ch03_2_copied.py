"""Exercise 3.2: mend the TTL cache that is copied everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.ttl_cache_examiner import LOAD_S, TTL_S, Step, examine_ttl_cache, origin_answer

__all__ = ["EXERCISE"]

ROOMY, TIGHT = 1_000, 3


def _play_sync(make: Any, script: list[Step], size: int = ROOMY) -> list[tuple[str, int]]:
    """Call `get` at each step's time, on a clock that only the script and the loads move.

    Returns the answer and the number of loads so far after each step.
    """
    now = 0.0
    loads: Counter[int] = Counter()

    def load(key: int) -> str | None:
        nonlocal now
        loads[key] += 1
        now += LOAD_S
        return origin_answer(key, loads[key])

    cache = make(load, TTL_S, size, lambda: now)
    answers = []
    for when, _, key in script:
        now = max(now, when)
        try:
            answer = repr(cache.get(key))
        except ConnectionError as error:
            answer = f"ConnectionError: {error}"
        answers.append((answer, loads.total()))
    return answers


def _count_loads(make: Any, keys: Iterable[int]) -> int:
    """The loads that a cache of size `TIGHT` makes for these keys, well within one TTL."""
    return _play_sync(make, [(0.1 * number, "get", key) for number, key in enumerate(keys)], TIGHT)[-1][1]


def _examine(make: Any) -> str:
    """The experiment of the TTL caches on `make(load, ttl, size, clock)`, and then its size."""
    found = examine_ttl_cache(make, deletes=False, play=_play_sync)
    at_expiry: list[Step] = [(0.0, "get", 1), (LOAD_S + TTL_S, "get", 1)]
    if _play_sync(make, at_expiry)[-1][1] == 1:
        words = "An entry has expired at the very instant at which it expires: it is served for less than ttl seconds."
        raise Wrong(words, f"loaded at {LOAD_S:g} s, TTL {TTL_S:g} s, and still served at {LOAD_S + TTL_S:g} s")
    hits = 20 - _count_loads(make, [100 + n % 10 for n in range(20)])
    if hits > TIGHT:
        words = "The bound is gone: the cache grows with every key that is ever read. lru_cache had a bound."
        raise Wrong(words, f"size {TIGHT}; ten keys, each read twice: {hits} hits, so it holds more than {TIGHT}.")
    loads = _count_loads(make, [100 + n % TIGHT for n in range(9)])
    if loads > TIGHT:
        words = "It holds fewer entries than it has room for."
        raise Wrong(words, f"size {TIGHT}; {TIGHT} keys, each read three times: {loads} loads instead of {TIGHT}.")
    lost = _count_loads(make, [1, 2, 3, 4, 4, 3, 2]) - 4
    if lost > 1:
        words = "When one entry has to be evicted, all of them are. One is enough: which one is up to you."
        raise Wrong(words, f"size {TIGHT}; after keys 1, 2, 3 and 4, {lost} of 4, 3, 2 had to be loaded again.")
    return f"{found} And it holds {TIGHT} entries where {TIGHT} is the size."


EXERCISE = Exercise(
    _examine,
    [
        "Load one key at second 0 and another at second 9, with a TTL of 10 s. When does each of them expire?",
        "Each entry needs its own moment of expiry: keep (value, expires), and look at the clock when you read it.",
        "An OrderedDict has both: move_to_end(key) on a hit, popitem(last=False) when it is over its size.",
    ],
)
