"""Exercise 11.2: of eight changes, those after which new code reads a wrong value from old bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from cachelab.entry import MISS, Entry
from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.exercises.plan import whole
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.simulation import run
from cachelab.lab.text import evidence_table
from cachelab.stores.redis_store import RedisStore

__all__ = ["EXERCISE"]


@dataclass(frozen=True)
class _Email:
    email: str


@dataclass(frozen=True)
class _MaybeEmail:
    email: str | None


@dataclass(frozen=True)
class _Plain:
    id: int


@dataclass(frozen=True)
class _WithPlan:
    id: int
    plan: str = "free"


@dataclass(frozen=True)
class _CityFirst:
    city: str
    country: str


@dataclass(frozen=True)
class _CountryFirst:
    country: str
    city: str


class _Change(NamedTuple):
    """What old code has stored, as which type; as which type new code reads it, and what it would have loaded.

    `why` ends a sentence that begins with what new code makes of the bytes.
    """

    stored: Any
    new_type: Any
    loaded: Any
    why: str


CHANGES = {
    1: _Change(_Email("a@b.c"), _MaybeEmail, _MaybeEmail("a@b.c"), "old values are all allowed by the new type"),
    2: _Change(1_700_000_000, int, 1_700_000_000_000, "the type is the same, and the unit is another"),
    3: _Change(["a", "b"], set[str], {"a", "b"}, "a set is stored as a list, and both are read from one"),
    4: _Change((640, 480), tuple[int, int], (480, 640), "both are two numbers, and only their order has a meaning"),
    5: _Change(5.0, int, 500, "the decoder takes no float for an int, also if it is a whole number"),
    6: _Change(_Plain(7), _WithPlan, _WithPlan(7, "gold"), "the default is filled in, also for those that have a plan"),
    7: _Change(False, bool, True, "the type is the same, and what it says is decided in another way"),
    8: _Change(
        _CityFirst("Bonn", "DE"),
        _CountryFirst,
        _CountryFirst("DE", "Bonn"),
        "a dataclass is stored by the names of its fields",
    ),
}


@cache
def _found(number: int) -> Any:
    """What new code finds where old code has stored its value: a value, or MISS."""
    change = CHANGES[number]

    async def scenario() -> Any:
        client = FakeRedis().client()
        old: RedisStore[Any] = RedisStore(client, type(change.stored), namespace="a", version=1)
        new: RedisStore[Any] = RedisStore(client, change.new_type, namespace="a", version=1)
        await old.set(7, Entry(change.stored, 60.0))
        entry = await new.get(7)
        return MISS if entry is MISS else entry.value

    return run(scenario)


def _is_wrong(number: int) -> bool:
    """Whether new code reads a value, and it is not what it would have loaded."""
    found = _found(number)
    return found is not MISS and found != CHANGES[number].loaded


def _numbers(unseen: Any) -> set[int]:
    """The learner's numbers. Any collection of whole numbers will do."""
    stub = "put a set with the numbers of the changes in place of the ..."
    if unseen is ...:
        raise NotYet(stub)
    if isinstance(unseen, str | bytes | Mapping) or not isinstance(unseen, Iterable):
        raise Wrong("Give a set of numbers, such as {1, 2}.", f"unseen is {unseen!r:.60}")
    given = list(unseen)
    if any(each is ... for each in given):
        raise NotYet(stub)
    numbers = [whole(each) for each in given]
    for each, number in zip(given, numbers, strict=True):
        if number not in CHANGES:
            raise Wrong("The changes have the numbers 1 to 8.", f"{each!r:.60} is in the set")
    return {number for number in numbers if number is not None}


def _examine(unseen: Any) -> str:
    """Compare with what a store finds in each case. One mistake is told at a time, and how many there are."""
    given = _numbers(unseen)
    right = {number for number in CHANGES if _is_wrong(number)}
    wrong = sorted(given ^ right)
    if not wrong:
        return (
            "No decoder sees these four: two have another meaning, one has a default that is not true of old rows, and "
            "one has another load."
        )
    number = wrong[0]
    change, found = CHANGES[number], _found(number)
    values = {
        "stored by old code": change.stored,
        "found by new code": found,
        "loaded by new code itself": change.loaded,
    }
    rows = [[who, repr(value).lstrip("_")] for who, value in values.items()]
    if number in right:
        words = f"Number {number} is missing: new code gets a wrong value, since {change.why}."
    elif found is MISS:
        words = f"Number {number} is a miss, which is seen and counted: {change.why}."
    else:
        words = f"Number {number} is read, and right: {change.why}."
    more = f" {len(wrong) - 1} more of your answers are not right." if len(wrong) > 1 else ""
    raise Wrong(f"{words}{more}", evidence_table([f"change {number}", "value"], rows))


EXERCISE = Exercise(
    _examine,
    [
        "Ask two questions of each change: do the old bytes fit the new type? If so, does the value mean the same?",
        "Two new types read the old bytes correctly. One does not fit. One is right because fields have names.",
        "unseen = {2, 4, 6, 7}",
    ],
)
