"""The words for what a cache holds, and the two sockets that everything plugs into.

Three kinds of nothing are three different things here:

    MISS     the store has no entry for the key: nobody knows
    ABSENT   the origin was asked and has no such key: known not to exist
    None     a value like any other: the origin said None

Times are seconds on the clock of the running event loop, in floats.
"""

from __future__ import annotations

import enum
import inspect
import math
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

__all__ = [
    "ABSENT",
    "Absent",
    "Entry",
    "Loader",
    "MISS",
    "Miss",
    "Store",
    "call_loader",
    "checked_max_entries",
    "checked_ttls",
    "no_peek",
]

K_contra = TypeVar("K_contra", contravariant=True)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)


class Miss(enum.Enum):
    """The type of `MISS`, falsy and with one member, so that a type checker can follow `is MISS`."""

    MISS = "MISS"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISS"

    __str__ = __repr__


class Absent(enum.Enum):
    """The type of `ABSENT`, falsy and with one member; a copy or a pickle of it is still the same object."""

    ABSENT = "ABSENT"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"

    __str__ = __repr__


MISS: Final = Miss.MISS
ABSENT: Final = Absent.ABSENT


@dataclass(slots=True)
class Entry(Generic[V_co]):
    """A value and its moments, refresh_from ≤ fresh_until ≤ expires, in seconds on this process's loop clock; `inf` for never.

    `expires`      from here on it must not be served any more
    `fresh_until`  from here on it is stale, and served only because somebody loads it anew; by default `expires`
    `refresh_from` from here on a reader may have to start that load; by default `fresh_until`
    `load_time_s`       how many seconds its load took

    Moments mean nothing on another machine: a store that is shared keeps the remaining life instead and turns it back
    into moments when it reads. Whoever gets an entry may share it with others and must not change it: type checkers
    see to that; a frozen dataclass, which refuses it while running, takes four times as long to build.
    """

    value: V_co
    expires: Final[float]
    fresh_until: Final[float] = field(default=math.inf, repr=False)
    refresh_from: Final[float] = field(default=math.inf, repr=False)
    load_time_s: Final[float] = field(default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.fresh_until > self.expires:
            self.fresh_until = self.expires  # type: ignore[misc]  # it is not yet anybody's
        if self.refresh_from > self.fresh_until:
            self.refresh_from = self.fresh_until  # type: ignore[misc]


class Loader(Protocol[K_contra, V_co]):
    """Where a missing value comes from: the origin, or another cache (then an `Entry`, so that its age travels up).

    A loader may also have `async delete(key)`; a cache above calls it before it deletes its own copy.
    """

    async def __call__(self, key: K_contra, /) -> V_co | Absent | Entry[V_co | Absent]:
        """The value, `ABSENT` when there is no such key, or an `Entry` of either; an error is raised unchanged."""
        ...


class Store(Protocol):
    """Where entries are kept.

    One that lives in this process also has `peek(key)`, without `await`: the entry if it is not yet due, else `MISS`.
    None of its other calls waits, either.
    """

    async def get(self, key: Any, /) -> Entry[Any] | Miss:
        """The live entry, or `MISS`: an entry is gone at the instant `expires`, not after it."""
        ...

    async def set(self, key: Any, entry: Entry[Any], /) -> None:
        """Keep the entry in place of whatever was there. It may be evicted at any time."""
        ...

    async def delete(self, key: Any, /) -> None:
        """Forget the key; nothing happens if it is not there."""
        ...


async def call_loader(load: Loader[Any, V], key: Any) -> Entry[V | Absent]:
    """What the loader answers, as an `Entry`. Raises TypeError for what is no answer, and what the loader raises."""
    answer = load(key)
    if not inspect.isawaitable(answer):
        raise TypeError(f"load must be an async function, but it returned {type(answer).__name__} at once.")
    loaded = await answer
    if loaded is MISS:
        raise TypeError("load returned MISS, which means nobody knows; return ABSENT for a key that isn't there.")
    return loaded if isinstance(loaded, Entry) else Entry(loaded, math.inf)


def checked_max_entries(max_entries: int) -> int:
    """`max_entries`, if a store can hold so many. Raises ValueError if it is not a whole number of at least 1."""
    if not isinstance(max_entries, int) or max_entries < 1:
        raise ValueError(f"max_entries must be a whole number of at least 1, not {max_entries!r}.")
    return max_entries


def checked_ttls(ttl: float, negative_ttl: float) -> tuple[float, float]:
    """Both, in seconds, if entries can live so long; else ValueError."""
    if not ttl > 0:
        raise ValueError(f"ttl must be more than 0 seconds, not {ttl!r}; math.inf keeps values until evicted.")
    if not negative_ttl >= 0:
        raise ValueError(f"negative_ttl must be 0 (remember no absence) or more seconds, not {negative_ttl!r}.")
    return ttl, negative_ttl


def no_peek(_key: object) -> Miss:
    """The `peek` of a store that has none: nobody knows without asking it."""
    return MISS
