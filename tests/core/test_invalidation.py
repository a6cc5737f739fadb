"""`invalidate` and `invalidate_all`: what a cache forgets after another process has written."""

import asyncio
from typing import Any

import pytest

from cachelab import MISS, CachetoolsStore, Locked, MemoryStore
from tests.support.caches import EVERY_STORE, SHARED, NewStore, make_cache, make_flight_cache, start_gets
from tests.support.fakes import Heard, Origin, RemoteStore, facts, in_virtual_time, left_behind

EVERY_STORE_IN_PROCESS = pytest.mark.parametrize(
    "new_store",
    [lambda: MemoryStore(10), lambda: Locked(MemoryStore(10)), lambda: CachetoolsStore(10)],
    ids=["MemoryStore", "Locked", "CachetoolsStore"],
)
EACH_VERB = pytest.mark.parametrize("every_key", [False, True], ids=["invalidate", "invalidate_all"])


@EVERY_STORE_IN_PROCESS
@in_virtual_time
async def test_a_store_in_this_process_forgets_the_key(new_store: NewStore) -> None:
    """The next caller loads the key again, and the entries of other keys stay."""
    origin = Origin("old")
    cache = make_flight_cache(origin, new_store())
    await cache.get(1)
    await cache.get(2)
    origin.answer = "new"
    await cache.invalidate(1)
    assert (await cache.get(1), await cache.get(2), origin.calls) == ("new", "old", 3)


@EVERY_STORE_IN_PROCESS
@in_virtual_time
async def test_a_store_in_this_process_forgets_every_key(new_store: NewStore) -> None:
    """This is what a process needs after messages that may have been lost."""
    origin = Origin("old")
    cache = make_flight_cache(origin, new_store())
    await cache.get(1)
    await cache.get(2)
    origin.answer = "new"
    await cache.invalidate_all()
    assert (await cache.get(1), await cache.get(2), len(cache._level.store)) == ("new", "new", 2)


@EACH_VERB
@in_virtual_time
async def test_a_shared_store_is_left_alone(every_key: bool) -> None:
    """The process that wrote has deleted the key there, and another process may have filled it again since."""
    store, origin = RemoteStore(), Origin()
    cache = make_flight_cache(origin, store)
    await cache.get(1)
    await (cache.invalidate_all() if every_key else cache.invalidate(1))
    assert (await cache.get(1), origin.calls, len(store.entries)) == ("value", 1, 1)


@EACH_VERB
@in_virtual_time
async def test_the_cache_below_is_left_alone(every_key: bool) -> None:
    """A message names no level: the receiver invalidates the key in each of its caches."""
    origin = Origin()
    lower = make_flight_cache(origin)
    upper = make_flight_cache(lower)
    await upper.get(1)
    await (upper.invalidate_all() if every_key else upper.invalidate(1))
    assert (await upper.get(1), lower.hits, origin.calls) == ("value", 1, 1)


@EACH_VERB
@EVERY_STORE
@in_virtual_time
async def test_a_load_under_way_fills_nothing(new_store: NewStore, every_key: bool) -> None:
    """It may have read the old value. Its caller gets that value, and a later caller starts a new load."""
    origin, heard = Origin("old"), Heard()
    cache = make_flight_cache(origin, new_store(), listen=heard.append)
    first = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0.5)
    origin.answer = "new"
    await (cache.invalidate_all() if every_key else cache.invalidate(1))
    later = asyncio.create_task(cache.get(1))
    assert (await first, await later, await cache.get(1), origin.calls) == ("old", "new", "new", 2)
    assert (facts(heard), left_behind(cache)) == (["load", "load", "fenced", "fill"], 0)


@SHARED
@EVERY_STORE
@in_virtual_time
async def test_every_load_under_way_is_fenced(new_store: NewStore, shared: bool) -> None:
    """Several keys are being loaded, and without a flight one of them twice: none of these loads fills."""
    origin, heard = Origin("old"), Heard()
    cache = make_cache(origin, new_store(), shared=shared, listen=heard.append)
    callers = start_gets(cache, 2, key=1) + start_gets(cache, key=2) + start_gets(cache, key=3)
    await asyncio.sleep(0.5)
    origin.answer = "new"
    await cache.invalidate_all()
    assert await asyncio.gather(*callers) == ["old"] * 4
    assert facts(heard).count("fenced") == origin.calls
    assert [await cache.get(key) for key in (1, 2, 3)] == ["new"] * 3


@EACH_VERB
@EVERY_STORE
@pytest.mark.parametrize("turns", range(4))
@in_virtual_time
async def test_a_load_may_be_at_its_first_step(turns: int, new_store: NewStore, every_key: bool) -> None:
    """In whichever turn of the loop the message comes, no caller after it is given the old value."""
    origin = Origin("old")
    cache = make_flight_cache(origin, new_store())
    before = start_gets(cache)
    for _ in range(turns):
        await asyncio.sleep(0)
    origin.answer = "new"
    await (cache.invalidate_all() if every_key else cache.invalidate(1))
    after = start_gets(cache)
    await asyncio.gather(*before)
    assert (await after[0], await cache.get(1), left_behind(cache)) == ("new", "new", 0)


@in_virtual_time
async def test_a_store_in_this_process_without_clear_is_an_error() -> None:
    """The message names the class of the store. The loads under way are fenced all the same."""

    class StoreWithoutClear(RemoteStore):
        def peek(self, _key: int) -> Any:
            return MISS

    store = StoreWithoutClear()
    cache = make_flight_cache(Origin(), store)
    waiting = start_gets(cache)[0]
    await asyncio.sleep(0.5)
    with pytest.raises(TypeError, match=r"needs a store with clear\(\), which StoreWithoutClear does not have"):
        await cache.invalidate_all()
    assert (await waiting, store.entries) == ("value", {})
