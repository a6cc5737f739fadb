"""The words for what a cache holds, and the two sockets that everything plugs into.

Three kinds of nothing are three different things here:

    MISS     the store has no entry for the key: nobody knows
    ABSENT   the origin was asked and has no such key: known not to exist
    None     a value like any other: the origin said None

Times are seconds on the clock of the running event loop, in floats.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

__all__ = [
    "ABSENT",
    "Absent",
    "Clock",
    "Entry",
    "Loader",
    "MISS",
    "Miss",
    "Store",
    "checked_bound",
    "lazy_clock",
    "running_clock",
]

K_contra = TypeVar("K_contra", contravariant=True)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

Clock: TypeAlias = Callable[[], float]
"""A function without arguments that returns seconds, never going back."""


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


@dataclass(frozen=True, slots=True)
class Entry(Generic[V_co]):
    """A value and the moment from which it must not be served any more.

    `expires` is in seconds on this process's loop clock, `math.inf` for never. It means nothing on another machine:
    a store that is shared keeps the remaining life instead and turns it back into a moment when it reads.
    """

    value: V_co
    expires: float


class Loader(Protocol[K_contra, V_co]):
    """Where a missing value comes from: the origin, or another cache (then an `Entry`, so that its age travels up).

    A loader may also have `async delete(key)`; a cache above calls it before it deletes its own copy.
    """

    async def __call__(self, key: K_contra, /) -> V_co | Absent | Entry[V_co | Absent]:
        """The value, `ABSENT` when there is no such key, or an `Entry` of either; an error is raised unchanged."""
        ...


class Store(Protocol):
    """Where entries are kept.

    One that lives in this process also has `peek(key)`, the same answer without `await`, and none of the others waits.
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


def checked_bound(max_entries: int) -> int:
    """`max_entries`, if a store can hold so many. Raises ValueError if it is not a whole number of at least 1."""
    if not isinstance(max_entries, int) or max_entries < 1:
        raise ValueError(f"max_entries must be a whole number of at least 1, not {max_entries!r}.")
    return max_entries


def running_clock() -> Clock:
    """The clock of the running loop; without a loop `time.monotonic`, which is what the usual loops return."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return time.monotonic
    if type(loop).time is asyncio.BaseEventLoop.time:  # the same seconds with one call less on the hit path
        return time.monotonic
    return loop.time


def lazy_clock() -> Clock:
    """A clock that binds the running loop's at its first reading, for what is built before the loop runs."""
    bound: Clock | None = None

    def read() -> float:
        nonlocal bound
        if bound is None:
            bound = running_clock()
        return bound()

    return read
