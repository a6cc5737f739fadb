"""Upgrade on read: answers from the old generation, their age, failures on the way, and deletes of both generations."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from cachelab import (
    ABSENT,
    MISS,
    AlsoDeleting,
    Cache,
    Entry,
    Flight,
    Freshness,
    InvalidationFailed,
    LeasedStore,
    MemoryStore,
    RedisStore,
    Upgrading,
)
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from tests.support.caches import SHARED, make_cache
from tests.support.fakes import BrokenStore, Origin, RemoteStore, in_virtual_time, left_behind, now, tally, until
from tests.support.gated import Gate, GatedOrigin, GatedStore
from tests.support.leasing import LeasingStore


@dataclass(frozen=True)
class OldUser:
    """The value of the release before."""

    id: int
    name: str


@dataclass(frozen=True)
class User:
    """The value of the new release."""

    id: int
    handle: str


def upgrade(old: OldUser) -> User:
    """The new value that an old one becomes."""
    return User(old.id, old.name)


OLD, NEW, LOADED = OldUser(1, "ada"), User(1, "ada"), User(1, "loaded")


async def old_store_with(value: Any = OLD, expires: float = 60.0, **moments: float) -> RemoteStore:
    """A store of the old generation that has an entry for the key 1."""
    store = RemoteStore()
    await store.set(1, Entry(value, expires, **moments))
    return store


# What is answered


@SHARED
@in_virtual_time
async def test_an_old_entry_is_upgraded_and_the_origin_is_not_asked(shared: bool) -> None:
    """The new cache keeps the new value, so the old one is read once."""
    origin, new = Origin(LOADED), RemoteStore()
    upgrading = Upgrading(await old_store_with(), upgrade, origin)
    cache = make_cache(upgrading, new, shared=shared)
    assert [await cache.get(1) for _ in range(3)] == [NEW] * 3
    assert (origin.calls, upgrading.upgraded, upgrading.failed, tally(cache)) == (0, 1, 0, (2, 0, 1, 0))
    assert new.entries[1].value == NEW


@in_virtual_time
async def test_what_the_old_generation_lacks_is_loaded() -> None:
    """Through the same loader as before, and nothing is counted."""
    upgrading = Upgrading(RemoteStore(), upgrade, Origin(LOADED))
    assert (await upgrading(1)).value == LOADED
    assert (upgrading.upgraded, upgrading.failed) == (0, 0)


@in_virtual_time
async def test_an_absence_is_the_same_in_both_generations() -> None:
    """It is not given to `upgrade`, and is remembered for no longer than in the old generation."""
    cache = make_cache(Upgrading(await old_store_with(ABSENT, 20.0), upgrade, Origin()), negative_ttl=30.0)
    assert (await cache.get(1), (await cache(1)).expires) == (ABSENT, 20.0)


@in_virtual_time
async def test_an_upgrade_that_cannot_know_the_new_value_returns_miss() -> None:
    """Then the origin is asked, and that is no failure."""
    upgrading = Upgrading(await old_store_with(), lambda old: MISS, Origin(LOADED))
    assert (await upgrading(1)).value == LOADED
    assert (upgrading.upgraded, upgrading.failed) == (0, 0)


@in_virtual_time
async def test_an_error_of_the_origin_reaches_the_caller() -> None:
    """The very same, where there is no old entry."""
    error = OSError("down")
    with pytest.raises(OSError, match="down") as raised:
        await Upgrading(RemoteStore(), upgrade, Origin(error))(1)
    assert raised.value is error


# Age


@in_virtual_time
async def test_the_age_of_an_old_entry_travels() -> None:
    """All its moments do, so the new cache serves it no longer than the old one would have."""
    store = await old_store_with(expires=60.0, fresh_until=50.0, refresh_from=40.0, load_time_s=0.5)
    upgrading = Upgrading(store, upgrade, Origin(LOADED))
    assert await upgrading(1) == Entry(NEW, 60.0, 50.0, 40.0)
    cache = make_cache(upgrading, freshness=Freshness(stale_for=1_000.0))
    await until(39.0)
    assert await cache.get(1) == NEW
    entry = await cache(1)
    assert (entry.fresh_until, entry.expires) == (50.0, 60.0)


@pytest.mark.parametrize(("at", "value"), [(39.9, NEW), (40.0, LOADED), (55.0, LOADED), (60.0, LOADED)])
@in_virtual_time
async def test_an_old_entry_that_is_due_for_a_refresh_is_loaded(at: float, value: User) -> None:
    """Otherwise a refresh of the new entry would find the old one again, for as long as that lives."""
    store = await old_store_with(expires=60.0, fresh_until=50.0, refresh_from=40.0)
    await until(at)
    assert (await Upgrading(store, upgrade, Origin(LOADED))(1)).value == value


@in_virtual_time
async def test_a_clock_of_ones_own_decides_what_is_due() -> None:
    """The same that the stores and the cache have."""
    store = await old_store_with(expires=60.0)
    assert (await Upgrading(store, upgrade, Origin(LOADED), clock=lambda: 100.0)(1)).value == LOADED


# Failures


@SHARED
@in_virtual_time
async def test_an_old_store_that_fails_is_a_counted_miss(shared: bool, caplog: pytest.LogCaptureFixture) -> None:
    """No request breaks; the first error is in the log, and the later ones are only counted."""
    upgrading = Upgrading(BrokenStore("get"), upgrade, Origin(LOADED))
    cache = make_cache(upgrading, shared=shared)
    assert [await cache.get(key) for key in (1, 2, 3)] == [LOADED] * 3
    assert (upgrading.failed, upgrading.upgraded, cache.load_errors) == (3, 0, 0)
    assert [(each.name, each.levelno) for each in caplog.records] == [("cachelab.upgrading", logging.WARNING)]
    assert "The old store has failed: ConnectionError('get is broken')." in caplog.text


@in_virtual_time
async def test_an_upgrade_that_raises_is_a_counted_miss(caplog: pytest.LogCaptureFixture) -> None:
    """One old value that nobody thought of breaks no request: the origin knows the key."""

    def strict(old: OldUser) -> User:
        raise KeyError("handle")

    upgrading = Upgrading(await old_store_with(), strict, Origin(LOADED))
    assert [(await upgrading(1)).value for _ in range(2)] == [LOADED] * 2
    assert (upgrading.failed, upgrading.upgraded) == (2, 0)
    assert caplog.text.count("An upgrade has failed: KeyError('handle').") == 1


@in_virtual_time
async def test_an_upgrade_to_a_wrong_type_is_refused_by_the_store_that_reads_it() -> None:
    """Its caller has the wrong value. In Redis it is bytes that are no entry, so the next caller loads."""
    redis = FakeRedis()
    old = RedisStore(redis.client(), OldUser, namespace="user", version=1)
    new = RedisStore(redis.client(), User, namespace="user", version=2)
    await old.set(1, Entry(OLD, 60.0))
    wrong: Any = lambda old: old  # noqa: E731
    cache = make_cache(Upgrading(old, wrong, Origin(LOADED)), new)
    assert await cache.get(1) == OLD
    assert (await new.get(1), new.undecodable) == (MISS, 1)


@in_virtual_time
async def test_an_upgrade_may_say_that_the_key_does_not_exist_any_more() -> None:
    """For a value that has no place in the new release. The absence lives as long as the old value would have."""
    upgrading = Upgrading(await old_store_with(), lambda old: ABSENT, Origin())
    assert await upgrading(1) == Entry(ABSENT, 60.0)


@pytest.mark.parametrize("upgrade", [Origin().__call__, None, 3], ids=["async", "None", "a number"])
def test_an_upgrade_that_is_no_plain_function_is_refused(upgrade: Any) -> None:
    """An async one, too: it would return a coroutine in place of a value."""
    with pytest.raises(TypeError, match=r"^upgrade must be a (plain )?function, not [^\n]*$"):
        Upgrading(RemoteStore(), upgrade, Origin())


@pytest.mark.parametrize("wrong", [RemoteStore, Origin(), None], ids=["a class", "an object", "None"])
def test_an_old_store_that_is_none_is_refused(wrong: Any) -> None:
    """The sentence names the argument."""
    with pytest.raises(TypeError, match=r"^old_store must"):
        Upgrading(wrong, upgrade, Origin())


@in_virtual_time
async def test_a_key_that_the_old_store_cannot_take_is_an_error_of_the_program() -> None:
    """It reaches the caller: to load instead would hide it."""
    old = RedisStore(FakeRedis().client(), OldUser, namespace="user", version=1)
    with pytest.raises(TypeError, match="A key is an int"):
        await Upgrading(old, upgrade, Origin())(1.5)


@in_virtual_time
async def test_an_old_store_that_hangs_costs_its_time_out_and_then_the_load() -> None:
    """The client of the old store ends the wait, as that of any store does."""
    redis = FakeRedis(Hanging(0, 100), timeout_s=0.1)
    old = RedisStore(redis.client(), OldUser, namespace="user", version=1)
    upgrading = Upgrading(old, upgrade, Origin(LOADED, load_time_s=0.05))
    assert (await upgrading(1)).value == LOADED
    assert (round(now(), 6), upgrading.failed) == (0.15, 1)


# Deletes


def both_generations(redis: FakeRedis, store: Any = RedisStore) -> tuple[Any, Any]:
    """A store of each generation in the same Redis."""
    return tuple(
        store(redis.client(), kind, namespace="user", version=version) for version, kind in ((1, OldUser), (2, User))
    )


@in_virtual_time
async def test_a_delete_reaches_both_generations() -> None:
    """And the loader below, if it has a `delete`. After it, each generation loads the new row."""
    old, new = both_generations(FakeRedis())
    below = make_cache(Origin(LOADED))
    cache = make_cache(Upgrading(old, upgrade, below), new)
    await old.set(1, Entry(OLD, 60.0))
    await below.get(1)
    await cache.get(1)
    await cache.delete(1)
    assert (await old.get(1), await new.get(1), len(below._level.store)) == (MISS, MISS, 0)
    assert await cache.get(1) == LOADED


@pytest.mark.parametrize("fails", ["old", "below", "both"])
@in_virtual_time
async def test_a_delete_that_fails_in_one_place_is_tried_in_the_others_and_raises(fails: str) -> None:
    """The old generation and the level below it. The cache above has forgotten the key in any case."""
    below = make_cache(Origin(LOADED), BrokenStore(*["delete"] * (fails != "old")))
    old = BrokenStore(*["delete"] * (fails != "below"))
    await old.set(1, Entry(OLD, 60.0))
    await below.get(1)
    new = RemoteStore()
    cache = make_cache(Upgrading(old, upgrade, below), new)
    await cache.get(1)
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    assert (1 in old.entries, 1 in below._level.store.entries) == (fails != "below", fails != "old")
    assert new.entries == {}


@in_virtual_time
async def test_a_load_of_the_old_entry_is_not_filled_after_a_delete() -> None:
    """The fence stands around the upgrade as around any load."""
    old = RemoteStore(latency_s=1.0)
    old.entries[1] = Entry(OLD, 60.0)
    new = RemoteStore()
    cache = make_cache(Upgrading(old, upgrade, Origin(LOADED)), new)
    get = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0.5)
    await cache.delete(1)
    assert await get == NEW  # it asked before the delete
    assert (new.entries, left_behind(cache)) == ({}, 0)
    assert await cache.get(1) == LOADED


@in_virtual_time
async def test_a_delete_takes_the_leases_of_both_generations() -> None:
    """A load of the old code and one of the new code that read the old row are both refused."""
    old, new = LeasingStore(), LeasingStore()
    old_load, new_load = Origin(OLD), Origin(NEW)
    old_cache, new_cache = make_cache(old_load, old), make_cache(Upgrading(old, upgrade, new_load), new)
    gets = [asyncio.create_task(cache.get(1)) for cache in (old_cache, new_cache)]
    await asyncio.sleep(0.5)
    await new_cache.delete(1)
    await asyncio.gather(*gets)
    assert (old.entries, new.entries, old.settled) == ({}, {}, ["refused"])


# Cancellation


class _Old(GatedStore):
    """A gated store that has an old entry, unless the origin is to be asked."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, "old ")
        if gate.name != "load":
            self.entries[1] = Entry(OLD, 60.0)


@pytest.mark.parametrize("gate", ["old read", "load"])
@SHARED
@in_virtual_time
async def test_a_read_may_be_cancelled_at_each_await(gate: str, shared: bool) -> None:
    """Nothing is left, no failure is counted, and the next caller gets its value."""
    gates = Gate(gate)
    origin: Any = GatedOrigin(gates)
    upgrading = Upgrading(_Old(gates), upgrade, origin)
    async with make_cache(upgrading, shared=shared) as cache:
        task = asyncio.create_task(cache.get(1))
        await gates.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        gates.opened.set()
        await asyncio.sleep(1.0)
        assert (upgrading.failed, left_behind(cache)) == (0, 0)
        assert await cache.get(1) == ("value" if gate == "load" else NEW)


@pytest.mark.parametrize(
    ("gate", "forgotten"), [("delete below", False), ("old delete, not sent", False), ("old delete, sent", True)]
)
@in_virtual_time
async def test_a_delete_may_be_cancelled_at_each_await(gate: str, forgotten: bool) -> None:
    """It ends at once, tries nothing more below, and the next one reaches all."""
    gates = Gate(gate)
    old, origin = _Old(gates), cast(Any, GatedOrigin(gates))
    upgrading = Upgrading(old, upgrade, origin)
    task = asyncio.create_task(upgrading.delete(1))
    await gates.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), 1 not in old.entries) == (True, forgotten)
    gates.opened.set()
    await upgrading.delete(1)
    assert old.entries == {}


# A deploy


@pytest.mark.parametrize("store", [RedisStore, LeasedStore])
@in_virtual_time
async def test_with_both_releases_a_write_by_either_code_reaches_both_generations(store: Callable[..., Any]) -> None:
    """Release N deletes the key of N + 1, release N + 1 upgrades: whoever writes, no node serves the old value."""
    old, new = both_generations(FakeRedis(), store)
    row = "one"

    async def load_old(key: int) -> OldUser:
        return OldUser(key, row)

    async def load_new(key: int) -> User:
        return User(key, row)

    caches: list[Cache[int, Any]] = [
        Cache(AlsoDeleting(old, new), load_old, ttl=60.0, flight=Flight()),
        Cache(new, Upgrading(old, upgrade, load_new), ttl=60.0, flight=Flight()),
    ]
    for writer in (0, 1, 0, 1):
        await asyncio.gather(*(cache.get(1) for cache in caches))
        row += "!"
        await caches[writer].delete(1)
        assert [await cache.get(1) for cache in caches] == [OldUser(1, row), User(1, row)]
    if store is LeasedStore:
        await old.aclose()
        await new.aclose()


@in_virtual_time
async def test_without_the_first_release_a_write_by_old_code_leaves_the_new_generation_stale() -> None:
    """What the wrapper is for."""
    old, new = both_generations(FakeRedis())
    row = "one"

    async def load_old(key: int) -> OldUser:
        return OldUser(key, row)

    async def load_new(key: int) -> User:
        return User(key, row)

    before, after = make_cache(load_old, old), make_cache(Upgrading(old, upgrade, load_new), new)
    await before.get(1)
    await after.get(1)
    row = "two"
    await before.delete(1)
    assert await after.get(1) == User(1, "one")


def test_memory_stores_may_be_generations_too() -> None:
    """In one process, for tests of a service."""

    @in_virtual_time
    async def scenario() -> None:
        old = MemoryStore[OldUser](10)
        await old.set(1, Entry(OLD, 60.0))
        cache = make_cache(Upgrading(old, upgrade, Origin(LOADED)))
        assert await cache.get(1) == NEW
        await cache.delete(1)
        assert await cache.get(1) == LOADED

    scenario()
