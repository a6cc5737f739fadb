"""Caches as most tests of the read path want them: over a store of either kind, with a flight or without one."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import Cache, Flight, MemoryStore
from cachelab.freshness import Freshness
from tests.support.fakes import Origin, RemoteStore, until

__all__ = [
    "EVERY_STORE",
    "EVERY_STORE_WITH_LATENCY",
    "NewStore",
    "SHARED",
    "make_cache",
    "make_flight_cache",
    "make_freshness_cache",
    "start_gets",
    "with_stale_entry",
]

NewStore = Callable[[], Any]
EVERY_STORE = pytest.mark.parametrize("new_store", [lambda: MemoryStore(10), RemoteStore], ids=["in process", "remote"])
"""A test with this mark runs over a store in this process, and over one in another process."""

EVERY_STORE_WITH_LATENCY = pytest.mark.parametrize(
    "new_store", [lambda: MemoryStore(10), lambda: RemoteStore(0.25)], ids=["in process", "remote"]
)
"""As `EVERY_STORE`, with a quarter of a second for each answer of the remote store."""

SHARED = pytest.mark.parametrize("shared", [False, True], ids=["no flight", "flight"])
"""A test with this mark runs without a flight, so that each caller loads by itself, and with one."""


def make_cache(load: Any, store: Any = None, *, shared: bool = False, **options: Any) -> Cache[int, Any]:
    """A cache over `load` with a TTL of 60 s. Unless `store` is given, its store is in this process."""
    store = MemoryStore(100) if store is None else store
    return Cache(load=load, store=store, **{"ttl": 60.0, "flight": Flight() if shared else None} | options)


def make_flight_cache(load: Any, store: Any = None, **options: Any) -> Cache[int, Any]:
    """A cache with a flight."""
    return make_cache(load, store, shared=True, **options)


def make_freshness_cache(load: Any, store: Any = None, *, shared: bool = True, **options: Any) -> Cache[int, Any]:
    """A cache that serves an entry stale for 30 s after its TTL of 60 s. It has a flight, unless `shared` is false."""
    return make_cache(load, store, shared=shared, **{"freshness": Freshness(stale_for=30.0)} | options)


async def with_stale_entry(origin: Origin, store: Any = None, **options: Any) -> Cache[int, Any]:
    """A cache as `make_freshness_cache` makes it, at second 70: its entry "old" is stale, the origin now says "new"."""
    origin.answer = "old"
    cache = make_freshness_cache(origin, store, **options)
    await cache.get(1)
    origin.answer = "new"
    await until(70.0)
    return cache


def start_gets(cache: Cache[int, Any], callers: int = 1, key: int = 1) -> list[asyncio.Task[Any]]:
    """A task for each of so many callers that ask for the key in the same turn of the loop."""
    return [asyncio.create_task(cache.get(key)) for _ in range(callers)]
