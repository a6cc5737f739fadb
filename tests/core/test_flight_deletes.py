"""A delete in the middle of a shared load, in virtual time: who asked before it, who asks after it, and what stays."""

import asyncio
from typing import Any

from cachelab import Cache, Entry, MemoryStore
from tests.support.caches import EVERY_STORE_WITH_LATENCY, NewStore, make_flight_cache, start_gets
from tests.support.fakes import Origin, RemoteStore, in_virtual_time, left_behind, tally


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_who_asks_after_a_delete_is_given_a_new_load(new_store: NewStore) -> None:
    """Who asked before it gets the old answer; who asks after it starts a load anew, and only that one stays."""
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
async def test_an_old_load_that_ends_last_takes_nothing_with_it(new_store: NewStore) -> None:
    """The new load is faster; the old one neither overwrites it nor clears the table of a third."""
    origin = Origin("old", load_time_s=20.0)
    cache = make_flight_cache(origin, new_store())
    before = start_gets(cache)
    await asyncio.sleep(1.0)
    origin.answer, origin.load_time_s = "new", 1.0
    await cache.delete(1)
    assert await cache.get(1) == "new"
    assert (await before[0], await cache.get(1), left_behind(cache)) == ("old", "new", 0)


class OvertakenStore(RemoteStore):
    """A remote store whose fills land late: `sent`, then `land` lets it happen, then a second until the reply."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.land = asyncio.Event(), asyncio.Event()

    async def set(self, key: Any, entry: Entry[Any]) -> None:
        self.sent.set()
        await self.land.wait()
        self.entries[key] = entry
        await asyncio.sleep(1.0)


async def overtake_a_fill(cache: Cache[int, Any], store: OvertakenStore, origin: Origin) -> asyncio.Task[Any]:
    """A load of "old" is being filled when the row changes, and the delete is done before the fill lands."""
    asked_before = start_gets(cache)[0]
    await store.sent.wait()
    origin.answer = "new"
    await cache.delete(1)
    store.land.set()
    await asyncio.sleep(0.5)  # landed, and not yet taken back
    assert store.entries[1].value == "old"
    return asked_before


@in_virtual_time
async def test_nobody_is_given_a_fill_that_a_delete_has_overtaken() -> None:
    """Until it has been taken back it stands in the store; who asks in that second loads all the same."""
    origin, store = Origin("old", load_time_s=0.0), OvertakenStore()
    cache = make_flight_cache(origin, store)
    asked_before = await overtake_a_fill(cache, store, origin)
    assert await cache.get(1) == "new"
    assert (await asked_before, await cache.get(1), left_behind(cache)) == ("old", "new", 0)


@in_virtual_time
async def test_a_fill_that_a_delete_has_overtaken_below_is_kept_by_no_cache_above() -> None:
    """A memory cache above would keep it for its own TTL, long after it was taken back below."""
    origin, store, here = Origin("old", load_time_s=0.0), OvertakenStore(), MemoryStore[Any](10)
    lower = make_flight_cache(origin, store)
    upper = make_flight_cache(lower, here)
    asked_before = await overtake_a_fill(upper, store, origin)
    assert await upper.get(1) == "new"
    assert (await asked_before, await upper.get(1)) == ("old", "new")


@in_virtual_time
async def test_an_old_load_that_never_ends_does_not_make_the_store_useless() -> None:
    """What it would fill is fenced off before it fills; the store is believed meanwhile."""
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
    """Both have flights and loads in them; who asks the upper one after the delete is given the new row."""
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
