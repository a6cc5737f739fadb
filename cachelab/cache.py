"""The read path: peek, read the store, join or start a load, fill. With no other part plugged in it is cache-aside.

Problem: the origin is slow, can answer only so many queries per second, and is asked the same few things all day.
Idea: look in a store first. On a miss load from the origin, and keep the answer for `ttl` seconds. The caller sees only
    the cache, which calls the loader (read-through).
Guarantee: a value is served for at most `ttl` seconds after its load ended, and what `freshness` adds. Only a caller
    that joins a load may get it later: when a slow fill ends. This holds in a stack of caches too, since the age of a
    value travels up with it. A store that raises on a read or a fill costs a load, never the request (only a TypeError
    reaches the caller: the store cannot take such a key or value, and the program is wrong). The origin's error reaches
    the caller unchanged and is not remembered. After a `delete` (see `cachelab.invalidation`) nothing that this cache
    loaded before it stays, or is given to a later caller. A closed cache fills and loads nothing more. A cancellation,
    an interrupt (KeyboardInterrupt, SystemExit) or a listener that raises leaves nothing in the tables.
Not guaranteed: one load per key, unless there is a `flight`: a thousand callers that miss together load a thousand
    times. Anything about fills by another `Cache` or process, unless the store grants leases, or by a store that failed
    in the middle of a fill.
Cost: a hit in this process awaits nothing. A miss costs the store's answer on top of the load.
Source: the Azure and AWS pattern pages call the pattern cache-aside; Nishtala et al., NSDI'13, call it look-aside.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task  # one look-up less for each load
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

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
    checked_instance,
    checked_store,
    checked_ttls,
    loaded_entry,
    loading,
)
from cachelab.events import Listener, Outcome, abandoned
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.invalidation import Invalidation

__all__ = ["Cache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Options(TypedDict, total=False):
    """The keywords of a `Cache` that have a default; they are described there."""

    negative_ttl: float
    flight: Flight | None
    freshness: Freshness | None
    name: str
    listen: Listener | None
    clock: Clock | None


class Cache(Invalidation, AbstractAsyncContextManager["Cache[K, V]"], Generic[K, V]):
    """Answers from `store`. What is not there it loads with `load` and keeps for `ttl` seconds.

    `ttl`           seconds for which a value may be served after its load; `math.inf`: as long as the store keeps it
    `negative_ttl`  seconds for which to remember that a key does not exist; with 0 no absence is remembered
    `flight`        a `Flight` of its own: callers that miss together share one load, which outlives them
    `freshness`     jitter, early recomputation and stale answers; without it an entry is fresh for its TTL, then gone
    `name`          stands in every record: ratios are per cache
    `listen`        called with one `Record` for each `get`, and with a `Fact` for everything else
    `clock`         for tests; by default the running loop's. Give the store the same one.

    A cache belongs to the event loop in which it first awaits its store. `async with` ends all its loads: see
    `aclose`. A cache is itself a loader (calling it returns the `Entry`), so two levels are
    `Cache(store, load=lower_cache, ttl=...)`. `delete`, `invalidate` and `invalidate_all` are in
    `cachelab.invalidation`, the counters in `cachelab.events`.
    """

    @overload  # `load` is a cache, or another loader that returns entries
    def __init__(
        self, store: Store[V], load: Loader[K, Entry[V | Absent]], *, ttl: float, **options: Unpack[_Options]
    ) -> None: ...
    @overload
    def __init__(
        self, store: Store[V], load: Loader[K, V | Absent], *, ttl: float, **options: Unpack[_Options]
    ) -> None: ...
    def __init__(
        self,
        store: Store[Any],
        load: Loader[K, Any],
        *,
        ttl: float,
        negative_ttl: float = 0.0,
        flight: Flight | None = None,
        freshness: Freshness | None = None,
        name: str = "cache",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check_parts(store, load, flight, freshness)
        checked_functions(listen=listen, clock=clock)
        self._ttl, self._negative_ttl = checked_ttls(ttl, negative_ttl)
        if flight is not None:
            flight.reserve(name)
        self._clock = LoopClock(name, clock)
        self._freshness = freshness or Freshness()
        # what is inherited: the loader, the flight, the counters, and `_level`, which is the store and its fences
        super().__init__(store, load, _Unshared() if flight is None else flight, self._clock, name, listen)
        self._level.unreadable.shared = flight is not None
        self._peek: Callable[[K], Entry[V | Absent] | Miss] = self._level.peek

    async def get(self, key: K) -> V | Absent:
        """The value of `key`, or `ABSENT` if the origin has no such key. Raises what the load raises."""
        entry = self._peek(key)  # in this process and fresh: a hit, without an await
        if entry is MISS:
            entry = await self._read(key)
        elif self._listen is None:
            self.hits += 1
        else:
            self._record(key, "hit", entry.value)
        return entry.value

    async def __call__(self, key: K) -> Entry[V | Absent]:
        """As `get`, but returns the whole `Entry`: so a cache is a loader for the cache above it."""
        entry = self._peek(key)
        if entry is MISS:
            return await self._read(key)
        self._record(key, "hit", entry.value)
        return entry

    async def _read(self, key: K) -> Entry[V | Absent]:
        """Read the store. A miss joins the load in flight or starts one.

        A stale entry, or one near its end, is returned, and may be loaded again in the background.
        """
        outcome: Outcome = "miss"
        try:
            found = await self._level.read(key)
            if isinstance(found, Entry):
                entry, now = found, self._clock()
                outcome = "hit" if now < entry.fresh_until else "stale"
                if entry.refresh_from <= now and self._freshness.should_refresh(entry, now):
                    self._flight.start(key, partial(self._load_and_fill, seen=entry))
            else:  # a miss, or None: the store failed
                outcome = "collapsed" if key in self._flight else "miss"
                load = self._flight.do(key, self._load_and_fill)
                entry, found_elsewhere = await (load if found is MISS else self._level.without_fill(key, load))
                if found_elsewhere:
                    outcome = "collapsed"
        except BaseException:
            self._record(key, outcome, error=True)
            raise
        self._record(key, outcome, entry.value, entry.fresh_until)
        return entry

    async def _load_and_fill(self, key: K, seen: Entry[Any] | Miss = MISS) -> tuple[Entry[Any], bool]:
        """Load behind a fence and keep what was loaded. `seen` is the old entry that a refresh replaces.

        Returns True beside the entry if no load was needed, since another process had just filled the key.
        """
        with self._level.fence(key) as fence:  # a delete breaks it
            if self._level.grants:  # a lease is the right to load and to fill
                elsewhere = await self._level.claim(key, seen, fence)
                if elsewhere is not MISS:
                    return elsewhere, True
            began = self._clock()
            entry = await self._load(key)
            now = self._clock()
            ttl = self._negative_ttl if entry.value is ABSENT else self._ttl
            stamped = self._freshness.stamp(entry, now, ttl, load_time_s=now - began)
            if stamped.fresh_until > now:
                entry = stamped
                await self._level.fill(key, entry, fence)
            elif entry.value is ABSENT and seen is not MISS:  # the origin no longer has the key
                await self._level.drop(key, fence)
            if fence.broken:
                self._fact(key, "fenced")
                entry = Entry(entry.value, now)  # it has expired: those that wait get it, no cache above keeps it
        return entry, False

    async def _load(self, key: K) -> Entry[Any]:
        self.loads += 1
        if self._listen is not None:
            self._fact(key, "load")
        began = None if self._listen is None else self._clock()
        try:
            entry = loaded_entry(await loading(self._loader(key)))
        except Exception as error:
            self._load_failed(key, error, began)
            raise
        except BaseException:  # cancelled or interrupted
            self.loads_abandoned += 1
            self._fact(key, "load abandoned", began=began)
            raise
        if began is not None:
            self._fact(key, "loaded", began=began)
        return entry

    async def aclose(self) -> None:
        """Cancel the loads and refreshes under way, and wait until they and the last fill have ended.

        Each `get` that waits for one of these loads raises `LoadAbandoned`. From then on a hit is a hit, since the
        store stays open, and a miss raises RuntimeError.
        """
        await self._flight.aclose()
        await self._level.all_sent()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _check_parts(store: object, load: object, flight: object, freshness: object) -> None:
    """Raises TypeError for a part that is no such thing."""
    checked_store(store)
    checked_function("load", load, "an async function of the key, or a Cache")
    if hasattr(load, "set"):  # a guard around a store can be called, as one around a loader can
        raise TypeError(f"load must be an async function of the key, or a Cache, not a store: {load!r}.")
    if flight is not None:
        checked_instance("flight", flight, Flight)
    if freshness is not None:
        checked_instance("freshness", freshness, Freshness)


class _Unshared(Flight):
    """Stands in for a flight where there is none: each caller loads by itself. Refreshes run here, each in a task."""

    def __init__(self) -> None:
        super().__init__()
        self._callers: dict[object, asyncio.Task[Any] | None] = {}  # of each load: its caller; None: `aclose` ended it
        self._all_ended = asyncio.Event()

    async def do(self, key: Any, load: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._closed:
            raise RuntimeError("This cache is closed: it starts no more loads.")
        caller: Any = current_task()
        this, others = object(), caller.cancelling()
        self._callers[this] = caller
        try:
            return await load(key)
        except asyncio.CancelledError as error:
            if self._callers[this] is None and caller.cancelling() <= others + 1:  # nobody else cancelled the caller
                raise abandoned(key, error) from error
            raise
        finally:
            if self._callers.pop(this) is None:
                caller.uncancel()
                if not self._callers:
                    self._all_ended.set()
            del caller  # the task holds the error, whose traceback holds this frame: a reference cycle

    def start(self, key: Any, load: Callable[[Any], Awaitable[Any]]) -> None:
        super().start(object(), lambda _: load(key))  # a key of its own for each, so that none is shared

    async def aclose(self) -> None:
        for load, caller in self._callers.items():
            if caller is not None:
                self._callers[load] = None
                caller.cancel("The cache was closed.")  # the load runs in its caller's task
        await super().aclose()
        if self._callers:
            await self._all_ended.wait()
