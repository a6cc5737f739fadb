"""The fence, in virtual time: random schedules with deletes, failing loads and cancelled callers, and single cases."""

import asyncio
from random import Random
from typing import Any

import pytest

from cachelab import Cache, MemoryStore
from cachelab.entry import MISS
from tests.support.caches import make_cache, start_gets
from tests.support.fakes import Heard, Origin, RemoteStore, facts, in_virtual_time, left_behind, now
from tests.support.gated import GatedCache, GatedStore
from tests.support.schedules import SlowStore, VersionedOrigin, stored_value

EVERY_STORE = pytest.mark.parametrize("remote", [False, True], ids=["in process", "remote"])


async def one_schedule(seed: int, *, remote: bool) -> tuple[int, int]:
    """Ten readers and three writers on two keys at random times, some cancelled.

    Returns how many stale entries are in the store afterwards, and how much is left in the cache's tables.
    """
    chance = Random(f"{seed}/schedule")
    origin = VersionedOrigin(chance)
    store: Any = SlowStore(chance) if remote else MemoryStore(10)
    cache: Cache[int, int] = Cache(store, origin.load, ttl=1_000.0)

    async def read(key: int) -> None:
        await asyncio.sleep(3 * chance.random())
        await cache.get(key)

    async def write(key: int) -> None:
        await asyncio.sleep(3 * chance.random())
        await origin.write(key)
        await cache.delete(key)

    readers = [asyncio.create_task(read(chance.choice([1, 2]))) for _ in range(10)]
    writers = [asyncio.create_task(write(chance.choice([1, 2]))) for _ in range(3)]
    for task in readers:
        if chance.random() < 0.3:
            asyncio.get_running_loop().call_later(4 * chance.random(), task.cancel)
    await asyncio.wait(readers + writers)
    await asyncio.sleep(10.0)  # for fills whose callers were cancelled
    stale = sum(stored_value(store, key) not in (None, origin.version.get(key, 0)) for key in (1, 2))
    return stale, left_behind(cache)


async def many_schedules(count: int, *, remote: bool) -> tuple[int, int]:
    """The sums over so many schedules."""
    results = [await one_schedule(seed, remote=remote) for seed in range(count)]
    return sum(stale for stale, _ in results), sum(left for _, left in results)


@EVERY_STORE
@in_virtual_time
async def test_no_random_schedule_ends_stale(remote: bool) -> None:
    """With cancelled callers and failing loads no stale entry stays, and no fence is left standing."""
    assert await many_schedules(300, remote=remote) == (0, 0)


@pytest.mark.long
@EVERY_STORE
@in_virtual_time
async def test_no_schedule_of_ten_thousand_ends_stale(remote: bool) -> None:
    """The same, ten thousand times."""
    assert await many_schedules(10_000, remote=remote) == (0, 0)


@EVERY_STORE
def test_without_the_fence_some_random_schedules_end_stale(remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: if a delete breaks no fences, stale entries stay."""
    monkeypatch.setattr("cachelab.level.Level.break_fences", lambda self, key: None)
    stale: list[int] = []

    @in_virtual_time
    async def unfenced() -> None:
        stale.append((await many_schedules(100, remote=remote))[0])

    unfenced()
    assert stale[0] > 0


@in_virtual_time
async def test_a_fenced_load_answers_its_caller_and_is_reported() -> None:
    """The caller that was waiting gets the value that was loaded for it. The fact says that it was not kept."""
    heard: Heard = []
    store: MemoryStore[Any] = MemoryStore(10)
    cache = make_cache(Origin("old"), store, listen=heard.append)
    waiting = start_gets(cache)[0]
    await asyncio.sleep(0.5)
    await cache.delete(1)
    assert (await waiting, store.peek(1), facts(heard)) == ("old", MISS, ["load", "delete", "fenced"])


@in_virtual_time
async def test_a_fenced_answer_is_kept_by_no_cache_above() -> None:
    """An answer that the lower cache may not keep has expired for the upper one too."""
    lower = make_cache(Origin("old"))
    upper_store: MemoryStore[Any] = MemoryStore(10)
    upper = make_cache(lower, upper_store)
    waiting = start_gets(upper)[0]
    await asyncio.sleep(0.5)
    await lower.delete(1)  # by code that knows only the lower cache
    assert (await waiting, upper_store.peek(1), now()) == ("old", MISS, 1.0)


@pytest.mark.parametrize("cancelled", ["before the delete", "after the delete"])
@in_virtual_time
async def test_the_fill_of_a_cancelled_caller_is_deleted_again_too(cancelled: str) -> None:
    """The fill is on its way whether or not the caller still waits, and the fence stands until the fill has ended.

    A delete ends the caller's wait, so that after it there is nothing left to cancel.
    """
    gated = GatedCache(GatedStore, "fill, not sent")
    caller = start_gets(gated.cache)[0]
    await gated.gate.reached.wait()
    if cancelled == "before the delete":
        caller.cancel()
        await asyncio.sleep(0)
    await gated.cache.delete(1)
    await asyncio.sleep(0)  # the turn in which the delete wakes the caller
    caller.cancel()
    await asyncio.wait([caller])
    gated.gate.opened.set()
    await asyncio.sleep(1.0)
    assert caller.cancelled() == (cancelled == "before the delete")
    assert (gated.store.entries, left_behind(gated.cache)) == ({}, 0)


@in_virtual_time
async def test_a_fill_that_cannot_be_deleted_again_is_counted() -> None:
    """There is no caller left to raise to. The store error is counted and reported, and the TTL is the bound."""
    gated = GatedCache(GatedStore, "fill, not sent")
    caller = start_gets(gated.cache)[0]
    await gated.gate.reached.wait()
    await gated.cache.delete(1)

    async def fail(key: Any) -> None:
        raise ConnectionError

    gated.store.delete = fail  # type: ignore[method-assign]
    gated.gate.opened.set()
    value = await caller
    await gated.cache.aclose()
    assert (value, gated.cache.store_errors, list(gated.store.entries)) == ("value", 1, [1])


@in_virtual_time
async def test_a_fill_whose_reply_is_an_error_is_deleted_again_too() -> None:
    """The store has kept the entry all the same, as after a time-out that came too late."""
    gated = GatedCache(GatedStore, "fill, not sent")
    fill = gated.store.set

    async def fill_and_fail(key: Any, entry: Any) -> None:
        await fill(key, entry)
        raise ConnectionError

    gated.store.set = fill_and_fail  # type: ignore[method-assign]
    caller = start_gets(gated.cache)[0]
    await gated.gate.reached.wait()
    await gated.cache.delete(1)
    gated.gate.opened.set()
    value = await caller
    await gated.cache.aclose()
    assert (value, gated.cache.store_errors, gated.store.entries) == ("value", 1, {})


@in_virtual_time
async def test_a_load_that_begins_during_a_delete_may_fill() -> None:
    """The write had been committed before the delete, so the load reads the new row."""
    heard: Heard = []
    origin, store = Origin("new", load_time_s=2.0), RemoteStore()
    cache = make_cache(origin, store, listen=heard.append)
    store.latency_s = 1.0
    deleting = asyncio.create_task(cache.delete(1))
    await asyncio.sleep(0.5)
    store.latency_s = 0.0
    assert await cache.get(1) == "new"
    await deleting
    assert (facts(heard), store.entries[1].value) == (["load", "delete", "fill"], "new")
