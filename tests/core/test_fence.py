"""The fence under fire: random schedules with deletes, failing loads and cancelled callers, in virtual time."""

import asyncio
from random import Random
from typing import Any

import pytest

from cachelab import Cache, MemoryStore
from cachelab.entry import MISS, Entry
from tests.support.fakes import Heard, RemoteStore, facts, in_virtual_time, now
from tests.support.schedules import SlowStore, VersionedOrigin


def stored(store: Any, key: int) -> Any:
    """What the store holds, without asking it."""
    entry = store.entries.get(key, MISS) if isinstance(store, RemoteStore) else store.peek(key)
    return None if entry is MISS else entry.value


async def one_schedule(seed: int, *, remote: bool) -> tuple[int, int]:
    """Ten readers and three writers on two keys at random times, some cancelled: stale entries, and fences left."""
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
    await asyncio.sleep(10.0)  # fills whose callers have left
    stale = sum(stored(store, key) not in (None, origin.version.get(key, 0)) for key in (1, 2))
    return stale, len(cache._level.standing)


async def many_schedules(count: int, *, remote: bool) -> tuple[int, int]:
    """The sums over so many schedules."""
    results = [await one_schedule(seed, remote=remote) for seed in range(count)]
    return sum(stale for stale, _ in results), sum(left for _, left in results)


@pytest.mark.parametrize("remote", [False, True], ids=["memory", "remote"])
@in_virtual_time
async def test_no_random_schedule_ends_stale(remote: bool) -> None:
    """With cancelled callers and failing loads: no stale entry, no fence left standing."""
    assert await many_schedules(300, remote=remote) == (0, 0)


@pytest.mark.long
@pytest.mark.parametrize("remote", [False, True], ids=["memory", "remote"])
@in_virtual_time
async def test_no_schedule_of_ten_thousand_ends_stale(remote: bool) -> None:
    """The same, ten thousand times."""
    assert await many_schedules(10_000, remote=remote) == (0, 0)


@pytest.mark.parametrize("remote", [False, True], ids=["memory", "remote"])
def test_without_the_fence_random_schedules_do(remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: with fences that never break, many schedules end stale."""
    monkeypatch.setattr("cachelab.level.Level.break_fences", lambda self, key: None)
    stale: list[int] = []

    @in_virtual_time
    async def unfenced() -> None:
        stale.append((await many_schedules(100, remote=remote))[0])

    unfenced()
    assert stale[0] > 0


@in_virtual_time
async def test_a_fenced_load_is_told_and_answers_its_caller() -> None:
    """The caller who was waiting gets what was loaded for him; the fact says that it was not kept."""
    heard: Heard = []
    gate = asyncio.Event()

    async def load(key: int) -> str:
        await gate.wait()
        return "old"

    store: MemoryStore[Any] = MemoryStore(10)
    cache: Cache[int, str] = Cache(store, load, ttl=60.0, listen=heard.append)
    waiting = asyncio.create_task(cache.get(1))
    await asyncio.sleep(1.0)
    await cache.delete(1)
    gate.set()
    assert (await waiting, store.peek(1), facts(heard)) == ("old", MISS, ["load", "delete", "fenced"])


@in_virtual_time
async def test_a_fenced_answer_is_kept_by_no_cache_above() -> None:
    """What a lower cache would not keep has no life left for the upper one either."""
    gate = asyncio.Event()

    async def load(key: int) -> str:
        await gate.wait()
        return "old"

    lower: Cache[int, str] = Cache(MemoryStore(10), load, ttl=60.0)
    top: MemoryStore[Any] = MemoryStore(10)
    upper: Cache[int, str] = Cache(top, lower, ttl=60.0)
    waiting = asyncio.create_task(upper.get(1))
    await asyncio.sleep(1.0)
    await lower.delete(1)  # by somebody who knows only the lower one
    gate.set()
    assert (await waiting, top.peek(1), now()) == ("old", MISS, 1.0)


class GatedStore(RemoteStore):
    """A remote store whose fill waits to land, and whose deletes can be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.landing = asyncio.Event()
        self.filling = asyncio.Event()

    async def set(self, key: Any, entry: Entry[Any]) -> None:
        self.filling.set()
        await self.landing.wait()
        self.entries[key] = entry


async def a_fill_on_its_way() -> tuple[GatedStore, Cache[int, str], asyncio.Task[Any]]:
    """A caller has loaded "old", and the store has been sent it."""
    store = GatedStore()

    async def load(key: int) -> str:
        return "old"

    cache: Cache[int, str] = Cache(store, load, ttl=60.0)
    caller = asyncio.create_task(cache.get(1))
    await store.filling.wait()
    return store, cache, caller


@pytest.mark.parametrize("cancelled", ["before the delete", "after the delete"])
@in_virtual_time
async def test_a_cancelled_callers_fill_is_taken_back_too(cancelled: str) -> None:
    """The bytes are on their way whether or not the caller still waits; the fence stays up until they have landed.

    A delete lets the caller go, so that after it there is nothing to cancel.
    """
    store, cache, caller = await a_fill_on_its_way()
    if cancelled == "before the delete":
        caller.cancel()
        await asyncio.sleep(0)
    await cache.delete(1)
    caller.cancel()
    await asyncio.wait([caller])
    store.landing.set()
    await asyncio.sleep(1.0)
    assert caller.cancelled() == (cancelled == "before the delete")
    assert (store.entries, len(cache._level.standing)) == ({}, 0)


@in_virtual_time
async def test_a_fill_that_cannot_be_taken_back_is_counted() -> None:
    """Nobody is left to raise to: the store error is counted and told, and the TTL is the bound."""
    store, cache, caller = await a_fill_on_its_way()
    await cache.delete(1)

    async def broken(key: Any) -> None:
        raise ConnectionError

    store.delete = broken  # type: ignore[method-assign]
    store.landing.set()
    value = await caller
    await cache.aclose()
    assert (value, cache.store_errors, list(store.entries)) == ("old", 1, [1])
