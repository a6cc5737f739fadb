"""Flight and freshness under fire, in virtual time: random schedules in which everything happens at once.

The style of test_fence.py, on the whole cache: refreshes, shared loads, deletes, failing loads and cancelled callers.
"""

import asyncio
import gc
from random import Random
from typing import Any

import pytest

from cachelab import Cache, Flight, Loader, MemoryStore
from cachelab.freshness import Freshness
from tests.support.fakes import in_virtual_time, left_behind, now, others
from tests.support.schedules import SlowStore, VersionedOrigin

WHERE = pytest.mark.parametrize("where", ["here", "remote", "here over remote"])


def kept(store: Any, key: int) -> Any:
    """What the store holds, fresh or stale."""
    entry = store.entries.get(key) if isinstance(store, SlowStore) else store.find(key)
    return entry.value if entry else None


class Marked(VersionedOrigin):
    """The origin of the fence's tests, which also knows what a reader who asks now may not be given any more."""

    def __init__(self, chance: Random) -> None:
        super().__init__(chance)
        self.floor: dict[int, int] = {}


async def one_schedule(seed: int, where: str) -> dict[str, int]:
    """Fifteen readers and three writers on two keys, some cancelled; how much of each went wrong."""
    chance = Random(f"{seed}/soak")
    origin = Marked(chance)
    stores: list[Any] = [SlowStore(chance)] if where != "here" else []
    stores += [MemoryStore(10)] if where != "remote" else []
    caches: list[Cache[int, int]] = []
    for store in stores:
        freshness = Freshness(stale_for=1_000.0, beta=1.0, jitter=0.5, random=chance.random)
        below: Loader[int, Any] = caches[-1] if caches else origin.load
        caches.append(Cache(store, below, ttl=1.0, flight=Flight(), freshness=freshness))
    cache = caches[-1]
    wrong = {"too old": 0}

    async def read(key: int) -> None:
        await asyncio.sleep(6 * chance.random())
        floor = origin.floor.get(key, 0)
        wrong["too old"] += await cache.get(key) < floor  # type: ignore[operator]

    async def write(key: int) -> None:
        await asyncio.sleep(6 * chance.random())
        await origin.write(key)
        version = origin.version[key]
        await cache.delete(key)
        origin.floor[key] = max(version, origin.floor.get(key, 0))

    readers = [asyncio.create_task(read(chance.choice([1, 2]))) for _ in range(15)]
    writers = [asyncio.create_task(write(chance.choice([1, 2]))) for _ in range(3)]
    for task in readers:
        if chance.random() < 0.3:
            asyncio.get_running_loop().call_later(7 * chance.random(), task.cancel)
    await asyncio.gather(*readers, *writers, return_exceptions=True)
    await asyncio.sleep(20.0)  # loads, refreshes and fills whose callers have left
    left = sum(map(left_behind, caches)) + len(others())
    stale = sum(kept(store, key) not in (None, origin.version.get(key, 0)) for store in stores for key in (1, 2))
    lost = sum(not task.done() for task in readers)
    gets = cache.hits + cache.stale + cache.misses + cache.collapsed
    return wrong | {"stale": stale, "left": left, "lost": lost, "stale served": cache.stale, "gets": gets}


async def many_schedules(count: int, where: str) -> dict[str, int]:
    """The sums over so many schedules."""
    total: dict[str, int] = {}
    for seed in range(count):
        for what, number in (await one_schedule(seed, where)).items():
            total[what] = total.get(what, 0) + number
    return total


def assert_nothing_went_wrong(total: dict[str, int], count: int) -> None:
    """Nobody was given what was too old, nothing stale stays, nothing is left; and a lot did happen."""
    assert {what: total[what] for what in ("too old", "stale", "left", "lost")} == {
        "too old": 0,
        "stale": 0,
        "left": 0,
        "lost": 0,
    }
    assert total["gets"] > 10 * count
    assert total["stale served"] > count


@WHERE
@in_virtual_time
async def test_no_random_schedule_goes_wrong(where: str) -> None:
    """No stale fill that stays, nobody who asked after a delete and got less, no table entry and no task left."""
    assert_nothing_went_wrong(await many_schedules(300, where), 300)


@pytest.mark.long
@pytest.mark.timeout(600)
@WHERE
@in_virtual_time
async def test_no_schedule_of_ten_thousand_goes_wrong(where: str) -> None:
    """The same, ten thousand times."""
    assert_nothing_went_wrong(await many_schedules(10_000, where), 10_000)


async def many_refreshes(count: int) -> tuple[int, list[dict[str, Any]]]:
    """So many background refreshes of a hundred keys, a third of which fail; callers are cancelled at random."""
    chance, reported = Random(7), list[dict[str, Any]]()
    loop: Any = asyncio.get_running_loop()
    loop.call_exception_handler = reported.append
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
    return left_behind(cache) + len(others()), reported


@in_virtual_time
async def test_refreshes_leave_nothing_behind() -> None:
    """No task, no table entry, and nothing for the loop's exception handler, also when the garbage is collected."""
    assert await many_refreshes(2_000) == (0, [])


@pytest.mark.long
@in_virtual_time
async def test_a_hundred_thousand_refreshes_leave_nothing_behind() -> None:
    """The same, a hundred thousand times."""
    assert await many_refreshes(100_000) == (0, [])


@pytest.mark.parametrize("part", ["cachelab.level.Level.break_fences", "cachelab.flight.Flight.forget"])
@WHERE
def test_without_one_of_its_parts_random_schedules_go_wrong(
    part: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail: without the fence, or if a delete forgot no flight, somebody is given the old value."""
    monkeypatch.setattr(part, lambda self, key: None)
    wrong: list[int] = []

    @in_virtual_time
    async def broken() -> None:
        for seed in range(4_000):
            too_old = (await one_schedule(seed, where))["too old"]
            if too_old:
                wrong.append(too_old)
                return

    broken()
    assert wrong
