"""A store with `claim`: who loads, who fills, and what becomes of the lease, whatever happens meanwhile."""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest

from cachelab import ABSENT, Cache, Entry, Flight
from cachelab.freshness import Freshness
from tests.support.fakes import Heard, Origin, facts, in_virtual_time, left_behind, now, others, records, tally, until
from tests.support.leasing import LeasingStore

SHARED = pytest.mark.parametrize("shared", [False, True], ids=["alone", "flight"])


def over(store: LeasingStore, origin: Any, *, shared: bool = True, **options: Any) -> Cache[int, Any]:
    """A cache over a store that grants leases."""
    return Cache(store, origin, ttl=60.0, flight=Flight() if shared else None, **options)


@SHARED
@in_virtual_time
async def test_a_granted_lease_fills_once(shared: bool) -> None:
    """The load runs, the entry goes through the lease, and nothing is released."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = over(store, origin, shared=shared, listen=heard.append)
    assert await cache.get(1) == "value"
    assert (origin.calls, store.settled, store.entries[1].value) == (1, ["set"], "value")
    assert (records(heard), facts(heard), left_behind(cache)) == ([("miss", "value")], ["load", "fill"], 0)


@in_virtual_time
async def test_a_hit_claims_nothing() -> None:
    """The lease is for loads only."""
    store = LeasingStore()
    cache = over(store, Origin())
    await cache.get(1)
    await cache.get(1)
    assert (len(store.claims), tally(cache)) == (1, (1, 0, 1, 0))


@SHARED
@in_virtual_time
async def test_an_entry_that_the_claim_found_counts_as_collapsed(shared: bool) -> None:
    """Another process loaded it: no load here, no fill, and each caller that waited is collapsed."""
    store, origin, heard = LeasingStore(claim_s=0.1), Origin(), Heard()
    store.found = Entry("theirs", 60.0)
    cache = over(store, origin, shared=shared, listen=heard.append)
    assert await asyncio.gather(*(cache.get(1) for _ in range(5))) == ["theirs"] * 5
    assert (origin.calls, store.settled, facts(heard)) == (0, [], [])
    assert records(heard) == [("collapsed", "value")] * 5


@SHARED
@in_virtual_time
async def test_a_failed_claim_is_a_failed_read(shared: bool) -> None:
    """It is counted, the key is loaded, and the store is not sent the fill."""
    store, origin, heard = LeasingStore(), Origin(), Heard()
    store.found = ConnectionError("no lease today")
    cache = over(store, origin, shared=shared, listen=heard.append)
    assert await cache.get(1) == "value"
    assert (cache.store_errors, facts(heard), store.entries) == (1, ["store error", "load"], {})
    assert (records(heard), left_behind(cache)) == ([("miss", "value")], 0)


@in_virtual_time
async def test_callers_share_the_load_after_a_failed_claim() -> None:
    """With Redis gone the local flight still protects the origin."""
    store, origin = LeasingStore(claim_s=0.1), Origin()
    store.found = ConnectionError("no lease today")
    cache = over(store, origin)
    assert await asyncio.gather(*(cache.get(1) for _ in range(100))) == ["value"] * 100
    assert (origin.calls, tally(cache)) == (1, (0, 0, 1, 99))


@SHARED
@in_virtual_time
async def test_after_a_failed_read_no_lease_is_asked_for(shared: bool) -> None:
    """The caller has waited for the store once."""
    store, origin = LeasingStore(), Origin()

    async def fail(_key: Hashable) -> Any:
        raise ConnectionError("no read today")

    store.get = fail  # type: ignore[assignment, method-assign]
    cache = over(store, origin, shared=shared)
    assert await cache.get(1) == "value"
    assert (store.claims, store.settled, store.entries, cache.store_errors) == ([], [], {}, 1)


@SHARED
@in_virtual_time
async def test_a_broken_fence_does_not_stop_the_fill_of_a_lease(shared: bool) -> None:
    """The store decides: `invalidate` breaks the fence here, and the token is still good, so the fill is kept."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = over(store, origin, shared=shared, listen=heard.append)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await cache.invalidate(1)
    entry = await reader
    assert entry.value == "value"
    assert entry.expires <= now()  # for this caller, and for no cache above
    await asyncio.sleep(1.0)
    assert (store.settled, store.entries[1].value, facts(heard)) == (["set"], "value", ["load", "fenced", "fill"])


@SHARED
@in_virtual_time
async def test_a_delete_takes_the_right_to_fill_away(shared: bool) -> None:
    """The fill is refused by the store, and the caller's entry is kept nowhere."""
    store, origin = LeasingStore(latency_s=0.01), Origin()
    cache = over(store, origin, shared=shared)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await cache.delete(1)
    entry = await reader
    await asyncio.sleep(1.0)
    assert (entry.value, store.settled, store.entries, left_behind(cache)) == ("value", ["refused"], {}, 0)


@SHARED
@in_virtual_time
async def test_a_delete_elsewhere_takes_the_right_to_fill_away(shared: bool) -> None:
    """No fence of this process breaks; the store refuses, and the answer is for those that wait only."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = over(store, origin, shared=shared, listen=heard.append)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await store.delete(1)
    entry = await reader
    assert (entry.value, entry.expires <= now(), store.settled, store.entries) == ("value", True, ["refused"], {})
    assert facts(heard) == ["load", "fenced"]


@pytest.mark.parametrize("second", [0.05, 0.5, 1.115])
@in_virtual_time
async def test_a_cancelled_caller_releases_the_lease(second: float) -> None:
    """While the store grants it, during the load, and during the fill, which then runs to its end."""
    store, origin = LeasingStore(latency_s=0.01, claim_s=0.1), Origin()
    cache = over(store, origin, shared=False)
    reader = asyncio.create_task(cache.get(1))
    await until(second)
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()
    await asyncio.sleep(1.0)
    assert store.settled == {0.05: [], 0.5: ["released"], 1.115: ["set"]}[second]
    assert (store.granted, left_behind(cache), others()) == (set(), 0, set())


@SHARED
@in_virtual_time
async def test_a_failed_load_releases_the_lease(shared: bool) -> None:
    """Others need not wait until it runs out; the error reaches the caller and is not delayed by the release."""
    store, origin = LeasingStore(latency_s=5.0), Origin(ConnectionError("no origin today"))
    cache = over(store, origin, shared=shared)
    with pytest.raises(ConnectionError, match="no origin today"):
        await cache.get(1)
    assert now() == 5.0 + 1.0  # the read and the load
    await cache.aclose()
    assert (now(), store.settled, left_behind(cache)) == (11.0, ["released"], 0)


@in_virtual_time
async def test_a_failed_release_is_counted() -> None:
    """Its caller has an answer already, so it raises nowhere."""
    store, origin = LeasingStore(), Origin(ABSENT)

    async def fail(*_: object) -> None:
        raise ConnectionError("no release today")

    cache = over(store, origin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.support.leasing.SettableLease.release", fail)
        assert await cache.get(1) is ABSENT
        await cache.aclose()
    assert (cache.store_errors, left_behind(cache), others()) == (1, 0, set())


@in_virtual_time
async def test_an_absence_that_is_not_kept_releases_the_lease() -> None:
    """There is nothing to share."""
    store = LeasingStore()
    cache = over(store, Origin(ABSENT))
    assert await cache.get(1) is ABSENT
    await cache.aclose()
    assert (store.settled, store.entries) == (["released"], {})


@in_virtual_time
async def test_a_refresh_claims_with_the_entry_it_replaces() -> None:
    """So the store can tell whether another process has already replaced it."""
    store, origin = LeasingStore(), Origin("old", load_time_s=0.0)
    cache = over(store, origin, freshness=Freshness(stale_for=300.0))
    await cache.get(1)
    origin.answer = "new"
    await until(61.0)
    old = store.entries[1]
    assert await cache.get(1) == "old"
    await asyncio.sleep(1.0)
    assert (store.claims[1], store.entries[1].value, store.settled) == ((1, old), "new", ["set", "set"])


@in_virtual_time
async def test_a_refresh_that_finds_the_key_gone_drops_the_entry_by_its_lease() -> None:
    """The store removes the old entry only if nothing newer has come."""
    store, origin = LeasingStore(), Origin("old", load_time_s=0.0)
    cache = over(store, origin, freshness=Freshness(stale_for=300.0))
    await cache.get(1)
    origin.answer = ABSENT
    await until(61.0)
    assert await cache.get(1) == "old"
    await asyncio.sleep(1.0)
    assert (store.settled, store.entries) == (["set", "dropped"], {})


@in_virtual_time
async def test_what_the_claim_found_after_an_invalidation_is_for_those_that_wait() -> None:
    """It may be from before the other process's write, so no cache above keeps it."""
    store, heard = LeasingStore(claim_s=1.0), Heard()
    store.found = Entry("theirs", 60.0)
    cache = over(store, Origin(), listen=heard.append)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await cache.invalidate(1)
    entry = await reader
    assert (entry.value, entry.expires <= now()) == ("theirs", True)


@in_virtual_time
async def test_a_closed_cache_waits_for_its_release() -> None:
    """The loads are cancelled, and the leases they held are given back before `aclose` returns."""
    store = LeasingStore(latency_s=0.01)
    cache = over(store, Origin())
    reader = asyncio.create_task(cache.get(1))
    await until(0.5)
    await cache.aclose()
    await asyncio.wait([reader])
    assert (store.settled, store.granted, left_behind(cache), others()) == (["released"], set(), 0, set())
