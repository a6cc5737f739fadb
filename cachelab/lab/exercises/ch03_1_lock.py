"""Exercise 3.1: a cache that holds its lock while it loads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, is_stub, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.exercises.ttl_cache_examiner import FAILS_ONCE, LOAD_S, NONE, answer_text, origin_answer
from cachelab.lab.sim.virtual_loop import Deadlock
from cachelab.lab.text import evidence_table, ms

__all__ = ["EXERCISE"]

Call: TypeAlias = tuple[float, int]  # when (s), key
CONNECTIONS = 8
ANA, BEN = 1, 2
CACHED = range(20, 50)
MISSING = range(1_024 + 20, 1_024 + 20 + CONNECTIONS)
"""Keys that share a lock with cached keys where 2, 4, 8, … or 1,024 locks are shared out among all keys."""
AT_ONCE_S = 0.001
"""An answer that takes no longer than this comes at once."""


@dataclass
class _Played:
    """What the calls of a script came to.

    `answers` has three things for each call that was answered, by its number: the answer as text, the seconds that it
    took, and how many loads of its key had begun by then. `loads` counts the loads of each key.
    """

    script: Sequence[Call]
    answers: dict[int, tuple[str, float, int]] = field(default_factory=dict)
    loads: Counter[int] = field(default_factory=Counter)
    deadlock: Deadlock | None = None

    def table(self, numbers: Iterable[int]) -> str:
        """The calls with these numbers as rows; the last one is marked."""
        rows = []
        for number in numbers:
            when, key = self.script[number]
            answer, took_s, loads = self.answers.get(number, ("never comes", None, self.loads[key]))
            rows.append([f"{when:.2f} s", f"get({key})", answer, "-" if took_s is None else ms(took_s), loads])
        return evidence_table(["when", "call", "answer", "after", "loads of this key"], rows, len(rows) - 1)


def _play(make: Any, script: Sequence[Call]) -> _Played:
    """Make each call at its time, whether or not the calls before it have been answered."""
    played = _Played(script)

    async def load(key: int) -> str | None:
        played.loads[key] += 1
        number = played.loads[key]
        await asyncio.sleep(LOAD_S)
        return origin_answer(key, number)

    async def call(cache: Any, number: int) -> None:
        clock = asyncio.get_running_loop().time
        when, key = script[number]
        await asyncio.sleep(when - clock())
        answer = await answer_text(lambda: cache.get(key))
        played.answers[number] = answer, clock() - when, played.loads[key]

    async def scenario() -> None:
        cache = make(load)
        await asyncio.gather(*(call(cache, number) for number in range(len(script))))

    try:
        run_experiment(scenario)
    except Deadlock as deadlock:
        played.deadlock = deadlock
    return played


def _origin_texts(key: int, loads: int) -> list[str]:
    """What the first `loads` loads of this key have answered."""
    texts = []
    for number in range(1, loads + 1):
        try:
            texts.append(repr(origin_answer(key, number)))
        except ConnectionError as error:
            texts.append(f"ConnectionError: {error}")
    return texts


def _check_answers(played: _Played, never: str = "", wrong: str = "") -> None:
    """Each call has been answered, and with something that the origin has answered for its key.

    `never` and `wrong` are the words for a call that is never answered, and for a wrong answer.
    """
    for number, (_, key) in enumerate(played.script):
        if number not in played.answers:
            assert played.deadlock is not None
            if not never:
                raise played.deadlock
            raise Wrong(never, played.table(range(number + 1)))
        if played.answers[number][0] not in _origin_texts(key, played.loads[key]):
            words = wrong or "get(key) has to return the value that load(key) returned for this key."
            raise Wrong(words, played.table(range(number + 1)))


def _is_hit(played: _Played, number: int) -> bool:
    """Whether this call was answered at once, from the first load of its key."""
    key = played.script[number][1]
    return played.answers[number][1] <= AT_ONCE_S and played.loads[key] == 1


def _check_one_caller(make: Any) -> None:
    """One call at a time: a value that was loaded is found again."""
    played = _play(make, [(0.0, ANA), (1.0, ANA)])
    if played.answers.get(0, ("",))[0] == "None":
        loaded = "and its key has been loaded" if played.loads else "and has not loaded"
        raise Wrong(f"get returns None, {loaded}: is a return missing?", played.table([0]))
    _check_answers(played)
    if played.answers[0][2] > 1:
        raise Wrong("One call loads its key twice.", played.table([0]))
    if not _is_hit(played, 1):
        words = "The same key is loaded again on each call: store the value, and look for it before you load."
        raise Wrong(words, played.table([0, 1]))
    played = _play(make, [(0.0, ANA), (1.0, BEN), (2.0, ANA)])
    _check_answers(played)
    if not _is_hit(played, 2):
        raise Wrong("A value is lost when another key is loaded.", played.table([0, 1, 2]))


def _check_hits(make: Any) -> None:
    """While other keys are being loaded, the keys in the cache are answered at once."""
    warm_up = [(0.1 * number, key) for number, key in enumerate(CACHED)]
    misses = [(10.0, key) for key in MISSING]
    played = _play(make, [*warm_up, *misses, *((10.01, key) for key in CACHED)])
    _check_answers(played)
    first_miss = len(warm_up)
    for number in range(first_miss + len(misses), len(played.script)):
        if played.loads[played.script[number][1]] > 1:
            words = f"A value is lost: {len(CACHED)} keys were loaded, and one of them had to be loaded again."
            raise Wrong(words, played.table([number - first_miss - len(misses), number]))
        if not _is_hit(played, number):
            words = (
                "A hit waits for a miss: its value is in the cache, and it is answered only when the load of another "
                "key has ended. Hold no lock across `await self.load(key)`."
            )
            raise Wrong(words, played.table([first_miss, number]))


def _check_different_keys(make: Any) -> None:
    """Different keys load side by side, and each value is kept."""
    together = [(0.0, key) for key in CACHED[:CONNECTIONS]]
    played = _play(make, [*together, *((2.0, key) for _, key in together)])
    _check_answers(played)
    slowest = max(range(CONNECTIONS), key=lambda number: played.answers[number][1])
    if played.answers[slowest][1] > LOAD_S + AT_ONCE_S:
        words = (
            "Different keys wait for each other's loads, though the database serves eight queries at a time: a lock "
            "that is held across `await self.load(key)` lets only one of them in."
        )
        raise Wrong(words, played.table(range(slowest + 1)))
    for number in range(CONNECTIONS, 2 * CONNECTIONS):
        if not _is_hit(played, number):
            words = (
                "Loads that run at the same time lose each other's values: what you store after a load must not be a "
                "copy of the dict from before it."
            )
            raise Wrong(words, played.table([*range(CONNECTIONS), number]))


def _check_same_key(make: Any) -> None:
    """Two callers that miss the same key at the same time both get its value; both may load it."""
    played = _play(make, [(0.0, ANA), (0.01, ANA), (1.0, ANA)])
    _check_answers(
        played,
        never="A caller that comes while its key is being loaded is never answered.",
        wrong="A caller that comes while its key is being loaded does not get the value.",
    )
    if played.answers[2][1] > AT_ONCE_S:
        words = "Two callers have loaded the key at the same time, and a later call has to load it again."
        raise Wrong(words, played.table([0, 1, 2]))


def _check_none(make: Any) -> None:
    """None is a value."""
    played = _play(make, [(0.0, NONE), (1.0, NONE)])
    _check_answers(played)
    if not _is_hit(played, 1):
        words = (
            "The origin's answer for this key is None, and it is loaded again on each call: test whether the key is in "
            "the dict, and not whether its value is None."
        )
        raise Wrong(words, played.table([0, 1]))


def _check_errors(make: Any) -> None:
    """An error reaches its caller; it is not kept, and it leaves nothing locked."""
    locked = (
        "A load has failed, and a later call is never answered: what was locked for the failed load stays locked. "
        "`async with`, or a `finally`, releases it whether or not the load raises."
    )
    for script in ([(0.0, FAILS_ONCE), (1.0, FAILS_ONCE), (1.0, ANA)], [(0.0, FAILS_ONCE), (0.01, FAILS_ONCE)]):
        played = _play(make, [*script, (2.0, FAILS_ONCE)])
        _check_answers(played, never=locked, wrong="An error of the load must reach the caller as it is.")
        if not played.answers[0][0].startswith("ConnectionError"):
            raise Wrong("An error of the load must reach the caller as it is.", played.table([0]))
        for number, (when, _) in enumerate(played.script):
            if when >= 1.0 and played.answers[number][0].startswith("ConnectionError"):
                words = "The error is kept: a call after the failed load has to load again."
                raise Wrong(words, played.table(range(number + 1)))


def _examine(make: Any) -> str:
    """Play a few short scripts on `make(load)`, from one caller alone to callers that meet a failing load."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    if is_stub(getattr(make, "get", None)):
        raise NotYet("the class still has ... where the code should be.")
    for check in (
        _check_one_caller,
        _check_hits,
        _check_different_keys,
        _check_same_key,
        _check_none,
        _check_errors,
    ):
        check(make)
    return (
        f"A hit is answered at once, {CONNECTIONS} different keys load side by side in {ms(LOAD_S)}, and a load that "
        "fails leaves nothing locked."
    )


EXERCISE = Exercise(
    _examine,
    [
        "Check the class as it is. One caller loads a key, another reads a key that is there. What does it wait for?",
        "On one event loop no other task runs between two awaits. Which lines of get() need the lock, then?",
        "`if key not in self.values: self.values[key] = await self.load(key)`, and no lock.",
    ],
)
