"""What the guards have in common: each stands around a loader or a store, and is one itself.

Problem: what protects a call is the same for a loader and for the `get` and `set` of a store. The cache must not notice
    that a guard is there, or it would need a branch for each.
Idea: a guard says how a call is made, in one method. This base applies it to the loader, or to `get` and `set` of the
    store, and passes on each other verb that a cache may ask for.
Guarantee: a guard has the verb `delete`, `peek`, `clear` or `claim` exactly if what it guards has it, and none of them
    is guarded. A delete that is not tried would leave a stale value. A `peek` never waits. A `claim` may rightly wait
    for seconds, for the load of another process (only a `Breaker` may refuse it).
Not guaranteed: anything about calls that do not pass through the guard, such as what a lease sends to its store. That
    other processes notice: each has guards of its own. That guards in another order protect as well (see below). The
    counters and the other methods of a store are not passed on: call them on the store itself.
Cost: a coroutine for each guarded call. A hit in this process meets no guard.
Source: the pattern is the decorator; Nygard, "Release It!", has the three guards.

The order of guards around a loader, with `Guarded` from `cachelab.guarded`, is

    Guarded(Bulkhead(Breaker(TimeLimit(load, 0.5)), running=4, waiting=16), known)

Each other order of two neighbours fails in its own way. A bulkhead outside `Guarded` refuses unknown keys while its
line is full, although their answer costs nothing. A breaker outside the bulkhead does not stop the callers that wait in
line: each of them goes on to an origin that is known to be down. A time limit outside the breaker cancels the load, and
a cancelled load is no failure: the breaker never opens. So `Breaker(Guarded(...))` is wrong, too: while the origin is
down, the answer for an unknown key would close the breaker. And a time limit outside the bulkhead counts the time in
line: under load it ends calls that would have been fast.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cachelab.entry import Entry, Miss, checked_function, checked_store, loading

__all__ = ["Guard"]

K = TypeVar("K")
V = TypeVar("V")

GUARDED = ("get", "set")
PASSED_ON = ("delete", "peek", "clear", "claim")


class Guard(ABC, Generic[K, V]):
    """A guard around `inside`, which is a store or a loader: what has a `set` is a store.

    Raises TypeError for what is neither.
    """

    def __init__(self, inside: Any) -> None:
        if hasattr(inside, "set"):
            checked_store(inside)
            for verb in GUARDED:
                setattr(self, verb, partial(self._call, getattr(inside, verb)))
        else:
            checked_function("inside", inside, "a store, an async function of the key, or a Cache")
        for verb in PASSED_ON:
            if hasattr(inside, verb):
                setattr(self, verb, getattr(inside, verb))
        self._inside = inside

    @abstractmethod
    async def _call(self, verb: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Await `verb(*arguments)`, as this guard allows it."""

    async def __call__(self, key: K, /) -> V:
        """What the loader returns for the key."""
        answer: V = await self._call(self._load, key)
        return answer

    def _load(self, key: K) -> Awaitable[V]:
        return loading(self._inside(key))

    if TYPE_CHECKING:  # what `__init__` passes on

        async def get(self, key: Any, /) -> Entry[V] | Miss: ...
        async def set(self, key: Any, entry: Entry[V], /) -> None: ...
        async def delete(self, key: Any, /) -> None: ...
