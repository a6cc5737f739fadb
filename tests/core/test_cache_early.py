"""Early recomputation through a cache, in virtual time: whose die comes up, and how many load for each entry."""

import asyncio
import math
from random import Random
from typing import Any

import pytest

from cachelab import Cache, Flight, MemoryStore
from cachelab.freshness import Freshness
from tests.core.test_cache_freshness import EVERY_STORE, WITH_AND_WITHOUT, NewStore, over
from tests.support.fakes import Origin, in_virtual_time, now, tally, until

# One reader, with a die of his own: a load of a second from second 0 on, fresh until 61, and due from 41 on


@EVERY_STORE
@WITH_AND_WITHOUT
@pytest.mark.parametrize(("u", "calls"), [(0.0, 1), (0.5, 1), (0.99, 2)])
@in_virtual_time
async def test_the_die_decides_whether_a_reader_has_it_loaded_early(
    new_store: NewStore, flying: bool, u: float, calls: int
) -> None:
    """Two load times before the end it needs 1 − 1/e² = .86; either way it is a hit and nobody waits."""
    origin = Origin()
    freshness = Freshness(beta=1.0, random=lambda: u)
    cache = over(origin, new_store(), flight=Flight() if flying else None, freshness=freshness)
    await cache.get(1)
    await until(59.0)
    assert (await cache.get(1), now(), tally(cache)) == ("value", 59.0, (1, 0, 1, 0))
    await until(60.5)
    assert origin.calls == calls


@EVERY_STORE
@in_virtual_time
async def test_before_it_is_due_nobody_throws_a_die(new_store: NewStore) -> None:
    """A read costs a random number from `due` on, and none before it, on a store without `peek` either."""
    thrown: list[float] = []

    def die() -> float:
        thrown.append(now())
        return 0.0

    cache = over(Origin(), new_store(), freshness=Freshness(beta=1.0, random=die))
    await cache.get(1)
    for second in (30.0, 40.0, 41.0, 50.0):
        await until(second)
        await cache.get(1)
    assert thrown == [41.0, 50.0]


@in_virtual_time
async def test_an_early_load_renews_the_entry_before_anybody_has_to_wait() -> None:
    """It is fresh for a whole TTL from the end of that load."""
    origin = Origin()
    cache = over(origin, freshness=Freshness(beta=1.0, random=lambda: 0.99))
    await cache.get(1)
    for second in (59.0, 100.0, 115.0):
        await until(second)
        await cache.get(1)
    assert (origin.calls, tally(cache)) == (2, (3, 0, 1, 0))


# Many readers

READS_PER_LOAD = 60.0  # λβδ: much more than 1


async def recomputations(beta: float, flight: Flight | None, cycles: int) -> list[int]:
    """Poisson reads of one key, whose entries are all replaced before they expire: how many loads for each."""
    chance, counts = Random(f"early {beta}"), list[int]()
    origin = Origin(load_time_s=1.0)

    async def load(key: int) -> Any:
        if origin.at_once == 0:
            counts.append(0)
        counts[-1] += 1
        return await origin(key)

    freshness = Freshness(beta=beta, random=chance.random)
    cache: Cache[int, Any] = Cache(MemoryStore(1), load, ttl=10 * beta, flight=flight, freshness=freshness)
    while len(counts) < cycles + 2:  # the first load was nobody's refresh, and the last cycle is not over
        await cache.get(1)
        await asyncio.sleep(chance.expovariate(READS_PER_LOAD / beta))
    assert (cache.misses, cache.stale) == (1, 0)
    return counts[1:-1]


@pytest.mark.long
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@in_virtual_time
async def test_early_recomputations_without_a_flight_follow_the_law(beta: float) -> None:
    """300 cycles: the mean is e^(1/β) and P(exactly one) is e^(−1/β), each within three standard errors."""
    counts = await recomputations(beta, None, cycles := 300)
    mean, one = math.exp(1 / beta), math.exp(-1 / beta)
    assert sum(counts) / cycles == pytest.approx(mean, abs=3 * math.sqrt(mean * (mean - 1) / cycles))
    assert counts.count(1) / cycles == pytest.approx(one, abs=3 * math.sqrt(one * (1 - one) / cycles))


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@in_virtual_time
async def test_early_recomputation_in_a_flight_is_one_load_for_each_cycle(beta: float) -> None:
    """Exactly one, no reader ever waits, and none is served stale."""
    assert await recomputations(beta, Flight(), 30) == [1] * 30
