"""A delete in the middle of a shared load, in virtual time: what earlier and later callers get, and what stays."""

import asyncio
from typing import Any

from cachelab import Cache, Entry, MemoryStore
from tests.support.caches import EVERY_STORE_WITH_LATENCY, NewStore, make_flight_cache, start_gets
from tests.support.fakes import Origin, RemoteStore, in_virtual_time, left_behind, tally


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_callers_after_a_delete_get_a_new_load(new_store: NewStore) -> None:
    """Callers from before it get the old answer. The first one after it starts a new load, and only that one stays."""
    origin = Origin("old", load_time_s=2.0)
    cache = make_flight_cache(origin, new_store())
    before = start_gets(cache, 3)
    await asyncio.sleep(1.0)
    origin.answer = "new"
    await cache.delete(1)
    after = start_gets(cache, 3)
    assert await asyncio.gather(*before) == ["old"] * 3
    assert await asyncio.gather(*after) == ["new"] * 3
    assert (await cache.get(1), origin.calls, tally(cache)) == ("new", 2, (1, 0, 2, 4))
    assert left_behind(cache) == 0


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_an_old_load_that_ends_last_changes_nothing(new_store: NewStore) -> None:
    """The new load is faster. The old one does not overwrite its value, and takes nothing of it out of the tables."""
    origin = Origin("old", load_time_s=20.0)
    cache = make_flight_cache(origin, new_store())
    before = start_gets(cache)
    await asyncio.sleep(1.0)
    origin.answer, origin.load_time_s = "new", 1.0
    await cache.delete(1)
    assert await cache.get(1) == "new"
    assert (await before[0], await cache.get(1), left_behind(cache)) == ("old", "new", 0)


class OvertakenStore(RemoteStore):
    """A remote store whose fills arrive late: not before `may_arrive` is set. The reply comes a second later.

    `sent` is set when a fill has been sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.may_arrive = asyncio.Event(), asyncio.Event()

    async def set(self, key: Any, entry: Entry[Any]) -> None:
        self.sent.set()
        await self.may_arrive.wait()
        self.entries[key] = entry
        await asyncio.sleep(1.0)


async def overtake_a_fill(cache: Cache[int, Any], store: OvertakenStore, origin: Origin) -> asyncio.Task[Any]:
    """The row changes while "old" is being filled, and the delete ends before that fill arrives."""
    earlier_get = start_gets(cache)[0]
    await store.sent.wait()
    origin.answer = "new"
    await cache.delete(1)
    store.may_arrive.set()
    await asyncio.sleep(0.5)  # the fill has arrived and has not been deleted again
    assert store.entries[1].value == "old"
    return earlier_get


@in_virtual_time
async def test_no_caller_gets_a_fill_that_a_delete_has_overtaken() -> None:
    """Until it is deleted again, the old value is in the store. A caller in that second loads all the same."""
    origin, store = Origin("old", load_time_s=0.0), OvertakenStore()
    cache = make_flight_cache(origin, store)
    earlier_get = await overtake_a_fill(cache, store, origin)
    assert await cache.get(1) == "new"
    assert (await earlier_get, await cache.get(1), left_behind(cache)) == ("old", "new", 0)


@in_virtual_time
async def test_no_cache_above_keeps_a_fill_that_a_delete_has_overtaken_below() -> None:
    """A memory cache above would keep it for its own TTL, long after it was deleted again below."""
    origin, store, here = Origin("old", load_time_s=0.0), OvertakenStore(), MemoryStore[Any](10)
    lower = make_flight_cache(origin, store)
    upper = make_flight_cache(lower, here)
    earlier_get = await overtake_a_fill(upper, store, origin)
    assert await upper.get(1) == "new"
    assert (await earlier_get, await upper.get(1)) == ("old", "new")


@in_virtual_time
async def test_during_an_old_load_that_never_ends_the_store_is_used() -> None:
    """Its fence is broken, so it will not fill, and meanwhile callers read from the store."""
    origin, store = Origin("old", load_time_s=1e9), RemoteStore()
    cache = make_flight_cache(origin, store)
    hanging = start_gets(cache)
    await asyncio.sleep(1.0)
    origin.answer, origin.load_time_s = "new", 0.0
    await cache.delete(1)
    assert ([await cache.get(1) for _ in range(3)], origin.calls) == (["new"] * 3, 2)
    hanging[0].cancel()


@in_virtual_time
async def test_through_two_caches_a_delete_goes_down_first() -> None:
    """Both have loads in flight. Callers of the upper one get the new row after the delete."""
    origin = Origin("old", load_time_s=2.0)
    lower = make_flight_cache(origin, RemoteStore(0.25))
    upper = make_flight_cache(lower)
    before = start_gets(upper, 3)
    await asyncio.sleep(1.0)
    origin.answer = "new"
    await upper.delete(1)
    after = start_gets(upper, 3)
    assert await asyncio.gather(*before, *after) == ["old"] * 3 + ["new"] * 3
    assert ([await cache.get(1) for cache in (upper, lower)], origin.calls) == (["new", "new"], 2)
    assert (left_behind(upper), left_behind(lower)) == (0, 0)
