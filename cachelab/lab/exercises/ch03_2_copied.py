"""Exercise 3.2: mend the TTL cache that is copied everywhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.ttl_cache_examiner import LOAD_S, TTL_S, Step, examine_ttl_cache, origin_says

__all__ = ["EXERCISE"]

ROOMY, TIGHT = 1_000, 3


def _play_now(make: Any, script: list[Step], size: int = ROOMY) -> list[tuple[str, int]]:
    """As for an async class, on a clock that only the script and the loads move."""
    now = 0.0
    loads: Counter[int] = Counter()

    def load(key: int) -> str | None:
        nonlocal now
        loads[key] += 1
        now += LOAD_S
        return origin_says(key, loads[key])

    cache = make(load, TTL_S, size, lambda: now)
    seen = []
    for when, _, key in script:
        now = max(now, when)
        try:
            answer = repr(cache.get(key))
        except ConnectionError as error:
            answer = f"ConnectionError: {error}"
        seen.append((answer, loads.total()))
    return seen


def examine(make: Any) -> str:
    said = examine_ttl_cache(make, deletes=False, play=_play_now)
    instant: list[Step] = [(0.0, "get", 1), (LOAD_S + TTL_S, "get", 1)]
    if _play_now(make, instant)[-1][1] == 1:
        words = "At the very instant at which it expires an entry is gone: served for less than ttl seconds."
        raise Wrong(words, f"loaded at {LOAD_S:g} s, TTL {TTL_S:g} s, and still served at {LOAD_S + TTL_S:g} s")
    twice: list[Step] = [(0.1 * n, "get", 100 + n % 10) for n in range(20)]
    hits = 20 - _play_now(make, twice, TIGHT)[-1][1]
    if hits > TIGHT:
        words = "The bound is gone: it grows with every key that anybody ever asks for. lru_cache had one."
        raise Wrong(words, f"size {TIGHT}; ten keys, each asked for twice: {hits} hits, so it holds more than {TIGHT}.")
    again: list[Step] = [(0.1 * n, "get", 100 + n % TIGHT) for n in range(9)]
    loads = _play_now(make, again, TIGHT)[-1][1]
    if loads > TIGHT:
        words = "It holds fewer entries than it has room for."
        raise Wrong(words, f"size {TIGHT}; {TIGHT} keys, each asked for three times: {loads} loads instead of {TIGHT}.")
    full: list[Step] = [(0.1 * n, "get", key) for n, key in enumerate([1, 2, 3, 4, 4, 3, 2])]
    lost = _play_now(make, full, TIGHT)[-1][1] - 4
    if lost > 1:
        words = "When one entry has to leave, all of them do. One is enough: which one is up to you."
        raise Wrong(words, f"size {TIGHT}; after keys 1, 2, 3 and 4, {lost} of 4, 3, 2 had to be loaded again.")
    return f"{said} And it holds {TIGHT} where {TIGHT} is the size."


EXERCISE = Exercise(
    examine,
    [
        "Load one key at second 0 and another at second 9, with a TTL of 10 s. When does each of them leave?",
        "Each entry needs a moment of its own: keep (value, expires), and look at the clock when you read it.",
        "An OrderedDict has both: move_to_end(key) on a hit, popitem(last=False) when it is over its size.",
    ],
)
