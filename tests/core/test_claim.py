"""A store with `claim`: which caller loads, whether its fill is kept, and what becomes of the lease."""

import asyncio

import pytest

from cachelab import ABSENT, Entry
from cachelab.freshness import Freshness
from tests.support.caches import SHARED, make_cache, make_flight_cache, start_gets, with_stale_entry
from tests.support.fakes import (
    Heard,
    Origin,
    RemoteStore,
    facts,
    in_virtual_time,
    left_behind,
    now,
    other_tasks,
    records,
    tally,
    until,
)
from tests.support.leasing import LeasingStore


@SHARED
@in_virtual_time
async def test_a_granted_lease_fills_once(shared: bool) -> None:
    """After the load the entry is filled through the lease, which is then used and need not be released."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = make_cache(origin, store, shared=shared, listen=heard.append)
    assert await cache.get(1) == "value"
    assert (origin.calls, store.settled, store.entries[1].value) == (1, ["set"], "value")
    assert (records(heard), facts(heard), left_behind(cache)) == ([("miss", "value")], ["load", "fill"], 0)


@in_virtual_time
async def test_a_hit_claims_nothing() -> None:
    """Only a load needs a lease."""
    store = LeasingStore()
    cache = make_flight_cache(Origin(), store)
    await cache.get(1)
    await cache.get(1)
    assert (len(store.claims), tally(cache)) == (1, (1, 0, 1, 0))


@SHARED
@pytest.mark.parametrize("value", ["theirs", None, ABSENT])
@in_virtual_time
async def test_an_entry_that_the_claim_found_counts_as_collapsed(value: object, shared: bool) -> None:
    """Another process has loaded the key: here is no load and no fill, and each caller that waited is collapsed."""
    store, origin, heard = LeasingStore(claim_s=0.1), Origin(), Heard()
    store.found = Entry(value, 60.0)
    cache = make_cache(origin, store, shared=shared, listen=heard.append)
    assert await asyncio.gather(*(cache.get(1) for _ in range(5))) == [value] * 5
    assert (origin.calls, store.settled, facts(heard)) == (0, [], [])
    assert records(heard) == [("collapsed", "absent" if value is ABSENT else "value")] * 5


@in_virtual_time
async def test_an_entry_that_the_claim_found_keeps_its_remaining_life() -> None:
    """A cache above keeps it for as long as the other process allows."""
    store, upper_store = LeasingStore(), RemoteStore()
    store.found = Entry("theirs", 30.0)
    upper = make_cache(make_flight_cache(Origin(), store), upper_store)
    assert (await upper.get(1), upper_store.entries) == ("theirs", {1: Entry("theirs", 30.0)})


@in_virtual_time
async def test_the_time_of_a_claim_is_no_load_time() -> None:
    """Early recomputation goes by how long the origin takes."""
    store = LeasingStore(claim_s=5.0)
    cache = make_flight_cache(Origin(load_time_s=1.0), store)
    await cache.get(1)
    assert (now(), store.entries[1].load_time_s) == (6.0, 1.0)


@SHARED
@in_virtual_time
async def test_a_failed_claim_is_a_failed_read(shared: bool) -> None:
    """It is counted, the key is loaded, and no fill is sent to the store."""
    store, origin, heard = LeasingStore(broken={"claim"}), Origin(), Heard()
    cache = make_cache(origin, store, shared=shared, listen=heard.append)
    assert await cache.get(1) == "value"
    assert (cache.store_errors, facts(heard), store.entries) == (1, ["store error", "load"], {})
    assert (records(heard), left_behind(cache)) == ([("miss", "value")], 0)


@in_virtual_time
async def test_callers_share_the_load_after_a_failed_claim() -> None:
    """If the store is down, the local flight still protects the origin."""
    store, origin = LeasingStore(claim_s=0.1, broken={"claim"}), Origin()
    cache = make_flight_cache(origin, store)
    assert await asyncio.gather(*(cache.get(1) for _ in range(100))) == ["value"] * 100
    assert (origin.calls, tally(cache)) == (1, (0, 0, 1, 99))


@SHARED
@in_virtual_time
async def test_after_a_failed_read_no_lease_is_asked_for(shared: bool) -> None:
    """The caller has waited for the store once already."""
    store, origin = LeasingStore(broken={"get"}), Origin()
    cache = make_cache(origin, store, shared=shared)
    assert await cache.get(1) == "value"
    assert (store.claims, store.settled, store.entries, cache.store_errors) == ([], [], {}, 1)


@in_virtual_time
async def test_a_lease_is_released_if_the_store_then_fails_another_caller() -> None:
    """The load has a lease. The caller that joins it could not read the key, so it does not wait for a fill either."""
    store, origin = LeasingStore(latency_s=0.1), Origin()
    cache = make_flight_cache(origin, store)
    first = start_gets(cache)[0]
    await until(0.5)
    store.broken = {"get"}
    assert (await cache.get(1), now()) == ("value", 1.1)  # 0.1 s for the first caller's read, and the load
    await cache.aclose()
    assert (await first, store.settled, store.entries, store.unsettled) == ("value", ["released"], {}, 0)


@SHARED
@in_virtual_time
async def test_a_fill_that_fails_is_counted_and_not_tried_again(shared: bool) -> None:
    """The caller has the value, and the lease has been used."""
    store, heard = LeasingStore(broken={"set"}), Heard()
    cache = make_cache(Origin(), store, shared=shared, listen=heard.append)
    assert await cache.get(1) == "value"
    assert (cache.store_errors, facts(heard)) == (1, ["load", "store error"])
    assert (store.settled, store.unsettled, left_behind(cache)) == ([], 0, 0)


@SHARED
@in_virtual_time
async def test_a_broken_fence_does_not_stop_the_fill_of_a_lease(shared: bool) -> None:
    """`invalidate` breaks the fence here, but the store decides: the token is still valid, so the fill is kept."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = make_cache(origin, store, shared=shared, listen=heard.append)
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
    """The store refuses the fill, and the value that the caller gets is kept nowhere."""
    store, origin = LeasingStore(latency_s=0.01), Origin()
    cache = make_cache(origin, store, shared=shared)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await cache.delete(1)
    entry = await reader
    await asyncio.sleep(1.0)
    assert (entry.value, store.settled, store.entries, left_behind(cache)) == ("value", ["refused"], {}, 0)


@SHARED
@in_virtual_time
async def test_a_delete_elsewhere_takes_the_right_to_fill_away(shared: bool) -> None:
    """No fence of this process breaks. The store refuses the fill, and the answer is only for those that wait."""
    store, origin, heard = LeasingStore(latency_s=0.01), Origin(), Heard()
    cache = make_cache(origin, store, shared=shared, listen=heard.append)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await store.delete(1)
    entry = await reader
    assert (entry.value, entry.expires <= now(), store.settled, store.entries) == ("value", True, ["refused"], {})
    assert facts(heard) == ["load", "fenced"]


@pytest.mark.parametrize("second", [0.05, 0.5, 1.115])
@in_virtual_time
async def test_a_cancelled_caller_leaves_no_unused_lease(second: float) -> None:
    """During the claim there is none yet. A load gives it back, and a fill that has begun uses it."""
    store, origin = LeasingStore(latency_s=0.01, claim_s=0.1), Origin()
    cache = make_cache(origin, store)
    reader = asyncio.create_task(cache.get(1))
    await until(second)
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()
    await asyncio.sleep(1.0)
    assert store.settled == {0.05: [], 0.5: ["released"], 1.115: ["set"]}[second]
    assert (store.tokens, store.unsettled, left_behind(cache), other_tasks()) == ({}, 0, 0, set())


@SHARED
@in_virtual_time
async def test_a_failed_load_releases_the_lease(shared: bool) -> None:
    """Other processes need not wait until it runs out. The error reaches the caller before the release has ended."""
    store, origin = LeasingStore(latency_s=5.0), Origin(ConnectionError("the origin is down"))
    cache = make_cache(origin, store, shared=shared)
    with pytest.raises(ConnectionError, match="the origin is down"):
        await cache.get(1)
    assert now() == 5.0 + 1.0  # the read and the load
    await cache.aclose()
    assert (now(), store.settled, left_behind(cache)) == (11.0, ["released"], 0)


@pytest.mark.parametrize("error", [KeyError, SystemError, type("Interrupt", (BaseException,), {})])
@in_virtual_time
async def test_a_lease_is_released_whatever_the_load_raises(error: type[BaseException]) -> None:
    """An exception that is no `Exception` is no load error, but the `get` has ended in an error all the same."""
    store, heard = LeasingStore(), Heard()
    cache = make_cache(Origin(error()), store, listen=heard.append)
    with pytest.raises(error):
        await cache.get(1)
    await cache.aclose()
    assert (store.settled, records(heard), left_behind(cache)) == (["released"], [("miss", "error")], 0)
    assert cache.load_errors == issubclass(error, Exception)


@in_virtual_time
async def test_a_failed_release_is_counted() -> None:
    """The caller has its answer already, so the error is raised nowhere."""
    store = LeasingStore(broken={"release"})
    cache = make_flight_cache(Origin(ABSENT), store)
    assert await cache.get(1) is ABSENT
    await cache.aclose()
    assert (cache.store_errors, left_behind(cache), other_tasks()) == (1, 0, set())


@in_virtual_time
async def test_an_absence_that_is_not_kept_releases_the_lease() -> None:
    """There is nothing to share with other processes."""
    store = LeasingStore()
    cache = make_flight_cache(Origin(ABSENT), store)
    assert await cache.get(1) is ABSENT
    await cache.aclose()
    assert (store.settled, store.entries) == (["released"], {})


@in_virtual_time
async def test_a_refresh_claims_with_the_entry_it_replaces() -> None:
    """So the store can tell whether another process has replaced that entry already."""
    store, origin = LeasingStore(), Origin("old", load_time_s=0.0)
    cache = make_flight_cache(origin, store, freshness=Freshness(stale_for=300.0))
    await cache.get(1)
    origin.answer = "new"
    await until(61.0)
    old = store.entries[1]
    assert await cache.get(1) == "old"
    await asyncio.sleep(1.0)
    assert (store.claims[1], store.entries[1].value, store.settled) == ((1, old), "new", ["set", "set"])


@in_virtual_time
async def test_a_refresh_whose_claim_finds_an_entry_loads_nothing() -> None:
    """Another process has refreshed the key. A caller that joins the refresh gets that entry, and is collapsed."""
    store, origin = LeasingStore(), Origin()
    cache = await with_stale_entry(origin, store)
    store.claim_s = 25.0
    await cache.get(1)  # starts a refresh, whose claim takes until second 95
    store.found = Entry("theirs", 200.0)
    await until(92.0)  # the old entry has expired
    assert (await cache.get(1), now(), tally(cache)) == ("theirs", 95.0, (0, 1, 1, 1))
    assert (origin.calls, store.settled, left_behind(cache)) == (1, ["set"], 0)


@in_virtual_time
async def test_a_refresh_that_finds_the_key_absent_drops_the_entry_through_its_lease() -> None:
    """So the store removes the old entry only if no newer one has replaced it."""
    store, origin = LeasingStore(), Origin("old", load_time_s=0.0)
    cache = make_flight_cache(origin, store, freshness=Freshness(stale_for=300.0))
    await cache.get(1)
    origin.answer = ABSENT
    await until(61.0)
    assert await cache.get(1) == "old"
    await asyncio.sleep(1.0)
    assert (store.settled, store.entries) == (["set", "dropped"], {})


@in_virtual_time
async def test_a_refresh_that_cannot_drop_the_entry_is_counted() -> None:
    """The lease has been used, so it is not released as well."""
    store, origin = LeasingStore(), Origin()
    cache = await with_stale_entry(origin, store)
    origin.answer, store.broken = ABSENT, {"drop"}
    await cache.get(1)
    await until(75.0)
    assert (cache.store_errors, store.settled, store.unsettled, left_behind(cache)) == (1, ["set"], 0, 0)


@in_virtual_time
async def test_after_a_failed_claim_nobody_waits_for_a_drop() -> None:
    """The refresh has waited for the store once. A caller that has joined it gets the answer when the load ends."""
    store, origin = LeasingStore(), Origin()
    cache = await with_stale_entry(origin, store)
    origin.answer, store.broken = ABSENT, {"claim"}
    await until(90.5)
    await cache.get(1)  # its refresh loads until second 91.5; from 91 on the entry is gone
    await until(91.0)
    (joined,) = start_gets(cache)
    await asyncio.sleep(0.25)
    store.latency_s = 5.0
    assert (await joined, now()) == (ABSENT, 91.5)
    await cache.aclose()
    assert (store.entries, now(), left_behind(cache)) == ({}, 96.5, 0)


@SHARED
@in_virtual_time
async def test_closing_the_cache_during_a_drop_is_no_store_error(shared: bool) -> None:
    """The refresh was cancelled, and the store has not failed."""
    store, origin = LeasingStore(latency_s=0.1), Origin()
    cache = await with_stale_entry(origin, store, shared=shared)
    origin.answer = ABSENT
    await cache.get(1)  # its refresh loads until second 71.1, and then drops the entry until 71.2
    await until(71.15)
    await cache.aclose()
    assert (cache.store_errors, store.unsettled, left_behind(cache), other_tasks()) == (0, 0, 0, set())


@in_virtual_time
async def test_an_entry_that_a_claim_finds_during_an_invalidation_is_only_for_those_that_wait() -> None:
    """It may be older than the other process's write, so no cache above keeps it."""
    store = LeasingStore(claim_s=1.0)
    store.found = Entry("theirs", 60.0)
    cache = make_flight_cache(Origin(), store)
    reader = asyncio.create_task(cache(1))
    await until(0.5)
    await cache.invalidate(1)
    entry = await reader
    assert (entry.value, entry.expires <= now()) == ("theirs", True)


@in_virtual_time
async def test_closing_the_cache_waits_for_its_releases() -> None:
    """The loads are cancelled, and the leases that they held are given back before `aclose` returns."""
    store = LeasingStore(latency_s=0.01)
    cache = make_flight_cache(Origin(), store)
    reader = asyncio.create_task(cache.get(1))
    await until(0.5)
    await cache.aclose()
    await asyncio.wait([reader])
    assert (store.settled, store.tokens, left_behind(cache), other_tasks()) == (["released"], {}, 0, set())


@in_virtual_time
async def test_without_a_lease_a_leasing_store_is_not_filled() -> None:
    """The caller that could not read the key is cancelled; its load goes on, and has no right to fill."""
    store = LeasingStore(broken={"get"})
    cache = make_flight_cache(Origin("old"), store)
    caller = start_gets(cache)[0]
    await until(0.5)
    caller.cancel()
    await store.delete(1)  # another process has written
    await until(2.0)
    assert (store.settled, store.entries, left_behind(cache)) == ([], {}, 0)


@SHARED
@in_virtual_time
async def test_after_a_failed_read_only_a_load_with_a_lease_may_fill(shared: bool) -> None:
    """The first caller's load asks for no lease. The second caller can read: it joins, or asks for one of its own."""
    store = LeasingStore(broken={"get"})
    cache = make_cache(Origin("old"), store, shared=shared)
    callers = start_gets(cache)
    await until(0.5)
    store.broken.clear()
    callers += start_gets(cache)
    await until(1.2)
    await store.delete(1)  # another process has written
    assert await asyncio.gather(*callers) == ["old"] * 2
    assert (store.settled, store.entries, left_behind(cache)) == ([] if shared else ["refused"], {}, 0)


@SHARED
@in_virtual_time
async def test_closing_the_cache_during_a_drop_uses_the_lease(shared: bool) -> None:
    """The drop runs to its end, as a fill and a release do, so that no other process waits for this lease."""
    store, origin = LeasingStore(latency_s=0.1), Origin()
    cache = await with_stale_entry(origin, store, shared=shared)
    origin.answer = ABSENT
    await cache.get(1)  # its refresh loads until second 71.1, and then drops the entry until 71.2
    await until(71.15)
    await cache.aclose()
    assert (store.settled, store.tokens, store.entries) == (["set", "dropped"], {}, {})
    assert (left_behind(cache), other_tasks()) == (0, set())


@in_virtual_time
async def test_a_claim_gives_no_entry_that_has_expired() -> None:
    """As a read: the entry expired on the way here."""
    store = LeasingStore(claim_s=2.0)
    store.found = Entry("theirs", 2.0)
    assert await make_flight_cache(Origin(), store).get(1) == "value"
