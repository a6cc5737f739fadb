"""A store that is filled as it is in the middle of a day."""

from __future__ import annotations

import pytest

from cachelab import MISS, MemoryStore
from cachelab.lab.sim.database import SlowDatabase, UserProfile
from cachelab.lab.traffic.warm import warm
from tests.support.fakes import in_virtual_time, now, until


@in_virtual_time
async def test_every_user_is_there_as_the_database_has_it() -> None:
    """What a load would have brought."""
    db = SlowDatabase(users=20)
    store: MemoryStore[UserProfile] = MemoryStore(20)
    warm(store, 20, ttl=60.0)
    found = [store.find(user) for user in range(1, 21)]
    assert MISS not in found
    assert [entry.value for entry in found if entry is not MISS] == [await db.fetch_user(n) for n in range(1, 21)]


@in_virtual_time
async def test_entries_expire_evenly_during_one_ttl() -> None:
    """Some in each tenth of it, none later, also if the scenario has been running for a while."""
    await until(100.0)
    store: MemoryStore[UserProfile] = MemoryStore(1_000)
    warm(store, 1_000, ttl=60.0)
    left = [entry.expires - now() for user in range(1, 1_001) if (entry := store.find(user)) is not MISS]
    assert {int(seconds / 6) for seconds in left} == set(range(10))


@in_virtual_time
async def test_another_seed_is_another_sample() -> None:
    """The same seed is the same."""
    stores: list[MemoryStore[UserProfile]] = [MemoryStore(5) for _ in range(3)]
    for store, seed in zip(stores, (1, 1, 2), strict=True):
        warm(store, 5, ttl=60.0, seed=seed)
    first, same, other = ([store.find(user) for user in range(1, 6)] for store in stores)
    assert first == same != other


@pytest.mark.parametrize(("users", "ttl"), [(0, 60.0), (10, 0.0)])
@in_virtual_time
async def test_what_warms_nothing_is_refused(users: int, ttl: float) -> None:
    """No users, or no time to live."""
    with pytest.raises(ValueError, match="must be"):
        warm(MemoryStore(5), users, ttl=ttl)
