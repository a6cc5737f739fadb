"""Early recomputation through a cache, in virtual time: which reader starts a load, and how many loads an entry has."""

import asyncio
import math
from random import Random
from typing import Any

import pytest

from cachelab import Cache, Flight, MemoryStore
from cachelab.freshness import Freshness
from tests.support.caches import EVERY_STORE, SHARED, NewStore, make_freshness_cache
from tests.support.fakes import Origin, in_virtual_time, now, tally, until

# One reader, with a random number that the test chooses. The entry takes a second to load, from second 0 on. It is
# fresh until 61, and a read may start its next load from 41 on.


@EVERY_STORE
@SHARED
@pytest.mark.parametrize(("u", "calls"), [(0.0, 1), (0.5, 1), (0.99, 2)])
@in_virtual_time
async def test_the_random_number_decides_whether_a_read_starts_a_load(
    new_store: NewStore, shared: bool, u: float, calls: int
) -> None:
    """Two load times before the end it must be at least 1 − 1/e² = .86. Either way the read is a hit, at once."""
    origin = Origin()
    freshness = Freshness(beta=1.0, random=lambda: u)
    cache = make_freshness_cache(origin, new_store(), shared=shared, freshness=freshness)
    await cache.get(1)
    await until(59.0)
    assert (await cache.get(1), now(), tally(cache)) == ("value", 59.0, (1, 0, 1, 0))
    await until(60.5)
    assert origin.calls == calls


@EVERY_STORE
@in_virtual_time
async def test_before_refresh_from_no_random_number_is_drawn(new_store: NewStore) -> None:
    """From the entry's `refresh_from` on, each read draws one. Before that none does, with either store."""
    drawn: list[float] = []

    def draw() -> float:
        drawn.append(now())
        return 0.0

    cache = make_freshness_cache(Origin(), new_store(), freshness=Freshness(beta=1.0, random=draw))
    await cache.get(1)
    for second in (30.0, 40.0, 41.0, 50.0):
        await until(second)
        await cache.get(1)
    assert drawn == [41.0, 50.0]


@in_virtual_time
async def test_an_early_load_renews_the_entry_before_a_reader_must_wait() -> None:
    """The entry is fresh for a whole TTL from the end of that load."""
    origin = Origin()
    cache = make_freshness_cache(origin, freshness=Freshness(beta=1.0, random=lambda: 0.99))
    await cache.get(1)
    for second in (59.0, 100.0, 115.0):
        await until(second)
        await cache.get(1)
    assert (origin.calls, tally(cache)) == (2, (3, 0, 1, 0))


# Many readers

READS_PER_LOAD = 60.0  # λβδ: much more than 1


async def recomputations(beta: float, flight: Flight | None, cycles: int) -> list[int]:
    """How many loads each entry of one key has, if reads are Poisson and each entry is replaced before it expires."""
    chance, counts = Random(f"early {beta}"), list[int]()
    origin = Origin(load_time_s=1.0)

    async def load(key: int) -> Any:
        if origin.under_way == 0:
            counts.append(0)
        counts[-1] += 1
        return await origin(key)

    freshness = Freshness(beta=beta, random=chance.random)
    cache: Cache[int, Any] = Cache(MemoryStore(1), load, ttl=10 * beta, flight=flight, freshness=freshness)
    while len(counts) < cycles + 2:  # without the first load, which is no refresh, and the last cycle
        await cache.get(1)
        await asyncio.sleep(chance.expovariate(READS_PER_LOAD / beta))
    assert (cache.misses, cache.stale) == (1, 0)
    return counts[1:-1]


@pytest.mark.long
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@in_virtual_time
async def test_without_a_flight_early_recomputations_follow_the_closed_form(beta: float) -> None:
    """In 300 cycles the mean is e^(1/β) and P(exactly one) is e^(−1/β), each within three standard errors."""
    counts = await recomputations(beta, None, cycles := 300)
    mean, one = math.exp(1 / beta), math.exp(-1 / beta)
    assert sum(counts) / cycles == pytest.approx(mean, abs=3 * math.sqrt(mean * (mean - 1) / cycles))
    assert counts.count(1) / cycles == pytest.approx(one, abs=3 * math.sqrt(one * (1 - one) / cycles))


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@in_virtual_time
async def test_with_a_flight_each_cycle_has_one_load(beta: float) -> None:
    """It is exactly one. No reader waits, and none is served stale."""
    assert await recomputations(beta, Flight(), 30) == [1] * 30
