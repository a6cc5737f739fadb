"""The guard: a key that is not known reaches no level below, and no cache above keeps its absence."""

import asyncio
import tracemalloc
from typing import Any

import pytest

from cachelab import ABSENT, MISS, Bloom, Cache, Entry, Flight, Freshness, Guarded, MemoryStore
from tests.support.caches import EVERY_STORE, SHARED, NewStore, make_cache
from tests.support.event_loops import EAGER
from tests.support.fakes import Origin, RemoteStore, in_virtual_time, left_behind, now, other_tasks, until
from tests.support.gated import EVERY_AWAIT_OF_A_READ, GatedCache, GatedStore
from tests.support.leasing import LeasingStore
from tests.support.tiers import tiers

NEGATIVE_TTL = pytest.mark.parametrize("negative_ttl", [0.0, 30.0])


def size(store: Any) -> int:
    """How many entries a store has."""
    return len(store.entries) if isinstance(store, RemoteStore) else len(store)


@EVERY_STORE
@SHARED
@NEGATIVE_TTL
@in_virtual_time
async def test_a_key_that_is_not_known_is_absent_and_nothing_remembers_it(
    new_store: NewStore, shared: bool, negative_ttl: float
) -> None:
    """The origin is not asked, whether absences are remembered or not, and the store stays as it was."""
    store, origin = new_store(), Origin()
    guard = Guarded(origin, {1})
    cache = make_cache(guard, store, shared=shared, negative_ttl=negative_ttl)
    await cache.get(1)
    unknown: list[Any] = [2, 2, 3, "1"]
    assert await asyncio.gather(*(cache.get(key) for key in unknown)) == [ABSENT] * 4
    assert (origin.calls, size(store), left_behind(cache)) == (1, 1, 0)
    assert guard.spared == (3 if shared and not EAGER else 4)  # an eager load has ended before the next caller comes


@pytest.mark.parametrize("answer", ["value", None, 0, ABSENT], ids=repr)
@NEGATIVE_TTL
@in_virtual_time
async def test_a_key_that_is_known_is_loaded_as_without_the_guard(answer: Any, negative_ttl: float) -> None:
    """The same answer at the same time, and the same that is kept: an absence that the origin has found, too."""
    seen = []
    for guards in (False, True):
        origin, store = Origin(answer), MemoryStore[Any](10)
        cache = make_cache(Guarded(origin, {1}) if guards else origin, store, negative_ttl=negative_ttl)
        began = now()
        seen.append((await cache.get(1), now() - began, origin.calls, len(store)))
    assert seen[0] == seen[1]


@in_virtual_time
async def test_an_error_is_no_absence() -> None:
    """The very error of the origin reaches the caller."""
    error = OSError("down")
    with pytest.raises(OSError, match="down") as raised:
        await Guarded(Origin(error), {1})(1)
    assert raised.value is error


@in_virtual_time
async def test_a_loader_that_is_none_gets_its_sentence() -> None:
    """The same two as under a cache: a plain function, and `MISS` as an answer."""
    wrong: Any = str
    with pytest.raises(TypeError, match="load must be an async function, but it returned str at once"):
        await Guarded(wrong, {1})(1)
    with pytest.raises(TypeError, match="load returned MISS"):
        await Guarded(Origin(MISS), {1})(1)


@in_virtual_time
async def test_the_age_of_an_entry_travels_through_the_guard() -> None:
    """The very entry of the cache below comes through: a cache above keeps it no longer."""
    entry = Entry("value", 10.0, 5.0, 2.0)
    assert await Guarded(Origin(entry), {1})(1) is entry
    below = make_cache(Origin(), ttl=10.0)
    above = make_cache(Guarded(below, {1}), ttl=60.0)
    await below.get(1)
    await until(9.0)
    await above.get(1)
    assert (await above(1)).expires == (await below(1)).expires == 12.0


# A refresh


@pytest.mark.parametrize("new_store", [lambda: MemoryStore(10), RemoteStore, LeasingStore, lambda: RemoteStore(0.25)])
@pytest.mark.parametrize("freshness", [Freshness(stale_for=30.0), Freshness(beta=1.0, random=lambda: 1 - 1e-9)])
@SHARED
@NEGATIVE_TTL
@in_virtual_time
async def test_a_refresh_that_ends_in_a_no_drops_the_old_entry(
    new_store: NewStore, freshness: Freshness, shared: bool, negative_ttl: float
) -> None:
    """The key was known and is not any more: the read that starts the refresh is the last one that gets the value."""
    store, origin, known = new_store(), Origin(), {1}
    guard = Guarded(origin, known)
    cache = make_cache(guard, store, shared=shared, negative_ttl=negative_ttl, freshness=freshness)
    await cache.get(1)
    known.clear()
    await until(70.0 if freshness.stale_for else 59.5)
    assert await cache.get(1) == "value"
    await asyncio.sleep(1.0)
    assert (size(store), guard.spared) == (0, 1)
    assert await cache.get(1) is ABSENT
    await asyncio.sleep(1.0)  # a lease is given back behind the answer
    assert (origin.calls, size(store), left_behind(cache), other_tasks()) == (1, 0, 0, set())
    assert getattr(store, "settled", ["set", "dropped", "released"]) == ["set", "dropped", "released"]


# Two levels


@in_virtual_time
async def test_above_a_shared_level_an_unknown_key_costs_no_round_trip() -> None:
    """Not one command, also under a lease, where it would take three; and it comes while the shared level hangs."""
    below = make_cache(Origin(), LeasingStore(latency_s=1_000.0, claim_s=1_000.0))
    above = make_cache(Guarded(below, {1}), negative_ttl=30.0)
    assert await above.get(2) is ABSENT
    assert (now(), below.misses, below.store_errors) == (0.0, 0, 0)


@in_virtual_time
async def test_a_delete_goes_through_the_guard() -> None:
    """It has `delete` exactly if its loader has: then both levels forget the key, also one that is not known."""
    below = make_cache(Origin(ABSENT), RemoteStore(), negative_ttl=30.0)
    guard = Guarded(below, {1})
    assert guard.delete == below.delete
    assert not hasattr(Guarded(Origin(), {1}), "delete")
    above = make_cache(guard, negative_ttl=30.0)
    assert (await above.get(1), size(below._level.store)) == (ABSENT, 1)
    await above.delete(1)  # on create
    assert size(below._level.store) == 0
    await above.delete(2)


# Ids that grow


@pytest.mark.parametrize("upto", [5, lambda: 5], ids=["a value", "a function"])
@in_virtual_time
async def test_a_newer_id_passes(upto: Any) -> None:
    """The filter says no only about ids up to `upto`, that one included."""
    guard = Guarded(Origin(), {1, 2}, upto=upto)
    answers = [(await guard(key)).value for key in (-1, 1, 3, 5, 6, 10**9)]
    assert answers == [ABSENT, "value", ABSENT, ABSENT, "value", "value"]
    assert guard.spared == 3


@in_virtual_time
async def test_a_function_says_anew_how_far_the_filter_has_been_told() -> None:
    """It is asked at each load; None means that no id passes."""
    newest: int | None = 5
    guard = Guarded(Origin(), {1}, upto=lambda: newest)
    assert (await guard(7)).value == "value"
    newest = 7
    assert (await guard(7)).value is ABSENT
    newest = None
    assert (await guard(8)).value is ABSENT


@pytest.mark.parametrize(("known", "key"), [({1}, "7"), (Bloom(10), 1.5), ({1}, [7])])
@in_virtual_time
async def test_a_key_that_is_none_is_an_error_of_the_program(known: Any, key: Any) -> None:
    """One that cannot be compared with the newest id, or that the filter cannot look up."""
    with pytest.raises(TypeError):
        await Guarded(Origin(), known, upto=5)(key)


@pytest.mark.parametrize("known", [set, 3, None, Origin()], ids=["a class", "a number", "None", "an object"])
def test_what_nothing_can_be_in_is_refused(known: Any) -> None:
    """A class, for which the instance was meant, and what has no `in`."""
    with pytest.raises(TypeError, match="known must be a Bloom, a set, or anything else with `in`, not"):
        Guarded(Origin(), known)


# Cancellation


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_a_caller_may_be_cancelled_at_each_await_of_a_read(make_store: type[GatedStore], gate: str) -> None:
    """The loader learns of it, nothing is left, and the next caller gets the value."""
    gated = GatedCache(make_store, gate)
    gated.cache = make_cache(Guarded(gated.origin, {1}), gated.store)
    task = await gated.cancel(gated.cache.get(1))
    assert task.cancelled()
    await asyncio.sleep(1.0)
    assert left_behind(gated.cache) == 0
    assert await gated.cache.get(1) == "value"


# An attack


@pytest.mark.parametrize("count", tiers(1_000_000, quick=5_000, soak_timeout_s=900))
@in_virtual_time
async def test_absent_ids_leave_the_memory_as_it_is(count: int) -> None:
    """So many different ids, none of which exists: what is kept are the good entries and the false positives.

    The cache remembers absences, has a flight, and room for ten times as many entries as it has good ones.
    """
    users, asked_for = 100, set()

    async def load(key: int) -> Any:
        asked_for.add(key)
        return "value" if 0 < key <= users else ABSENT

    known, store = Bloom(users, 0.0001), MemoryStore[str](1_000)
    for key in range(1, users + 1):
        known.add(key)
    guard = Guarded(load, known)
    async with Cache(store, guard, ttl=1e9, negative_ttl=1e9, flight=Flight()) as cache:
        for key in range(1, users + 1):
            await cache.get(key)
        tracemalloc.start()
        try:
            for key in range(-count, 0):
                assert await cache.get(key) is ABSENT
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        false_positives = len(asked_for) - users
        assert guard.spared == count - false_positives
        assert (len(store), store.evicted) == (min(users + false_positives, 1_000), max(0, false_positives - 900))
        expected = known.false_positive_rate * count
        assert false_positives < expected + 3 * expected**0.5 + 3
        assert kept < 20_000 + 1_000 * false_positives
        assert left_behind(cache) == 0
