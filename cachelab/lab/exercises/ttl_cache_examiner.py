"""The experiment on a cache with a TTL: the same calls to the learner's class and to a reference, side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from cachelab.lab.exercises.exercise import NotYet, Wrong
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table

__all__ = ["LOAD_S", "Step", "TTL_S", "examine_ttl_cache", "origin_says"]

Step: TypeAlias = tuple[float, str, int]  # when (s), "get" or "delete", key
Play: TypeAlias = Callable[[Any, list[Step]], list[tuple[str, int]]]
TTL_S = 10.0
LOAD_S = 0.05
NONE, FAILS_ONCE = 7, 13  # the keys whose value is None, and whose first load fails


class _Reference:
    """What the exercises ask for, in as few lines as possible."""

    def __init__(self, load: Callable[[int], Any], ttl: float, clock: Callable[[], float]) -> None:
        self.load, self.ttl, self.clock = load, ttl, clock
        self.entries: dict[int, tuple[Any, float]] = {}

    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = await self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value

    async def delete(self, key: int) -> None:
        self.entries.pop(key, None)


def origin_says(key: int, load: int) -> str | None:
    """The answer to load number `load` of this key; one key fails at first."""
    if key == FAILS_ONCE and load == 1:
        raise ConnectionError("the origin is down")
    return None if key == NONE else f"user {key}, load {load}"


def _play(make: Any, script: list[Step]) -> list[tuple[str, int]]:
    """The answer and the number of loads so far after each step."""

    async def scenario() -> list[tuple[str, int]]:
        loads: Counter[int] = Counter()

        async def load(key: int) -> str | None:
            loads[key] += 1
            version = loads[key]
            await asyncio.sleep(LOAD_S)
            return origin_says(key, version)

        loop = asyncio.get_running_loop()
        cache = make(load, TTL_S, loop.time)
        seen = []
        for when, op, key in script:
            await asyncio.sleep(when - loop.time())
            try:
                answer = repr(await getattr(cache, op)(key)) if op == "get" else str(await cache.delete(key) or "")
            except ConnectionError as error:
                answer = f"ConnectionError: {error}"
            seen.append((answer, loads.total()))
        return seen

    return run(scenario)


def _gets(*steps: tuple[float, int]) -> list[Step]:
    return [(when, "get", key) for when, key in steps]


PROBES: list[tuple[list[Step], str]] = [
    (_gets((0, 42), (1, 42)), "It never answers from the cache: every read loads. Look first, and keep what you load."),
    (
        _gets((0, 42), (11, 42)),
        "Nothing expires: a value of any age is served. Compare its moment of expiry with the clock.",
    ),
    (
        _gets((0, 42), (6, 42), (12, 42)),
        (
            "Each read makes the entry young again: a popular key is never loaded a second time, and gets staler and "
            "staler. The life of an entry counts from its load; only a load may set it."
        ),
    ),
    (
        _gets((0, 1), (5, 2), (11, 1), (12, 2)),
        "When one key expires, others leave with it. Each entry has a moment of its own.",
    ),
    (
        _gets((0, NONE), (1, NONE)),
        (
            "The origin answered None, and that is an answer. Who takes None for `not there` asks again each time: "
            "ask whether the key is in the cache."
        ),
    ),
    (
        _gets((0, FAILS_ONCE), (1, FAILS_ONCE), (2, FAILS_ONCE)),
        "An error is no value: it must reach the caller as it is, and the next read must load again.",
    ),
]
DELETES: tuple[list[Step], str] = (
    [(0, "delete", 42), (1, "get", 42), (2, "delete", 42), (3, "get", 42)],
    "After a delete the next read has to load; a delete of a key that is not there is no error.",
)


def _random_script(seed: int, deletes: bool) -> list[Step]:
    chance = Random(f"{seed}/script")
    when, script = 0.0, list[Step]()
    for _ in range(60):
        when += chance.choice([0.3, 1.7, 4.1])
        while any(abs(when - earlier - TTL_S) < 2 * LOAD_S for earlier, _, _ in script):
            when += 0.2  # a TTL may be counted from the load's start or its end: no step falls in between
        op = "delete" if deletes and chance.random() < 0.15 else "get"
        script.append((round(when, 3), op, chance.choice([1, 2, 3, NONE])))
    return script


def examine_ttl_cache(make: Any, *, deletes: bool, play: Play = _play) -> str:
    """Play special cases, then random schedules, on `make(load, ttl, clock)` and on the reference.

    `play` says how: it returns the answer and the number of loads so far after each step.
    """
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    probes = PROBES + ([DELETES] if deletes else [])
    other = "I have no name for this one: read the steps, the marked one is where it parts from what was asked for."
    for number, (script, words) in enumerate([*probes, *((_random_script(s, deletes), other) for s in range(5))]):
        got, expected = play(make, script), _play(_Reference, script)
        if number == 0 and got[0] == ("None", 0):
            raise NotYet("the class still has ... where the code should be.")
        wrong = next((i for i, pair in enumerate(got) if pair != expected[i]), None)
        if wrong is not None:
            rows = [
                [f"{when:g} s", f"{op}({key})", answer, loads, should]
                for (when, op, key), (answer, loads), (_, should) in zip(script, got, expected, strict=True)
            ][max(0, wrong - 7) : wrong + 1]
            if got[wrong][1] == expected[wrong][1]:
                words += f" Expected here: {expected[wrong][0]}."
            head = ["when", f"call (ttl {TTL_S:g} s)", "answer", "loads", "expected loads"]
            raise Wrong(words, evidence_table(head, rows, len(rows) - 1))
    return "It looks, loads, keeps and forgets like the reference in 300 random steps and all the special cases."
