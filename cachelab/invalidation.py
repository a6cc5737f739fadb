"""Invalidation: how a cache forgets a key after a write, here and at the levels below.

Problem: after a write every copy of the old value is wrong: in this cache, in the caches below it, and in the loads
    that are under way.
Idea: deletes go down before up. A `delete` on the upper cache reaches every cache below it first. In the other order a
    reader could miss above, find the old copy below, and fill the upper level with it again. At each level the fences
    of the loads under way are broken first (see `cachelab.level`), then the store forgets the key.
Guarantee: when `delete` returns, this cache has forgotten the key, and so has its loader, if that has a `delete` as a
    cache has, and so on down. If one of them fails, it raises: silence would mean stale data.
Not guaranteed: anything about a cache that is called inside a loader without a `delete`, such as a function around it;
    about the caches above this one; or about other processes. Those are told by a message, for which `invalidate` and
    `invalidate_all` are here, or keep the old value until its TTL ends.
Cost: one delete for each level, one after the other.
Source: "delete, do not set": Nishtala et al., NSDI'13, section 2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from cachelab.clock import LoopClock
from cachelab.entry import Store
from cachelab.events import Counters, InvalidationFailed, Listener
from cachelab.flight import Flight
from cachelab.level import Level

__all__ = ["Invalidation"]


class Invalidation(Counters):
    """The half of a `Cache` that forgets keys: in `store`, in `loader` below it, and among the loads of `flight`."""

    def __init__(
        self, store: Store[Any], loader: Any, flight: Flight, clock: LoopClock, name: str, listen: Listener | None
    ) -> None:
        super().__init__(name, listen, clock)
        self._loader, self._flight = loader, flight
        self._level = Level(store, clock, self._store_error, self._fact)

    async def delete(self, key: Any) -> None:
        """Forget `key` at every level, the lowest first. Call it after the origin's write has committed.

        Raises `InvalidationFailed` if a level could not be reached; the levels above it are reached all the same. A
        cancelled delete may have reached only some levels: call it again. TypeError for a key of a type that a store
        cannot take: to try again would not help.
        """
        below: Callable[[Any], Awaitable[None]] | None = getattr(self._loader, "delete", None)
        try:
            try:
                if below is not None:
                    await below(key)
            finally:
                self._forget_loads(key)
                await self._level.store.delete(key)
        except InvalidationFailed:
            raise
        except Exception as error:
            self._store_error(key, error, raised=True)
            raise InvalidationFailed(f"{self.name} could not delete {key!r}: it may be served stale; retry.") from error
        self._fact(key, "delete")

    async def invalidate(self, key: Any) -> None:
        """Forget what this process holds or loads of `key` at this level, after another process has written it.

        A shared store is left alone: the other process has deleted the key there. The cache below is left alone, too.
        """
        self._forget_loads(key)
        if self._level.in_process:
            await self._level.store.delete(key)

    async def invalidate_all(self) -> None:
        """As `invalidate`, for every key: for a process that may have missed the messages of others.

        Raises TypeError if the store is in this process and has no `clear`.
        """
        for key in self._level.loading():
            self._forget_loads(key)
        if self._level.in_process:
            clear: Callable[[], None] | None = getattr(self._level.store, "clear", None)
            if clear is None:
                name = type(self._level.store).__name__
                raise TypeError(f"invalidate_all needs a store with clear(), which {name} does not have.")
            clear()

    def _forget_loads(self, key: Hashable) -> None:
        """A load under way may have read the old value: it must not fill, and later callers must not join it."""
        self._level.break_fences(key)
        self._flight.forget(key)
