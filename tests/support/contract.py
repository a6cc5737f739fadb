"""What every store promises. The test class of a store inherits this and says how to build one.

    class TestMyStore(BoundedContract):
        def make(self, max_entries=100, clock=None):
            return MyStore(max_entries, clock=clock)

A store in another process inherits `StoreContract`. A store in this process, with a bound, `peek` and `clear`, inherits
`BoundedContract`, which includes the first.
"""

import asyncio
import gc
import math
from collections.abc import Coroutine, Hashable
from typing import Any
from weakref import ref

import pytest
from hypothesis import given, strategies as st

from cachelab.clock import Clock
from cachelab.entry import ABSENT, MISS, Entry, Miss
from cachelab.lab.sim.simulation import run
from tests.support.fakes import PROPERTY, in_virtual_time, now

FOREVER = math.inf


class StoreContract:
    """For any store. `last_s` is the last moment of a lifetime of 60 s that the store can tell from its end."""

    last_s = math.nextafter(60.0, 0.0)

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> Any:
        """A new, empty store. Without a clock it takes the running loop's."""
        raise NotImplementedError

    @in_virtual_time
    async def test_an_empty_store_is_true(self) -> None:
        """`if store:` asks whether there is a store, not whether it has entries."""
        assert bool(self.make())

    @in_virtual_time
    async def test_an_unknown_key_is_a_miss(self) -> None:
        """A key that was never set is a miss."""
        assert await self.make().get(1) is MISS

    @pytest.mark.parametrize("value", ["value", None, ABSENT, 0, "", False, ()], ids=repr)
    @in_virtual_time
    async def test_an_entry_comes_back_as_it_was(self, value: object) -> None:
        """Every value, even a false one, comes back with its moment of expiry."""
        store = self.make()
        await store.set(1, Entry(value, 60.0))
        assert await store.get(1) == Entry(value, 60.0)

    @in_virtual_time
    async def test_an_entry_is_there_just_before_it_expires(self) -> None:
        """In the last moment of its lifetime an entry is still returned."""
        store = self.make()
        await store.set(1, Entry("value", 60.0))
        await asyncio.sleep(self.last_s)
        assert await store.get(1) is not MISS

    @in_virtual_time
    async def test_an_entry_is_gone_at_the_instant_it_expires(self) -> None:
        """From `expires` on, and not only after it, the entry is gone."""
        store = self.make()
        await store.set(1, Entry("value", 60.0))
        await asyncio.sleep(60.0)
        assert await store.get(1) is MISS

    @pytest.mark.parametrize("second", [5.0, 10.0, 20.0, 60.0])
    @in_virtual_time
    async def test_an_entry_to_refresh_or_a_stale_one_is_still_there(self, second: float) -> None:
        """Until it expires, `get` returns it as it was set, with all its moments and the time its load took."""
        store = self.make()
        entry = Entry("value", 60.0, fresh_until=20.0, refresh_from=5.0, load_time_s=0.25)
        await store.set(1, entry)
        await asyncio.sleep(min(second, self.last_s))
        got = await store.get(1)
        assert (got, got is not MISS and got.load_time_s) == (entry, 0.25)

    @in_virtual_time
    async def test_an_entry_that_is_stale_already_is_kept(self) -> None:
        """An entry that is no longer fresh, but has not expired, can be set like any other."""
        store = self.make()
        await asyncio.sleep(30.0)
        await store.set(1, Entry("value", 60.0, fresh_until=20.0))
        assert await store.get(1) == Entry("value", 60.0, fresh_until=20.0)

    @in_virtual_time
    async def test_a_stale_entry_is_gone_at_the_instant_it_expires(self) -> None:
        """Being served stale does not lengthen an entry's lifetime."""
        store = self.make()
        await store.set(1, Entry("value", 60.0, fresh_until=20.0))
        await asyncio.sleep(30.0)
        await store.get(1)
        await asyncio.sleep(30.0)
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_an_entry_that_never_expires_stays(self) -> None:
        """An infinite lifetime does not end."""
        store = self.make()
        await store.set(1, Entry("value", FOREVER))
        await asyncio.sleep(1e9)
        assert await store.get(1) == Entry("value", FOREVER)

    @in_virtual_time
    async def test_set_replaces_the_value(self) -> None:
        """The second value that is set for a key is the one that is returned."""
        store = self.make()
        await store.set(1, Entry("old", 60.0))
        await store.set(1, Entry("new", 60.0))
        assert await store.get(1) == Entry("new", 60.0)

    @pytest.mark.parametrize(("first", "second"), [(10.0, 60.0), (60.0, 10.0)], ids=["longer", "shorter"])
    @in_virtual_time
    async def test_set_replaces_the_moment_of_expiry(self, first: float, second: float) -> None:
        """The lifetime of a key's first entry does not affect its second entry."""
        store = self.make()
        await store.set(1, Entry("old", first))
        await store.set(1, Entry("new", second))
        await asyncio.sleep(30.0)
        assert (await store.get(1) is not MISS) == (second > 30.0)

    @in_virtual_time
    async def test_an_entry_that_has_already_expired_is_not_served(self) -> None:
        """Setting an expired entry does not make it live again."""
        store = self.make()
        await asyncio.sleep(10.0)
        await store.set(1, Entry("value", 10.0))
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_an_expired_entry_replaces_a_live_one(self) -> None:
        """`set` replaces whatever was there, so the older entry is not returned either."""
        store = self.make()
        await asyncio.sleep(10.0)
        await store.set(1, Entry("old", 60.0))
        await store.set(1, Entry("expired", 10.0))
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_delete_forgets(self) -> None:
        """A deleted key is a miss."""
        store = self.make()
        await store.set(1, Entry("value", 60.0))
        await store.delete(1)
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_delete_of_an_unknown_key_does_nothing(self) -> None:
        """Deleting a key that is not there is no error and affects no other key."""
        store = self.make()
        await store.set(1, Entry("value", 60.0))
        await store.delete(2)
        assert await store.get(1) is not MISS

    @in_virtual_time
    async def test_delete_of_an_expired_key_does_nothing(self) -> None:
        """Deleting a key whose entry has expired is no error."""
        store = self.make()
        await store.set(1, Entry("value", 10.0))
        await asyncio.sleep(10.0)
        await store.delete(1)
        assert await store.get(1) is MISS

    @in_virtual_time
    async def test_a_deleted_key_can_be_set_again(self) -> None:
        """A delete does not affect later writes."""
        store = self.make()
        await store.set(1, Entry("old", 10.0))
        await store.delete(1)
        await store.set(1, Entry("new", 60.0))
        await asyncio.sleep(10.0)
        assert await store.get(1) == Entry("new", 60.0)

    @in_virtual_time
    async def test_a_number_and_its_digits_are_two_keys(self) -> None:
        """42 and "42" have an entry each."""
        store = self.make()
        await store.set(42, Entry("number", 60.0))
        await store.set("42", Entry("text", 60.0))
        assert [await store.get(42), await store.get("42")] == [Entry("number", 60.0), Entry("text", 60.0)]


class BoundedContract(StoreContract):
    """For a store in this process: a bound, eviction of the least recently used entry, `peek` and `clear`."""

    @pytest.mark.parametrize("max_entries", [0, -1, 2.5, True])
    def test_a_bound_must_be_a_whole_number_of_at_least_one(self, max_entries: Any) -> None:
        """A bound that makes no sense is refused when the store is built."""
        with pytest.raises(ValueError, match="max_entries must be a whole number of at least 1"):
            self.make(max_entries)

    def test_an_awaited_call_never_waits(self) -> None:
        """`get`, `set` and `delete` end in the step in which they begin, so no other task runs meanwhile."""
        store = self.make(clock=lambda: 0.0)
        for call in (store.set(1, Entry("value", 60.0)), store.get(1), store.get(2), store.delete(1)):
            run_at_once(call)

    def test_a_dropped_store_frees_its_keys_and_values_at_once(self) -> None:
        """Without the garbage collector, whether entries were read, evicted, deleted or none of these."""
        gc.disable()
        try:
            store = self.make(4, clock=lambda: 0.0)
            held = [Object() for _ in range(10)]
            for key, value in zip(held[::2], held[1::2], strict=True):
                run_at_once(store.set(key, Entry(value, 60.0)))
                store.peek(key)
            run_at_once(store.delete(held[-2]))
            kept, gone = [ref(one) for one in held], ref(store)
            del held, key, value
            assert sum(one() is not None for one in kept) >= 6
            del store
            assert gone() is None
            assert [one() for one in kept] == [None] * 10
        finally:
            gc.enable()

    @in_virtual_time
    async def test_peek_says_what_get_says(self) -> None:
        """Both give the same answer for a key that is unknown, live or expired."""
        store = self.make()
        await store.set(1, Entry("value", 10.0))
        for second in (0.0, 10.0):
            await asyncio.sleep(second)
            assert [store.peek(key) for key in (1, 2)] == [await store.get(key) for key in (1, 2)]

    @pytest.mark.parametrize("refresh_from", [5.0, 20.0], ids=["before it is stale", "when it is stale"])
    @in_virtual_time
    async def test_peek_never_returns_an_entry_to_refresh(self, refresh_from: float) -> None:
        """Just before `refresh_from`, `peek` returns it. From then on only `get` does; the entry stays in the store."""
        store = self.make()
        entry = Entry("value", 60.0, fresh_until=20.0, refresh_from=refresh_from)
        await store.set(1, entry)
        await asyncio.sleep(math.nextafter(refresh_from, 0.0))
        assert store.peek(1) == entry
        for second in (refresh_from, 20.0, 59.0):
            await asyncio.sleep(second - now())
            assert (store.peek(1), await store.get(1)) == (MISS, entry)

    @pytest.mark.parametrize("use", ["get", "set"])
    @in_virtual_time
    async def test_reading_or_writing_a_stale_entry_is_a_use(self, use: str) -> None:
        """A popular entry is not evicted because it is stale."""
        store = self.make(2)
        entry = Entry("value", 60.0, fresh_until=0.0)
        for key in (1, 2):
            await store.set(key, entry)
        if use == "get":
            await store.get(1)
        else:
            await store.set(1, entry)
        await store.set(3, entry)
        assert [await store.get(key) for key in (1, 2, 3)] == [entry, MISS, entry]

    @in_virtual_time
    async def test_a_store_is_never_over_its_bound(self) -> None:
        """However many keys are set, the store never holds more entries than its bound."""
        store = self.make(3)
        held = []
        for key in range(10):
            await store.set(key, Entry(key, FOREVER))
            held.append(len(store))
        assert held == [1, 2, 3, 3, 3, 3, 3, 3, 3, 3]

    @pytest.mark.parametrize("use", ["get", "peek", "set"])
    @in_virtual_time
    async def test_the_least_recently_used_is_evicted(self, use: str) -> None:
        """A read, a peek and a write each count as a use."""
        store = self.make(3)
        for key in (1, 2, 3):
            await store.set(key, Entry(key, FOREVER))
        if use == "get":
            await store.get(1)
        elif use == "peek":
            store.peek(1)
        else:
            await store.set(1, Entry(1, FOREVER))
        await store.set(4, Entry(4, FOREVER))
        assert [key for key in (1, 2, 3, 4) if store.peek(key) is not MISS] == [1, 3, 4]

    @in_virtual_time
    async def test_a_known_key_needs_no_room(self) -> None:
        """Overwriting a key in a full store evicts nothing."""
        store = self.make(2)
        for key in (1, 2, 2):
            await store.set(key, Entry(key, FOREVER))
        assert store.peek(1) is not MISS

    @in_virtual_time
    async def test_clear_forgets_every_entry(self) -> None:
        """Live, stale or expired: nothing is found afterwards, and the store takes new entries up to its bound."""
        store = self.make(3)
        for key, entry in enumerate([Entry("live", FOREVER), Entry("stale", 60.0, 1.0), Entry("expired", 1.0)]):
            await store.set(key, entry)
        await asyncio.sleep(1.0)
        store.clear()
        assert (len(store), [await store.get(key) for key in range(3)]) == (0, [MISS] * 3)
        for key in range(4):
            await store.set(key, Entry(key, FOREVER))
        assert [key for key in range(4) if store.peek(key) is not MISS] == [1, 2, 3]

    @PROPERTY
    @given(
        max_entries=st.integers(1, 3),
        steps=st.lists(
            st.tuples(
                st.sampled_from(["get", "peek", "set", "set", "set", "delete", "wait"] * 4 + ["clear"]),
                st.integers(1, 4),
                st.sampled_from([FOREVER, FOREVER, 0, 1, 2]),
            ),
            min_size=30,
            max_size=60,
        ),
    )
    def test_a_store_does_what_the_obvious_model_does(
        self, max_entries: int, steps: list[tuple[str, int, float]]
    ) -> None:
        """For any sequence of calls the store gives the same answers as a list in the order of use."""
        time = 0.0
        store = self.make(max_entries, lambda: time)
        model = Model(max_entries)

        async def play() -> None:
            nonlocal time
            for number, (step, key, lifetime) in enumerate(steps):
                if step == "wait":
                    time += 1.0
                elif step == "clear":
                    store.clear()
                    model.items.clear()
                elif step == "set":
                    await store.set(key, Entry(number, time + lifetime))
                    model.set(key, Entry(number, time + lifetime), time)
                elif step == "delete":
                    await store.delete(key)
                    model.delete(key)
                else:
                    assert (store.peek(key) if step == "peek" else await store.get(key)) == model.get(key, time)
                assert len(store) <= max_entries

        run(play)


class Object:
    """A key or a value that can be referred to weakly."""


def run_at_once(call: Coroutine[Any, Any, None]) -> None:
    """Run a call that does not wait, without an event loop."""
    with pytest.raises(StopIteration):
        call.send(None)


class Model:
    """The obvious store: a list of keys and entries, the least recently used first."""

    def __init__(self, max_entries: int) -> None:
        self.items: list[tuple[Hashable, Entry[Any]]] = []
        self.max_entries = max_entries

    def get(self, key: Hashable, time: float) -> Entry[Any] | Miss:
        entry = dict(self.items).get(key)
        self.delete(key)
        if entry is None or entry.expires <= time:
            return MISS
        self.items.append((key, entry))
        return entry

    def set(self, key: Hashable, entry: Entry[Any], time: float) -> None:
        self.delete(key)
        self.items.append((key, entry))
        live = [item for item in self.items if item[1].expires > time]  # expired entries make room first
        self.items = live[-self.max_entries :]

    def delete(self, key: Hashable) -> None:
        self.items = [item for item in self.items if item[0] != key]
