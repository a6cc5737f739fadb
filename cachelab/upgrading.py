"""Upgrade on read: after a deploy the new code also reads what the old code has stored.

Problem: a new version of a value's type has keys of its own. So a deploy is a cold start: the origin gets the load of
    an empty cache. And for as long as old code runs beside new code, each deletes only its own generation after a
    write, and the other serves the old value until its TTL ends.
Idea: a loader between the new cache and the origin. It looks for the entry of the old generation, makes a new value of
    the old one, and asks the origin only if there is none. A delete reaches both generations.
Guarantee: the age travels: an upgraded entry is served no longer than the old one would have been. An absence that the
    old generation remembers is one in the new, for as long. If the old store fails, or `upgrade` raises, the key is
    loaded from the origin, and `failed` counts it: no request breaks. When `delete` returns, both generations have
    forgotten the key; if one of them fails, the other is tried all the same, and the error is raised.
Not guaranteed: that `upgrade` is right. A default for a field that the old code did not have is an invention about old
    rows: let `upgrade` return `MISS` where it cannot know, and the origin is asked. Nor that it returns the new type: a
    store that encodes what it gets refuses a wrong one when it is read again. Deletes by the old code reach the old
    generation only (see `cachelab.stores.also_deleting`). An old entry that is stale, or near enough its end for a
    refresh, is not used, also if the origin fails. The read of the old store counts as the load, whose time tells the
    new cache how early to refresh.
Cost: one more read of a shared store for each miss, as long as this loader is in use: take it out when the last old
    entry has expired.
Source: lazy migration; for stored documents it is the "schema versioning pattern" of MongoDB.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar, overload

from cachelab.clock import Clock, LoopClock
from cachelab.entry import (
    ABSENT,
    MISS,
    Absent,
    Entry,
    Loader,
    Miss,
    Store,
    checked_function,
    checked_functions,
    checked_store,
    loaded_entry,
    loading,
)

__all__ = ["Upgrading"]

K = TypeVar("K", bound=Hashable)
Old = TypeVar("Old")
V = TypeVar("V")


class Upgrading(Generic[K, V]):
    """A loader that answers from `old_store` what can be upgraded, and the rest from `load`.

    `old_store`  the store of the old generation: `RedisStore(redis, OldUser, namespace="user", version=1)`. If the old
                 code uses a `LeasedStore`, so must this: else a delete leaves its lease, and an old fill is accepted.
    `upgrade`    a plain function from an old value to a new one. It returns `MISS` if it cannot know the new one, and
                 `ABSENT` if there is none.
    `load`       the loader of the new code
    `clock`      for tests, as in `Cache`

    Each answer is an `Entry`. `upgraded` counts the answers from the old generation, and `failed` the reads of the old
    store and the upgrades that raised. The first failure is logged, as a warning of the logger "cachelab.upgrading".

    Raises TypeError for what is no store, no loader, or no plain function.
    """

    @overload  # `load` is a cache, or another loader that returns entries
    def __init__(
        self,
        old_store: Store[Old],
        upgrade: Callable[[Old], V | Absent | Miss],
        load: Loader[K, Entry[V | Absent]],
        *,
        clock: Clock | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        old_store: Store[Old],
        upgrade: Callable[[Old], V | Absent | Miss],
        load: Loader[K, V | Absent],
        *,
        clock: Clock | None = None,
    ) -> None: ...
    def __init__(
        self,
        old_store: Store[Old],
        upgrade: Callable[[Old], V | Absent | Miss],
        load: Loader[K, Any],
        *,
        clock: Clock | None = None,
    ) -> None:
        checked_store(old_store, "old_store")
        checked_function("upgrade", upgrade)
        if inspect.iscoroutinefunction(upgrade):
            raise TypeError(f"upgrade must be a plain function, not an async one: {upgrade!r}.")
        checked_function("load", load, "an async function of the key, or a Cache")
        checked_functions(clock=clock)
        self.upgraded = self.failed = 0
        self._old_store, self._upgrade, self._load = old_store, upgrade, load
        self._clock = LoopClock("An Upgrading loader", clock)

    async def __call__(self, key: K) -> Entry[V | Absent]:
        """The upgraded entry, or what `load` answers. Raises what `load` raises.

        TypeError for a key of a type that the old store cannot take.
        """
        self._clock.check_loop()
        try:
            found = await self._old_store.get(key)
        except TypeError:  # the program is wrong, no outage
            raise
        except Exception as error:
            self._fail("The old store", error)
            found = MISS
        new: Entry[Any] | Miss = MISS
        if found is not MISS and self._clock() < found.refresh_from:
            new = self._upgraded(found)
        if new is MISS:
            return loaded_entry(await loading(self._load(key)))
        self.upgraded += 1
        return new

    def _upgraded(self, old: Entry[Any]) -> Entry[Any] | Miss:
        if old.value is ABSENT:
            return old
        try:
            value = self._upgrade(old.value)
        except Exception as error:
            self._fail("An upgrade", error)
            return MISS
        if value is MISS:
            return MISS
        return Entry(value, old.expires, old.fresh_until, old.refresh_from, old.load_time_s)

    def _fail(self, what: str, error: Exception) -> None:
        self.failed += 1
        if self.failed == 1:
            text = "%s has failed: %r. The origin is asked instead, and later failures are only counted."
            logging.getLogger("cachelab.upgrading").warning(text, what, error)

    async def delete(self, key: Any) -> None:
        """Forget the key below, if `load` has a `delete`, and then in the old generation. A cache above goes on.

        Both are tried; raises what one of them raises. A cancelled delete may have reached one of them: call it again.
        """
        below: Callable[[Any], Awaitable[None]] | None = getattr(self._load, "delete", None)
        try:
            if below is not None:
                await below(key)
        except Exception:
            await self._old_store.delete(key)
            raise
        await self._old_store.delete(key)
