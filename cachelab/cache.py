"""The read path: look, load, fill. With nothing else plugged in this is cache-aside, packaged as read-through.

Problem: the origin is slow, can answer only so many queries per second, and is asked the same few things all day.
Idea: look in a store first; on a miss load from the origin and keep the answer for `ttl` seconds.
Guarantee: a value is served for at most `ttl` seconds after its load ended, in a stack of caches too, since its age
    travels up with it. A store that raises on an awaited read or a fill costs a load, never the request. The origin's
    error reaches the caller as it is and is not remembered. `delete` raises unless this level, and each below that is
    the loader itself and has a `delete`, has forgotten the key; nothing this cache loaded before it stays after it.
Not guaranteed: one load per key (a thousand callers that miss together load a thousand times); anything about fills by
    another `Cache` or process, or by a store that failed in the middle of one (until the TTL ends).
Cost: a hit in this process awaits nothing; a miss costs the store's answer on top of the load.
Source: the pattern is called cache-aside by the Azure and AWS pattern pages, look-aside by Nishtala et al., NSDI'13.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from cachelab.entry import ABSENT, MISS, Absent, Clock, Entry, Loader, Miss, Store, running_clock
from cachelab.events import Counted, InvalidationFailed, Listener
from cachelab.fence import Fence, Fences

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Counted, Generic[K, V]):
    """Answers from `store`; what is not there it loads with `load` and keeps for `ttl` seconds.

    `ttl`           seconds a value may be served after its load, `math.inf` for as long as the store keeps it
    `negative_ttl`  seconds to remember that a key does not exist; 0, the default, remembers no absence
    `name`          stands in every record: ratios are per cache
    `listen`        called with one `Record` for each `get`, and with a `Fact` for everything else
    `clock`         for tests; by default the running loop's. Give the store the same one.

    A cache belongs to one event loop, the one it first loads in. It is itself a loader (calling it returns the
    `Entry`), so a cache over a cache is `Cache(store, load=lower, ttl=...)`.
    """

    def __init__(
        self,
        store: Store,
        load: Loader[K, V],
        *,
        ttl: float,
        negative_ttl: float = 0.0,
        name: str = "cache",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not ttl > 0:
            raise ValueError(f"ttl must be more than 0 seconds, not {ttl!r}; math.inf keeps values until evicted.")
        if not negative_ttl >= 0:
            raise ValueError(f"negative_ttl must be 0 (remember no absence) or more seconds, not {negative_ttl!r}.")
        if not callable(load):
            raise TypeError(f"load must be an async function of the key, or a Cache, not {load!r}.")
        super().__init__(name, listen)
        self._store = store
        self._fences = Fences()
        self._peek: Callable[[K], Entry[V | Absent] | Miss] = getattr(store, "peek", _no_peek)
        self._in_process = self._peek is not _no_peek
        self._loader = load
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._given_clock = clock
        self._clock: Clock = clock or time.monotonic  # the loop's, once there is one
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, key: K) -> V | Absent:
        """The value of `key`, or `ABSENT` if the origin has no such key. Raises what the load raises."""
        entry = self._peek(key)
        if entry is MISS:
            entry = await self._read(key)
        elif self._listen is None:
            self.hits += 1
        else:
            self._hit(key, entry.value)
        return entry.value

    async def __call__(self, key: K) -> Entry[V | Absent]:
        """As `get`, but the whole `Entry`: this is what makes a cache a loader for the cache above it."""
        entry = self._peek(key)
        if entry is MISS:
            return await self._read(key)
        self._hit(key, entry.value)
        return entry

    async def _read(self, key: K) -> Entry[V | Absent]:
        try:
            entry = await self._look(key)
            if entry is not MISS:
                self._hit(key, entry.value)
                return entry
            self.misses += 1
            with self._fences.around(key) as fence:
                entry = await self._load(key)
                now = self._clock()
                life = self._negative_ttl if entry.value is ABSENT else self._ttl
                expires = min(now + life, entry.expires)  # no longer than the level below would serve it
                if expires > now and not fence.broken:
                    entry = Entry(entry.value, expires)
                    filling = self._fill(key, entry, fence)
                    await (filling if self._in_process else fence.stand_until_done(filling))
                if fence.broken:
                    self._fact(key, "fenced")
                    entry = Entry(entry.value, now)  # for this caller, and for no cache above
        except BaseException:
            self._record(key, "miss", error=True)
            raise
        self._record(key, "miss", entry.value)
        return entry

    async def delete(self, key: K) -> None:
        """Forget `key` at every level, the lowest first, so that no level refills from a stale one below.

        Call it after the write to the origin has committed. Raises `InvalidationFailed` if a level could not be
        reached; the levels above it have been told all the same. A cancelled delete may have reached some levels
        only: call it again.
        """
        below: Callable[[K], Awaitable[None]] | None = getattr(self._loader, "delete", None)
        try:
            try:
                if below is not None:
                    await below(key)
            finally:
                self._fences.break_all(key)  # a load that began before this may hold the old value
                await self._store.delete(key)
        except InvalidationFailed:
            raise
        except Exception as error:
            self._store_failed(key, error)
            raise InvalidationFailed(f"{self.name} could not delete {key!r}: it may be served stale; retry.") from error
        self._fact(key, "delete")

    async def _look(self, key: K) -> Entry[V | Absent] | Miss:
        self._bind_to_loop()
        if self._in_process:
            return MISS  # `peek` has just said so
        try:
            entry = await self._store.get(key)
        except Exception as error:  # a store that is down costs a load, never the request
            self._store_failed(key, error)
            return MISS
        return MISS if entry is MISS or entry.expires <= self._clock() else entry  # it may die on the way here

    async def _load(self, key: K) -> Entry[V | Absent]:
        self.loads += 1
        self._fact(key, "load")
        try:
            answer = self._loader(key)
            if not inspect.isawaitable(answer):
                raise TypeError(f"load must be an async function, but it returned {type(answer).__name__} at once.")
            loaded = await answer
            if loaded is MISS:
                raise TypeError(
                    "load returned MISS, which means nobody knows; return ABSENT for a key that isn't there."
                )
        except Exception as error:
            self.load_errors += 1
            self._fact(key, "load error", error)
            raise
        return loaded if isinstance(loaded, Entry) else Entry(loaded, math.inf)

    async def _fill(self, key: K, entry: Entry[V | Absent], fence: Fence) -> None:
        try:
            try:
                await self._store.set(key, entry)
                self._fact(key, "fill")
            finally:
                if fence.broken:  # the delete may have overtaken the fill on its way
                    await self._store.delete(key)
        except Exception as error:  # the caller has the value; the next one will load again
            self._store_failed(key, error)

    def _bind_to_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._clock = self._given_clock or running_clock()
        elif self._loop is not loop:
            raise RuntimeError(
                f"{self.name} belongs to another event loop: build a cache inside the loop that uses it."
            )


def _no_peek(_key: Any) -> Miss:
    return MISS
