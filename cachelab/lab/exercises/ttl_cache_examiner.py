"""The experiment of exercises 1.1, 1.2 and 3.2: the same calls to the learner's TTL cache and to a right one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from cachelab.lab.exercises.exercise import NotYet, Wrong
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table

__all__ = ["FAILS_ONCE", "LOAD_S", "NONE", "Step", "TTL_S", "examine_ttl_cache", "origin_answer"]

Step: TypeAlias = tuple[float, str, int]
"""When (s), "get" or "delete", and the key."""
Play: TypeAlias = Callable[[Any, list[Step]], list[tuple[str, int]]]
TTL_S = 10.0
LOAD_S = 0.05
NONE, FAILS_ONCE = 7, 13
"""The key whose value is None, and the key whose first load fails."""


class _RightCache:
    """What exercises 1.1 and 1.2 want, in as few lines as possible."""

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


def origin_answer(key: int, load: int) -> str | None:
    """What the origin answers to load number `load` of this key. Raises ConnectionError where that load fails."""
    if key == FAILS_ONCE and load == 1:
        raise ConnectionError("the origin is down")
    return None if key == NONE else f"user {key}, load {load}"


def _play(make: Any, script: list[Step]) -> list[tuple[str, int]]:
    """Take the steps one after the other; return the answer to each, and the number of loads until then."""

    async def scenario() -> list[tuple[str, int]]:
        loads: Counter[int] = Counter()

        async def load(key: int) -> str | None:
            loads[key] += 1
            number = loads[key]
            await asyncio.sleep(LOAD_S)
            return origin_answer(key, number)

        loop = asyncio.get_running_loop()
        cache = make(load, TTL_S, loop.time)
        answers = []
        for when, method, key in script:
            await asyncio.sleep(when - loop.time())
            try:
                answer = repr(await cache.get(key)) if method == "get" else str(await cache.delete(key) or "")
            except ConnectionError as error:
                answer = f"ConnectionError: {error}"
            answers.append((answer, loads.total()))
        return answers

    return run(scenario)


def _gets(*steps: tuple[float, int]) -> list[Step]:
    return [(when, "get", key) for when, key in steps]


SPECIAL_CASES: list[tuple[list[Step], str]] = [
    (
        _gets((0, 42), (1, 42)),
        "It never answers from the cache: every read loads. Look in the cache first, and store what you load.",
    ),
    (
        _gets((0, 42), (11, 42)),
        "Nothing expires: a value of any age is served. Compare its moment of expiry with the clock.",
    ),
    (
        _gets((0, 42), (6, 42), (12, 42)),
        (
            "Each read extends the entry's life: a popular key is never loaded a second time, and gets staler and "
            "staler. The life of an entry counts from its load; only a load may set it."
        ),
    ),
    (
        _gets((0, 1), (5, 2), (11, 1), (12, 2)),
        "When one key expires, others are dropped with it. Each entry has its own moment of expiry.",
    ),
    (
        _gets((0, NONE), (1, NONE)),
        (
            "The origin answered None, and that is an answer. Code that takes None for `not there` loads it again each "
            "time: test whether the key is in the cache."
        ),
    ),
    (
        _gets((0, FAILS_ONCE), (1, FAILS_ONCE), (2, FAILS_ONCE)),
        "An error is no value: it must reach the caller as it is, and the next read must load again.",
    ),
]
DELETE_CASE: tuple[list[Step], str] = (
    [(0, "delete", 42), (1, "get", 42), (2, "delete", 42), (3, "get", 42)],
    "After a delete the next read has to load; a delete of a key that is not there is no error.",
)
RANDOM_SCRIPTS, STEPS = 5, 60
UNNAMED = "This is no mistake that has a name here: read the steps; the marked one is the first that differs."


def _random_script(seed: int, deletes: bool) -> list[Step]:
    random = Random(f"{seed}/script")
    when, script = 0.0, list[Step]()
    for _ in range(STEPS):
        when += random.choice([0.3, 1.7, 4.1])
        while any(abs(when - earlier - TTL_S) < 2 * LOAD_S for earlier, _, _ in script):
            when += 0.2  # a TTL may be counted from the load's start or from its end: no step comes between the two
        method = "delete" if deletes and random.random() < 0.15 else "get"
        script.append((round(when, 3), method, random.choice([1, 2, 3, NONE])))
    return script


def examine_ttl_cache(make: Any, *, deletes: bool, play: Play = _play) -> str:
    """Play the special cases and then random scripts on `make(load, ttl, clock)` and on a right cache.

    `play` calls the learner's class, and returns the answer and the number of loads so far after each step.
    """
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    cases = [*SPECIAL_CASES, *([DELETE_CASE] if deletes else [])]
    cases += [(_random_script(seed, deletes), UNNAMED) for seed in range(RANDOM_SCRIPTS)]
    for number, (script, words) in enumerate(cases):
        answers, expected = play(make, script), _play(_RightCache, script)
        if number == 0 and answers[0] == ("None", 0):
            raise NotYet("the class still has ... where the code should be.")
        wrong = next((i for i, answer in enumerate(answers) if answer != expected[i]), None)
        if wrong is not None:
            rows = [
                [f"{when:g} s", f"{method}({key})", answer, loads, expected_loads]
                for (when, method, key), (answer, loads), (_, expected_loads) in zip(
                    script, answers, expected, strict=True
                )
            ][max(0, wrong - 7) : wrong + 1]
            if answers[wrong][1] == expected[wrong][1]:
                words += f" Expected here: {expected[wrong][0]}."
            header = ["when", f"call (ttl {TTL_S:g} s)", "answer", "loads", "expected loads"]
            raise Wrong(words, evidence_table(header, rows, len(rows) - 1))
    return (
        f"In all special cases and in {RANDOM_SCRIPTS * STEPS} random steps it gives the right answers, with the right "
        "number of loads."
    )
