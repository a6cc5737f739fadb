"""The wrapper with which a release also deletes the keys of the next one: every verb of its store, and both deletes."""

import asyncio
from math import inf
from typing import Any

import pytest

from cachelab import MISS, AlsoDeleting, Entry, InvalidationFailed, LeasedStore, MemoryStore, RedisStore
from cachelab.clock import Clock
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from tests.support.caches import SHARED, make_cache
from tests.support.contract import StoreContract
from tests.support.fakes import BrokenStore, Origin, RemoteStore, in_virtual_time, left_behind, now
from tests.support.gated import Gate, GatedStore
from tests.support.leasing import LeasingStore


class TestAlsoDeleting(StoreContract):
    """A store with the wrapper around it is a store."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> Any:
        return AlsoDeleting(RemoteStore(), RemoteStore())


async def both(*broken: str) -> tuple[BrokenStore, BrokenStore]:
    """Two stores with an entry for the key 1. The deletes of those named in `broken` fail."""
    stores = (BrokenStore(), BrokenStore())
    for name, store in zip(("store", "next"), stores, strict=True):
        await store.set(1, Entry("value", 60.0))
        if name in broken:
            store.broken.add("delete")
    return stores


@SHARED
@in_virtual_time
async def test_a_delete_reaches_both_stores_and_nothing_else_does(shared: bool) -> None:
    """A read, a fill and an eviction are the business of the store alone."""
    store, next_store = await both()
    cache = make_cache(Origin(), AlsoDeleting(store, next_store), shared=shared)
    await cache.get(2)
    assert (set(store.entries), set(next_store.entries)) == ({1, 2}, {1})
    await cache.delete(1)
    assert (set(store.entries), set(next_store.entries)) == ({2}, set())


@pytest.mark.parametrize("broken", [("store",), ("next",), ("store", "next")], ids="+".join)
@in_virtual_time
async def test_a_delete_that_fails_is_tried_in_the_other_store_and_raises(broken: tuple[str, ...]) -> None:
    """In whichever it fails. A cache above raises what it raises for any store."""
    store, next_store = await both(*broken)
    cache = make_cache(Origin(), AlsoDeleting(store, next_store))
    with pytest.raises(InvalidationFailed) as raised:
        await cache.delete(1)
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert (1 in store.entries, 1 in next_store.entries) == ("store" in broken, "next" in broken)
    store.broken.clear()
    next_store.broken.clear()
    await cache.delete(1)
    assert (store.entries, next_store.entries) == ({}, {})


@pytest.mark.parametrize(
    ("gate", "forgotten"),
    [
        ("delete, not sent", (False, False)),
        ("delete, sent", (True, False)),
        ("next delete, not sent", (True, False)),
        ("next delete, sent", (True, True)),
    ],
)
@in_virtual_time
async def test_a_delete_may_be_cancelled_at_each_await(gate: str, forgotten: tuple[bool, bool]) -> None:
    """It ends at once and tries nothing more, and the next one reaches both."""
    gates = Gate(gate)
    store, next_store = GatedStore(gates), GatedStore(gates, "next ")
    for each in (store, next_store):
        each.entries[1] = Entry("value", 60.0)
    cache = make_cache(Origin(), AlsoDeleting(store, next_store))
    task = asyncio.create_task(cache.delete(1))
    await gates.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert (1 not in store.entries, 1 not in next_store.entries) == forgotten
    gates.opened.set()
    await cache.delete(1)
    assert (store.entries, next_store.entries, left_behind(cache)) == ({}, {}, 0)


@in_virtual_time
async def test_a_store_that_hangs_costs_a_delete_one_time_out_and_the_other_is_reached() -> None:
    """The client ends the wait. The delete raises, since one generation may still have the old value."""
    hanging = RedisStore(FakeRedis(Hanging(0, 10), timeout_s=0.1).client(), str, namespace="user", version=1)
    next_store = RemoteStore()
    await next_store.set(1, Entry("value", 60.0))
    cache = make_cache(Origin(), AlsoDeleting(hanging, next_store))
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    assert (round(now(), 6), next_store.entries) == (0.1, {})


@in_virtual_time
async def test_a_leased_store_grants_its_leases_through_the_wrapper() -> None:
    """A delete takes the leases of both releases away: no load that began before it is filled in either."""
    store, next_store = LeasingStore(), LeasingStore()
    now_, then = make_cache(Origin("old"), AlsoDeleting(store, next_store)), make_cache(Origin("old"), next_store)
    gets = [asyncio.create_task(cache.get(1)) for cache in (now_, then)]
    await asyncio.sleep(0.5)
    await now_.delete(1)
    await asyncio.gather(*gets)
    assert (store.entries, next_store.entries) == ({}, {})
    assert (store.settled, next_store.settled, len(store.claims)) == (["refused"], ["refused"], 1)


@in_virtual_time
async def test_the_leases_in_redis_too() -> None:
    """The same with the real store: the delete of one release voids the token of the other."""
    redis = FakeRedis()
    stores = [LeasedStore(redis.client(), str, namespace="user", version=version) for version in (1, 2)]
    wrapped = AlsoDeleting(*stores)
    leases: list[Any] = [await store.claim(1, MISS) for store in (wrapped, stores[1])]
    await wrapped.delete(1)
    assert [await lease.set(Entry("old", now() + 60.0)) for lease in leases] == [False, False]
    for store in stores:
        await store.aclose()


def test_the_counters_are_those_of_the_store() -> None:
    """They are read through the wrapper, which has none of its own."""
    store = MemoryStore[str](1)
    wrapped = AlsoDeleting(store, MemoryStore[str](1))
    wrapped.put(1, Entry("value", inf))
    wrapped.put(2, Entry("value", inf))
    assert (wrapped.evicted, store.evicted) == (1, 1)
    with pytest.raises(AttributeError, match="'MemoryStore' object has no attribute 'claim'"):
        wrapped.claim  # noqa: B018


@pytest.mark.parametrize("wrong", [RemoteStore, Origin(), None], ids=["a class", "an object", "None"])
def test_a_next_store_that_is_none_is_refused(wrong: Any) -> None:
    """The sentence names the argument."""
    with pytest.raises(TypeError, match=r"^next_store must"):
        AlsoDeleting(RemoteStore(), wrong)
