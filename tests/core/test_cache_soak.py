"""A cache with flight and freshness in random schedules, in virtual time.

The schedules are those of test_fence.py, for the whole cache: refreshes, shared loads, deletes, failing loads and
cancelled callers.
"""

import asyncio
import gc
from collections import Counter
from random import Random
from typing import Any

import pytest

from cachelab import Cache, Flight, Loader, MemoryStore
from cachelab.freshness import Freshness
from tests.support.fakes import in_virtual_time, left_behind, now, other_tasks, tally
from tests.support.schedules import SlowStore, VersionedOrigin, stored_value

MANY_TIMES = pytest.mark.parametrize(
    "times",
    [
        pytest.param(3, marks=pytest.mark.long),
        pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)
"""How many thousand schedules, and ten thousand refreshes."""
EVERY_STACK = pytest.mark.parametrize("stack", ["in process", "remote", "in process over remote"])


async def one_schedule(seed: int, stack: str) -> dict[str, int]:
    """Fifteen readers and three writers on two keys, some cancelled. Returns how often each thing happened."""
    chance = Random(f"{seed}/soak")
    origin = VersionedOrigin(chance)
    oldest_allowed: dict[int, int] = {}  # key -> the version of the last write whose delete has returned
    stores: list[Any] = [SlowStore(chance)] if stack != "in process" else []
    stores += [MemoryStore(10)] if stack != "remote" else []
    caches: list[Cache[int, int]] = []
    for store in stores:
        freshness = Freshness(stale_for=1_000.0, beta=1.0, jitter=0.5, random=chance.random)
        below: Loader[int, Any] = caches[-1] if caches else origin.load
        caches.append(Cache(store, below, ttl=1.0, flight=Flight(), freshness=freshness))
    cache = caches[-1]
    too_old = 0

    async def read(key: int) -> None:
        nonlocal too_old
        await asyncio.sleep(6 * chance.random())
        oldest = oldest_allowed.get(key, 0)
        version: Any = await cache.get(key)
        too_old += version < oldest

    async def write(key: int) -> None:
        await asyncio.sleep(6 * chance.random())
        await origin.write(key)
        version = origin.version[key]
        await cache.delete(key)
        oldest_allowed[key] = max(version, oldest_allowed.get(key, 0))

    readers = [asyncio.create_task(read(chance.choice([1, 2]))) for _ in range(15)]
    writers = [asyncio.create_task(write(chance.choice([1, 2]))) for _ in range(3)]
    for task in readers:
        if chance.random() < 0.3:
            asyncio.get_running_loop().call_later(7 * chance.random(), task.cancel)
    await asyncio.gather(*readers, *writers, return_exceptions=True)
    await asyncio.sleep(20.0)  # for loads, refreshes and fills whose callers were cancelled
    stored = [(key, stored_value(store, key)) for store in stores for key in (1, 2)]
    return {
        "readers given a value that is too old": too_old,
        "stale entries stored": sum(value not in (None, origin.version.get(key, 0)) for key, value in stored),
        "tasks and table entries left": sum(map(left_behind, caches)) + len(other_tasks()),
        "readers without an end": sum(not task.done() for task in readers),
        "stale answers": cache.stale,
        "gets": sum(tally(cache)),
    }


async def many_schedules(count: int, stack: str) -> Counter[str]:
    """The sums over so many schedules."""
    total: Counter[str] = Counter()
    for seed in range(count):
        total.update(await one_schedule(seed, stack))
    return total


def assert_nothing_went_wrong(total: Counter[str], count: int) -> None:
    """What must not happen has not happened, and a lot else has."""
    for fault in (
        "readers given a value that is too old",
        "stale entries stored",
        "tasks and table entries left",
        "readers without an end",
    ):
        assert (fault, total.pop(fault)) == (fault, 0)
    assert total["gets"] > 10 * count
    assert total["stale answers"] > count


@EVERY_STACK
@in_virtual_time
async def test_no_random_schedule_goes_wrong(stack: str) -> None:
    """No stale value stays, no caller that asks after a delete is given an older one, and no task or entry is left."""
    assert_nothing_went_wrong(await many_schedules(300, stack), 300)


@MANY_TIMES
@EVERY_STACK
@in_virtual_time
async def test_no_schedule_of_many_thousand_goes_wrong(stack: str, times: int) -> None:
    """The same, many times."""
    assert_nothing_went_wrong(await many_schedules(1_000 * times, stack), 1_000 * times)


async def many_refreshes(count: int) -> tuple[int, list[dict[str, Any]]]:
    """What is left, and what the loop's exception handler got, after so many refreshes of a hundred keys.

    A third of the refreshes fail, and callers are cancelled at random.
    """
    chance, unhandled = Random(7), list[dict[str, Any]]()
    loop: Any = asyncio.get_running_loop()
    loop.call_exception_handler = unhandled.append
    refreshes = 0

    async def load(key: int) -> float:
        nonlocal refreshes
        refreshes += 1
        await asyncio.sleep(chance.random() / 10)
        if chance.random() < 1 / 3:
            raise ConnectionError
        return now()

    freshness = Freshness(stale_for=2.0, beta=1.0, jitter=0.5, random=chance.random)
    cache: Cache[int, float] = Cache(MemoryStore(100), load, ttl=0.2, flight=Flight(), freshness=freshness)
    async with cache:
        while refreshes < count:
            callers = [asyncio.create_task(cache.get(chance.randrange(100))) for _ in range(10)]
            await asyncio.sleep(0.02 * chance.random())
            chance.choice(callers).cancel()
            await asyncio.gather(*callers, return_exceptions=True)
    del callers
    gc.collect()
    assert cache.stale > count / 2
    return left_behind(cache) + len(other_tasks()), unhandled


@pytest.mark.long
@in_virtual_time
async def test_refreshes_leave_nothing_behind() -> None:
    """No task or table entry is left, and the loop's exception handler gets nothing, even when garbage is collected."""
    assert await many_refreshes(2_000) == (0, [])


@MANY_TIMES
@in_virtual_time
async def test_many_thousand_refreshes_leave_nothing_behind(times: int) -> None:
    """The same, many times."""
    assert await many_refreshes(10_000 * times) == (0, [])


@pytest.mark.parametrize("part", ["cachelab.level.Level.break_fences", "cachelab.flight.Flight.forget"])
@EVERY_STACK
def test_without_one_of_its_parts_a_random_schedule_goes_wrong(
    part: str, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail: if a delete breaks no fence or forgets no load, some reader is given the old value."""
    monkeypatch.setattr(part, lambda self, key: None)

    @in_virtual_time
    async def some_schedule_goes_wrong() -> None:
        for seed in range(4_000):
            if (await one_schedule(seed, stack))["readers given a value that is too old"]:
                return
        raise AssertionError("no schedule went wrong")

    some_schedule_goes_wrong()
