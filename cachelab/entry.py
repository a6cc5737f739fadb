"""The words for what a cache holds, and the two interfaces that everything plugs into: `Loader` and `Store`.

Three kinds of nothing are three different things here:

    MISS     the store has no entry for the key, so it cannot say anything about it
    ABSENT   the origin was asked and has no such key: the key is known not to exist
    None     a value like any other: the origin answered None

Times are floats, in seconds on the clock of the running event loop.
"""

from __future__ import annotations

import enum
import inspect
import math
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, Final, Generic, Protocol, TypeVar

__all__ = [
    "ABSENT",
    "Absent",
    "Entry",
    "Lease",
    "Loader",
    "MISS",
    "Miss",
    "Store",
    "checked_count",
    "checked_function",
    "checked_functions",
    "checked_instance",
    "checked_number",
    "checked_store",
    "checked_ttls",
    "loaded_entry",
    "loading",
]

K_contra = TypeVar("K_contra", contravariant=True)
V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
V_contra = TypeVar("V_contra", contravariant=True)


class Miss(enum.Enum):
    """The type of `MISS`. It is falsy, and its only member lets a type checker follow `is MISS`."""

    MISS = "MISS"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISS"

    __str__ = __repr__


class Absent(enum.Enum):
    """The type of `ABSENT`. It is falsy, and a copy or a pickle of its only member is the same object."""

    ABSENT = "ABSENT"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"

    __str__ = __repr__


MISS: Final = Miss.MISS
"""What a store returns for a key that it does not have."""
ABSENT: Final = Absent.ABSENT
"""What a loader returns, and so a cache, for a key that does not exist. `None` is a value like any other."""


@dataclass(slots=True)
class Entry(Generic[V_co]):
    """A value and the moments of its lifetime, in seconds on this process's loop clock; `math.inf` means never.

    `expires`       from this moment on the entry must not be served
    `fresh_until`   from this moment on it is stale: it may be served while the key is loaded again; default `expires`
    `refresh_from`  from this moment on a read may start that load; default `fresh_until`
    `load_time_s`   how many seconds its load took

    Always refresh_from ≤ fresh_until ≤ expires: a later moment is brought forward. Moments mean nothing on another
    machine, so a shared store keeps the remaining lifetime and turns it back into moments when it reads.

    Entries are shared: do not change one. A type checker enforces that. A frozen dataclass would enforce it at run time
    too, but takes four times as long to build.
    """

    value: Final[V_co]  # type: ignore[misc]  # mypy doubts a Final of a type variable, and then follows it
    expires: Final[float]
    fresh_until: Final[float] = field(default=math.inf, repr=False)
    refresh_from: Final[float] = field(default=math.inf, repr=False)
    load_time_s: Final[float] = field(default=0.0, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.fresh_until > self.expires:
            self.fresh_until = self.expires  # type: ignore[misc]  # the entry is not shared yet
        if self.refresh_from > self.fresh_until:
            self.refresh_from = self.fresh_until  # type: ignore[misc]

    def fresh_for(self, now: float) -> float:
        """How many seconds of freshness remain at `now`, at least 0: what `max-age` of Cache-Control may promise."""
        return max(0.0, self.fresh_until - now)


class Loader(Protocol[K_contra, V_co]):
    """Where a missing value comes from: the origin, or another cache.

    A loader returns the value, or `ABSENT` if there is no such key. A cache as a loader returns an `Entry` of either,
    so that the age of the value travels up with it. A loader may also have `async delete(key)`: a cache above calls it
    before it deletes its own copy.
    """

    async def __call__(self, key: K_contra, /) -> V_co:
        """The value, `ABSENT`, or an `Entry` of either. The caller of the cache receives an error unchanged."""
        ...


class Store(Protocol[V]):
    """Where entries are kept. The value of an entry is a `V`, or `ABSENT` for a key that is known not to exist.

    A store may have more verbs than these three:

    `peek(key)`         for a store in this process, without `await`: the entry if no refresh can be due yet, else
                        `MISS`. An error that it raises reaches the caller. None of the other verbs of such a store
                        ever waits.
    `clear()`           without `await`: forget every entry. `invalidate_all` needs it of a store with `peek`.
    `claim(key, seen)`  with `await`, for a store that several processes share. A cache calls it before it loads a key
                        for which it found `seen`: an `Entry`, or `MISS`. It returns a `Lease`, which is the right to
                        load and to fill, or the `Entry` that another process has just filled.
    """

    async def get(self, key: Any, /) -> Entry[V] | Miss:
        """The entry, or `MISS`. An entry is gone at the instant `expires`, not after it."""
        ...

    async def set(self, key: Any, entry: Entry[V], /) -> None:
        """Keep the entry in place of an older one. The store may evict it at any time."""
        ...

    async def delete(self, key: Any, /) -> None:
        """Forget the key. Nothing happens if it is not there."""
        ...


class Lease(Protocol[V_contra]):
    """The right to fill one key of a shared store. It is used once: exactly one of its verbs is called."""

    async def set(self, entry: Entry[V_contra], /) -> bool:
        """Keep the entry. False, and nothing is kept, if the key was deleted since the lease was granted."""
        ...

    async def drop(self) -> None:
        """Remove the old entry: the origin no longer has the key. A newer entry stays."""
        ...

    async def release(self) -> None:
        """Give the lease back: the load has nothing to share."""
        ...


def loading(answer: Any) -> Awaitable[Any]:
    """What a loader has returned, if it can be awaited; else TypeError."""
    if type(answer) is not CoroutineType and not inspect.isawaitable(answer):  # most loaders save the call
        raise TypeError(f"load must be an async function, but it returned {type(answer).__name__} at once.")
    return answer


def loaded_entry(loaded: Any) -> Entry[Any]:
    """The answer of a loader as an `Entry`; a plain value becomes one that never expires. TypeError if it is `MISS`."""
    if loaded is MISS:
        raise TypeError("load returned MISS, which only a store returns; return ABSENT for a key that isn't there.")
    return loaded if isinstance(loaded, Entry) else Entry(loaded, math.inf)


def checked_count(name: str, count: int, least: int = 1) -> int:
    """`count`, if it is a whole number of at least `least`; else ValueError."""
    if not isinstance(count, int) or isinstance(count, bool) or count < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {count!r}.")
    return count


def checked_ttls(ttl: float, negative_ttl: float) -> tuple[float, float]:
    """Both as floats, in seconds, if `ttl` is above 0 and `negative_ttl` is not below; else ValueError.

    Raises TypeError for what is no int or float.
    """
    ttl_s, negative_ttl_s = checked_number("ttl", ttl), checked_number("negative_ttl", negative_ttl)
    if not ttl_s > 0:
        raise ValueError(f"ttl must be more than 0 seconds, not {ttl!r}; math.inf keeps values until evicted.")
    if not negative_ttl_s >= 0:
        raise ValueError(f"negative_ttl must be 0 (remember no absence) or more seconds, not {negative_ttl!r}.")
    return ttl_s, negative_ttl_s


def checked_number(name: str, number: float) -> float:
    """`number` as a float, if it is an int or a float; else TypeError. ValueError for an int that no float can hold."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{name} must be a number (int or float), not {number!r}.")
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{name} is too large a number; math.inf means without end.") from None


def checked_function(name: str, function: object, what: str = "a function") -> None:
    """Raises TypeError if `function` cannot be called; the sentence says that it must be `what`."""
    if not callable(function):
        raise TypeError(f"{name} must be {what}, not {function!r}.")


def checked_functions(**functions: object) -> None:
    """Raises TypeError if one of these is neither None nor can be called."""
    for name, function in functions.items():
        if function is not None:
            checked_function(name, function)


def checked_instance(name: str, part: object, kind: type) -> None:
    """Raises TypeError if `part` is no instance of `kind`."""
    _refuse_class(name, part)
    if not isinstance(part, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not an object of type {type(part).__name__}.")


def checked_store(store: Any, name: str = "store") -> None:
    """Raises TypeError if `store` is a class, or lacks one of the methods of a `Store`."""
    _refuse_class(name, store)
    verbs = ("get", "set", "delete")
    if missing := [verb for verb in verbs if not callable(getattr(store, verb, None))]:
        lacks = " and ".join(missing)
        raise TypeError(f"{name} must have async {', '.join(verbs)}; a {type(store).__name__} has no {lacks}.")


def _refuse_class(name: str, part: object) -> None:
    if isinstance(part, type):
        raise TypeError(f"{name} must be an instance, not the class {part.__name__}: write {part.__name__}(...).")
