"""Every store passes the one contract; what only one of them promises stands in its own class."""

import asyncio
import math

import pytest

from cachelab.clock import Clock
from cachelab.entry import MISS, Entry
from cachelab.lab.sim.simulation import run
from cachelab.stores.cachetools_store import CachetoolsStore
from cachelab.stores.memory import MemoryStore
from tests.support.contract import BoundedContract, StoreContract
from tests.support.fakes import RemoteStore, in_virtual_time

FOREVER = math.inf


class TestMemoryStore(BoundedContract):
    """The store of ours."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> MemoryStore[object]:
        return MemoryStore(max_entries, clock=clock)

    @in_virtual_time
    async def test_evicted_counts_the_live_who_had_to_leave(self) -> None:
        """Leaving for want of room is counted, and nothing else is."""
        store = self.make(2)
        for key in (1, 2, 3, 4):
            await store.set(key, Entry(key, FOREVER))
        await store.delete(4)
        assert (store.evicted, store.expired) == (2, 0)

    @in_virtual_time
    async def test_expired_counts_the_dead_when_they_are_found(self) -> None:
        """One is found by a reader, one when room is needed, and each is counted once."""
        store = self.make(2)
        await store.set(1, Entry(1, 10.0))
        await store.set(2, Entry(2, 10.0))
        await asyncio.sleep(10.0)
        assert await store.get(2) is MISS
        assert await store.get(2) is MISS
        await store.set(3, Entry(3, FOREVER))
        await store.set(4, Entry(4, FOREVER))
        assert (store.evicted, store.expired) == (0, 2)

    @in_virtual_time
    async def test_the_dead_keep_their_place_until_room_is_needed(self) -> None:
        """An expired entry that nobody asks for still counts in `len`, as the module says."""
        store = self.make(2)
        await store.set(1, Entry(1, 10.0))
        await asyncio.sleep(10.0)
        assert len(store) == 1

    def test_a_store_built_outside_takes_the_clock_of_the_loop_that_uses_it_first(self) -> None:
        """The clock is bound at the first use, so where the store was built does not matter."""
        store = self.make()

        async def scenario() -> None:
            await store.set(1, Entry("value", 10.0))
            assert await store.get(1) is not MISS
            await asyncio.sleep(10.0)
            assert await store.get(1) is MISS

        run(scenario)

    def test_a_store_of_an_ended_simulation_refuses_to_answer(self) -> None:
        """Its deadlines mean nothing on any other clock."""
        store = self.make()

        async def scenario() -> None:
            await store.set(1, Entry("value", FOREVER))
            await store.get(1)

        run(scenario)
        with pytest.raises(RuntimeError, match="This simulation has ended"):
            store.peek(1)

    @in_virtual_time
    async def test_repr_says_how_full_it_is(self) -> None:
        """A store in a notebook cell shows what is in it, and no address."""
        store = self.make(10)
        await store.set(1, Entry(1, FOREVER))
        assert repr(store) == "MemoryStore(1 of 10 entries)"


class TestCachetoolsStore(BoundedContract):
    """The ten lines over cachetools."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> CachetoolsStore:
        return CachetoolsStore(max_entries, clock=clock)


class TestRemoteStore(StoreContract):
    """The stand-in that other tests use for a store in another process."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RemoteStore:
        return RemoteStore()
