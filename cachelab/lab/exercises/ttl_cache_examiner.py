"""The experiment of exercises 1.1, 1.3 and 3.2: the same calls to the learner's TTL cache and to a right one."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Literal, NamedTuple, TypeAlias

from cachelab.lab.exercises.exercise import NotYet, Wrong, is_stub, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.text import evidence_table

__all__ = [
    "FAILS_ONCE",
    "LOAD_S",
    "NONE",
    "Played",
    "Step",
    "TTL_S",
    "answer_text",
    "examine_ttl_cache",
    "origin_answer",
    "refuse_awaitable",
]

Step: TypeAlias = tuple[float, str, int]
"""When (s), "get" or "delete", and the key."""
Symptom: TypeAlias = Literal["loads", "hits", "answers"]
"""A call that loads more often than a right cache, or less often, or gives another answer."""
TTL_S = 10.0
LOAD_S = 0.05
NONE, FAILS_ONCE, FLAKY = 7, 13, 17
"""The key whose value is None, the key whose first load fails, and the key of which every second load fails."""


class Played(NamedTuple):
    """What a script came to: after each step the answer and the loads so far; and how often the clock was asked."""

    steps: list[tuple[str, int]]
    clock_asked: int


Play: TypeAlias = Callable[[Any, list[Step]], Played]


class _RightCache:
    """What exercises 1.1 and 1.3 want, in as few lines as possible."""

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
    if (key == FAILS_ONCE and load == 1) or (key == FLAKY and load % 2 == 0):
        raise ConnectionError("the origin is down")
    return None if key == NONE else f"user {key}, load {load}"


async def answer_text(get: Callable[[], Any]) -> str:
    """The value as Python writes it, or the load's error. Raises `Wrong` if `get` gives no value at all."""
    try:
        answer = get()
        if not inspect.isawaitable(answer):
            raise Wrong("get has to be an async function: `async def get(self, key)`.", f"get returned {answer!r}.")
        value = await answer
    except ConnectionError as error:
        return f"ConnectionError: {error}"
    refuse_awaitable(
        value, "get returns something that still has to be awaited, and not the value: `await self.load(key)`."
    )
    return repr(value)


def refuse_awaitable(value: Any, words: str) -> None:
    """Raises `Wrong` with these words if the value still has to be awaited."""
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise Wrong(words, f"get returned a {type(value).__name__}.")


async def _delete(delete: Callable[[], Any]) -> None:
    """Delete; what the learner's method returns means nothing. Raises `Wrong` if it is not async."""
    returned: Awaitable[Any] | Any = delete()
    if not inspect.isawaitable(returned):
        words = "delete has to be an async function: `async def delete(self, key)`."
        raise Wrong(words, f"delete returned {returned!r:.60}")
    inner = await returned
    if inspect.iscoroutine(inner):
        inner.close()
        raise Wrong("delete returns a coroutine that nobody awaits: an await is missing.", "delete does nothing")


def _play(make: Any, script: list[Step]) -> Played:
    """Take the steps one after the other, in virtual time."""
    asked = 0

    async def scenario() -> list[tuple[str, int]]:
        loads: Counter[int] = Counter()
        loop = asyncio.get_running_loop()

        async def load(key: int) -> str | None:
            loads[key] += 1
            number = loads[key]
            await asyncio.sleep(LOAD_S)
            return origin_answer(key, number)

        def clock() -> float:
            nonlocal asked
            asked += 1
            return loop.time()

        cache = make(load, TTL_S, clock)
        steps = []
        for when, method, key in script:
            await asyncio.sleep(when - loop.time())
            answer = ""
            if method == "get":
                answer = await answer_text(lambda key=key: cache.get(key))  # type: ignore[misc]
            else:
                await _delete(lambda key=key: cache.delete(key))  # type: ignore[misc]
            steps.append((answer, loads.total()))
        return steps

    return Played(run_experiment(scenario), asked)


class _Case(NamedTuple):
    """A script, and what a symptom at one of its steps means. The steps count from 0."""

    script: list[Step]
    meanings: Mapping[tuple[int, Symptom], str] = {}


def _gets(*steps: tuple[float, int]) -> list[Step]:
    return [(when, "get", key) for when, key in steps]


TOO_EARLY = "An entry expires too early: ttl is in seconds, and it counts from the load."
ERROR_LOST = "An error is no value: it must reach the caller as it is."
ERROR_KEPT = "An error is no value: after a load that has failed, the next read must load again."
SPECIAL_CASES = [
    _Case(
        _gets((0, 42), (0.055, 42)),
        {
            (1, "loads"): "It never answers from the cache: every read loads. Look in the cache first, and store what "
            "you load."
        },
    ),
    _Case(_gets((0, 42), (1, 42), (9.9, 42)), {(1, "loads"): TOO_EARLY, (2, "loads"): TOO_EARLY}),
    _Case(
        _gets((20, 42), (21, 42)),
        {
            (1, "loads"): "What is loaded at 20 s has expired at 21 s: the moment of expiry is clock() + ttl, for ttl "
            "is a length of time."
        },
    ),
    _Case(_gets((0, 1), (1, 2), (2, 1)), {(2, "loads"): "A value is lost when another key is loaded."}),
    _Case(
        _gets((0, 42), (11, 42)),
        {(1, "hits"): "Nothing expires: a value of any age is served. Compare its moment of expiry with the clock."},
    ),
    _Case(
        _gets((0, 42), (6, 42), (12, 42)),
        {
            (2, "hits"): "Each read extends the entry's life: a popular key is never loaded a second time, and gets "
            "staler and staler. The life of an entry counts from its load; only a load may set it."
        },
    ),
    _Case(
        _gets((0, 1), (5, 2), (11, 1), (12, 2)),
        {
            (3, "loads"): "When one key expires, others are dropped with it. Each entry has its own moment of expiry.",
        },
    ),
    _Case(
        _gets((0, NONE), (1, NONE)),
        {
            (1, "loads"): "The origin answered None, and that is an answer. Code that takes None for `not there` loads "
            "it again each time: test whether the key is in the cache."
        },
    ),
    _Case(
        _gets((0, FAILS_ONCE), (1, FAILS_ONCE), (2, FAILS_ONCE)),
        {(0, "answers"): ERROR_LOST, (0, "loads"): ERROR_LOST, (1, "hits"): ERROR_KEPT, (2, "hits"): ERROR_KEPT},
    ),
    _Case(
        _gets((0, FLAKY), (11, FLAKY), (12, FLAKY)),
        {
            (1, "answers"): "The value has expired and its load fails: the old value is served in place of the error. "
            f"{ERROR_LOST}",
            (2, "hits"): ERROR_KEPT,
            (2, "answers"): ERROR_KEPT,
        },
    ),
]
DELETE_CASES = [
    _Case(
        [(0, "delete", 42), (1, "get", 42), (2, "delete", 42), (3, "get", 42)],
        {
            (3, "hits"): "After a delete the next read has to load; a delete of a key that is not there is no error.",
        },
    ),
    _Case(
        [(0, "get", 1), (1, "get", 2), (2, "delete", 1), (3, "get", 2)],
        {(3, "loads"): "A delete of one key drops others with it."},
    ),
]
RANDOM_SCRIPTS, STEPS = 5, 60


def _random_case(seed: int, deletes: bool) -> _Case:
    random = Random(f"{seed}/script")
    when, script = 0.0, list[Step]()
    for _ in range(STEPS):
        when += random.choice([0.3, 1.7, 4.1])
        while any(abs(when - earlier - TTL_S) < 2 * LOAD_S for earlier, _, _ in script):
            when += 0.2  # a TTL may be counted from the load's start or from its end: no step comes between the two
        method = "delete" if deletes and random.random() < 0.15 else "get"
        script.append((round(when, 3), method, random.choice([1, 2, 3, NONE, FAILS_ONCE, FLAKY])))
    return _Case(script)


def examine_ttl_cache(make: Any, *, deletes: bool, play: Play = _play) -> str:
    """Play the special cases and then random scripts on `make(load, ttl, clock)` and on a right cache.

    `play` calls the learner's class.
    """
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    if is_stub(getattr(make, "get", None)):
        raise NotYet("the class still has ... where the code should be.")
    for case in SPECIAL_CASES:
        _examine_case(make, case, play)
    if deletes and is_stub(getattr(make, "delete", None)):
        raise NotYet("get is right so far; delete still has ... where the code should be.")
    random_cases = [_random_case(seed, deletes) for seed in range(RANDOM_SCRIPTS)]
    for case in [*(DELETE_CASES if deletes else []), *random_cases]:
        _examine_case(make, case, play)
    return (
        f"In all special cases and in {RANDOM_SCRIPTS * STEPS} random steps it gives the right answers, with the right "
        "number of loads."
    )


def _examine_case(make: Any, case: _Case, play: Play) -> None:
    """Raises `Wrong` at the first step that differs from a right cache."""
    played, expected = play(make, case.script), _play(_RightCache, case.script).steps
    wrong = next((i for i, step in enumerate(played.steps) if step != expected[i]), None)
    if wrong is None:
        return
    rows = [
        [f"{when:g} s", f"{method}({key})", answer, loads, expected_loads]
        for (when, method, key), (answer, loads), (_, expected_loads) in zip(
            case.script, played.steps, expected, strict=True
        )
    ][max(0, wrong - 7) : wrong + 1]
    header = ["when", f"call (ttl {TTL_S:g} s)", "answer", "loads", "expected loads"]
    raise Wrong(_words(case, wrong, played, expected), evidence_table(header, rows, len(rows) - 1))


def _words(case: _Case, wrong: int, played: Played, expected: list[tuple[str, int]]) -> str:
    """What the first wrong step shows: the meaning that the case gives to it, or else what can be seen."""
    (answer, loads), (expected_answer, expected_loads) = played.steps[wrong], expected[wrong]
    loads_before = played.steps[wrong - 1][1] if wrong else 0
    symptom: Symptom = "loads" if loads > expected_loads else "hits" if loads < expected_loads else "answers"
    meaning = case.meanings.get((wrong, symptom))
    is_error = answer.startswith("ConnectionError")
    if case.script[wrong][1] == "delete":
        return "A delete has nothing to load."
    if symptom == "hits" and answer == "None":
        return "get returns None, and has not loaded: is a return or a load missing?"
    if symptom == "hits" and not loads:
        return (
            "This cache is new, and has a value all the same: its entries belong to the class or to the module, and "
            "all caches share them. Make them in __init__."
        )
    if symptom == "hits" and not played.clock_asked:
        return "Nothing expires, for nobody looks at the clock that the class is given: `self.clock()`."
    if answer == "None" != expected_answer and not expected_answer.startswith("ConnectionError"):
        return f"get returns None: is a return missing? Expected here: {expected_answer}."
    if meaning is not None:
        return meaning + (f" Expected here: {expected_answer}." if symptom == "answers" else "")
    if symptom == "loads":
        twice = loads - loads_before > 1
        return "One call loads its key twice." if twice else "A value that has not expired is loaded again."
    if symptom == "hits":
        return (
            "It does not load, though the cache has nothing for this key that is valid: the value has expired or was "
            "deleted, or its load has failed."
        )
    if is_error:
        return "The load has returned a value, and the caller gets an error."
    if expected_answer.startswith("ConnectionError"):
        return f"{ERROR_LOST} Expected here: {expected_answer}."
    return f"get(key) has to return what load(key) has returned for this key. Expected here: {expected_answer}."
