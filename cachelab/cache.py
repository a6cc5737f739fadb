"""The read path: look, join or load, fill. With nothing else plugged in this is cache-aside, packaged as read-through.

Problem: the origin is slow, can answer only so many queries per second, and is asked the same few things all day.
Idea: look in a store first; on a miss load from the origin and keep the answer for `ttl` seconds.
Guarantee: a value is served for at most `ttl` seconds after its load ended (and what `freshness` adds), in a stack of
    caches too, since its age travels up with it. A store that raises on an awaited read or a fill costs a load, never
    the request, and is not sent the fill after a failed read. The origin's error reaches the caller as it is and is not
    remembered. `delete` raises unless this level, and each below that is the loader itself and has a `delete`, has
    forgotten the key; nothing this cache loaded before that stays, or is given to anybody who asks later.
Not guaranteed: one load per key, unless there is a `flight` (a thousand callers that miss together load a thousand
    times); anything about fills by another `Cache` or process, or by a store that failed in the middle of one.
Cost: a hit in this process awaits nothing; a miss costs the store's answer on top of the load.
Source: the pattern is called cache-aside by the Azure and AWS pattern pages, look-aside by Nishtala et al., NSDI'13.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from cachelab.clock import Clock, LoopClock
from cachelab.entry import ABSENT, MISS, Absent, Entry, Loader, Miss, Store, call_loader, checked_ttls, no_peek
from cachelab.events import Counters, InvalidationFailed, Listener, Outcome
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.level import Fence, Fences

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Counters, AbstractAsyncContextManager["Cache[K, V]"], Generic[K, V]):
    """Answers from `store`; what is not there it loads with `load` and keeps for `ttl` seconds.

    `ttl`           seconds a value may be served after its load, `math.inf` for as long as the store keeps it
    `negative_ttl`  seconds to remember that a key does not exist; 0, the default, remembers no absence
    `flight`        a `Flight` of its own: callers who miss together share one load, which outlives them
    `freshness`     jitter, early recomputation and stale answers; without it an entry is fresh for its TTL, then gone
    `name`          stands in every record: ratios are per cache
    `listen`        called with one `Record` for each `get`, and with a `Fact` for everything else
    `clock`         for tests; by default the running loop's. Give the store the same one.

    A cache belongs to one event loop, the one it first loads in; `async with` ends the loads it has started there. It
    is itself a loader (calling it returns the `Entry`), so a cache over a cache is `Cache(store, load=lower, ttl=...)`.
    """

    def __init__(
        self,
        store: Store,
        load: Loader[K, V],
        *,
        ttl: float,
        negative_ttl: float = 0.0,
        flight: Flight | None = None,
        freshness: Freshness | None = None,
        name: str = "cache",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not callable(load):
            raise TypeError(f"load must be an async function of the key, or a Cache, not {load!r}.")
        super().__init__(name, listen)
        self._store, self._loader = store, load
        self._ttl, self._negative_ttl = checked_ttls(ttl, negative_ttl)
        self._fences = Fences()
        self._shared = flight is not None
        self._flight = Flight() if flight is None else flight
        self._freshness = freshness or Freshness()
        self._peek: Callable[[K], Entry[V | Absent] | Miss] = getattr(store, "peek", no_peek)
        self._in_process = self._peek is not no_peek
        self._clock = LoopClock(name, clock)

    async def get(self, key: K) -> V | Absent:
        """The value of `key`, or `ABSENT` if the origin has no such key. Raises what the load raises."""
        entry = self._peek(key)
        if entry is MISS:
            entry = await self._read(key)
        elif self._listen is None:
            self.hits += 1
        else:
            self._answered(key, "hit", entry.value)
        return entry.value

    async def __call__(self, key: K) -> Entry[V | Absent]:
        """As `get`, but the whole `Entry`: this is what makes a cache a loader for the cache above it."""
        entry = self._peek(key)
        if entry is MISS:
            return await self._read(key)
        self._answered(key, "hit", entry.value)
        return entry

    async def _read(self, key: K) -> Entry[V | Absent]:
        outcome: Outcome = "miss"
        try:
            entry = await self._look(key)
            if entry is not MISS:  # there, and perhaps due or stale
                now = self._clock()
                outcome = "hit" if now < entry.fresh_until else "stale"
                if entry.refresh_from <= now and self._freshness.should_refresh(entry, now):
                    self._flight.start(key if self._shared else object(), lambda _: self._refresh(key))
            elif not self._shared:
                entry = await self._load_and_fill(key)
            else:
                outcome = "collapsed" if key in self._flight else "miss"
                entry = await self._flight.do(key, self._load_and_fill)
        except BaseException:
            self._answered(key, outcome, error=True)
            raise
        self._answered(key, outcome, entry.value)
        return entry

    async def _load_and_fill(self, key: K) -> Entry[V | Absent]:
        with self._fences.around(key) as fence:
            began = self._clock()
            entry = await self._load(key)
            now = self._clock()
            life = self._negative_ttl if entry.value is ABSENT else self._ttl
            stamped = self._freshness.stamp(entry, now, life, load_time_s=now - began)
            if stamped.fresh_until > now and not fence.broken:
                entry = stamped
                filling = self._fill(key, entry, fence)
                await (filling if self._in_process else fence.stand_until_done(filling))
            if fence.broken:
                self._fact(key, "fenced")
                entry = Entry(entry.value, now)  # for those who wait, and for no cache above
        return entry

    async def _refresh(self, key: K) -> Entry[V | Absent]:
        """A load that nobody needs to wait for. A key that is found to be gone must not be served stale."""
        entry = await self._load_and_fill(key)
        if entry.value is ABSENT and self._negative_ttl == 0:
            try:
                await self._store.delete(key)
            except Exception as error:
                self._store_failed(key, error)
        return entry

    async def delete(self, key: K) -> None:
        """Forget `key` at every level, the lowest first, so that no level refills from a stale one below.

        Call it after the origin's write has committed. Raises `InvalidationFailed` if a level could not be reached;
        those above it are told all the same. A cancelled delete may have reached only some levels: call it again.
        """
        below: Callable[[K], Awaitable[None]] | None = getattr(self._loader, "delete", None)
        try:
            try:
                if below is not None:
                    await below(key)
            finally:
                self._fences.break_all(key)  # a load that began before this may hold the old value
                self._flight.forget(key)
                await self._store.delete(key)
        except InvalidationFailed:
            raise
        except Exception as error:
            self._store_failed(key, error)
            raise InvalidationFailed(f"{self.name} could not delete {key!r}: it may be served stale; retry.") from error
        self._fact(key, "delete")

    async def _look(self, key: K) -> Entry[V | Absent] | Miss:
        self._clock.check_loop()
        try:
            entry = MISS if self._fences.overtaken(key) else await self._store.get(key)
        except Exception as error:  # a store that is down costs a load, never the request
            self._store_failed(key, error)
            self._fences.unread(key)
            return MISS
        return MISS if entry is MISS or entry.expires <= self._clock() else entry  # it may die on the way here

    async def _load(self, key: K) -> Entry[V | Absent]:
        self.loads += 1
        self._fact(key, "load")
        try:
            return await call_loader(self._loader, key)
        except Exception as error:
            self.load_errors += 1
            self._fact(key, "load error", error)
            raise

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

    async def aclose(self) -> None:
        """Cancel the loads and refreshes in flight, tell who waits for one, and wait until the last fill has landed."""
        await self._flight.aclose()
        await self._fences.fills()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
