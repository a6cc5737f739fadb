"""`invalidate` and `invalidate_all`: what a process forgets after another process has written."""

import asyncio
from typing import Any

import pytest

from cachelab import Cache, CachetoolsStore, Flight, Locked, MemoryStore
from tests.support.fakes import Heard, Origin, RemoteStore, facts, in_virtual_time, left_behind

IN_PROCESS = pytest.mark.parametrize(
    "make_store",
    [lambda: MemoryStore(10), lambda: Locked(MemoryStore(10)), lambda: CachetoolsStore(10)],
    ids=["MemoryStore", "Locked", "CachetoolsStore"],
)


def over(store: Any, load: Any, **options: Any) -> Cache[int, Any]:
    """A cache with a flight over this store."""
    return Cache(store, load, ttl=60.0, flight=Flight(), **options)


@IN_PROCESS
@in_virtual_time
async def test_a_store_in_this_process_forgets_the_key(make_store: Any) -> None:
    """The next caller loads again, and other keys stay."""
    origin = Origin("old")
    cache = over(make_store(), origin)
    await cache.get(1)
    await cache.get(2)
    origin.answer = "new"
    await cache.invalidate(1)
    assert (await cache.get(1), await cache.get(2), origin.calls) == ("new", "old", 3)


@IN_PROCESS
@in_virtual_time
async def test_a_store_in_this_process_forgets_every_key(make_store: Any) -> None:
    """As after a message that may have been lost."""
    origin = Origin("old")
    cache = over(make_store(), origin)
    await cache.get(1)
    await cache.get(2)
    origin.answer = "new"
    await cache.invalidate_all()
    assert (await cache.get(1), await cache.get(2), len(cache._level.store)) == ("new", "new", 2)


@pytest.mark.parametrize("every", [False, True], ids=["invalidate", "invalidate_all"])
@in_virtual_time
async def test_a_shared_store_is_left_alone(every: bool) -> None:
    """The process that wrote has deleted the key there, and another may have filled it again since."""
    store, origin = RemoteStore(), Origin()
    cache = over(store, origin)
    await cache.get(1)
    await (cache.invalidate_all() if every else cache.invalidate(1))
    assert (await cache.get(1), origin.calls, len(store.entries)) == ("value", 1, 1)


@pytest.mark.parametrize("every", [False, True], ids=["invalidate", "invalidate_all"])
@in_virtual_time
async def test_the_cache_below_is_left_alone(every: bool) -> None:
    """A message names no level: whoever receives it tells each of its caches."""
    origin = Origin()
    lower = over(MemoryStore(10), origin, name="lower")
    upper = over(MemoryStore(10), lower, name="upper")
    await upper.get(1)
    await (upper.invalidate_all() if every else upper.invalidate(1))
    assert (await upper.get(1), lower.hits, origin.calls) == ("value", 1, 1)


@pytest.mark.parametrize("every", [False, True], ids=["invalidate", "invalidate_all"])
@pytest.mark.parametrize("make_store", [lambda: MemoryStore(10), RemoteStore], ids=["here", "remote"])
@in_virtual_time
async def test_a_load_under_way_fills_nothing(make_store: Any, every: bool) -> None:
    """It may have read the old value; its caller gets that, and a later caller loads anew."""
    origin, heard = Origin("old"), Heard()
    cache = over(make_store(), origin, listen=heard.append)
    first = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0.5)
    origin.answer = "new"
    await (cache.invalidate_all() if every else cache.invalidate(1))
    later = asyncio.create_task(cache.get(1))
    assert (await first, await later, await cache.get(1), origin.calls) == ("old", "new", "new", 2)
    assert (facts(heard), left_behind(cache)) == (["load", "load", "fenced", "fill"], 0)


@in_virtual_time
async def test_a_store_that_cannot_be_cleared_is_named() -> None:
    """One sentence, and the loads under way are fenced all the same."""

    class NoClear(RemoteStore):
        def peek(self, _key: int) -> Any:
            return None

    cache = over(NoClear(), Origin())
    with pytest.raises(TypeError, match=r"invalidate_all needs a store with clear\(\)"):
        await cache.invalidate_all()
