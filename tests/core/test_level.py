"""Fences: a delete, the end of a fill and a cancellation in every turn of the event loop and in every order."""

import asyncio
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pytest

from cachelab import MISS, Entry, Miss
from cachelab.level import Fence
from tests.support.caches import SHARED, make_cache, make_flight_cache
from tests.support.fakes import BrokenStore, Origin, in_virtual_time, left_behind, other_tasks

EVENTS = ("end of fill", "delete", "cancel")
NEVER = 99  # a turn that does not come


class HeldStore:
    """A remote store whose fill ends when the test sets the result of `filled`."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.filled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.filled
        self.entries[key] = entry

    async def delete(self, key: Hashable) -> None:
        self.entries.pop(key, None)


class HeldLeasingStore(HeldStore):
    """The same store with leases: after a delete it refuses the fill."""

    def __init__(self) -> None:
        super().__init__()
        self.granted = False

    async def claim(self, _key: Hashable, _seen: object) -> "HeldLease":
        self.granted = True
        return HeldLease(self)

    async def delete(self, key: Hashable) -> None:
        self.granted = False
        await super().delete(key)


class HeldLease:
    """The right to fill, until a delete takes it away."""

    def __init__(self, store: HeldLeasingStore) -> None:
        self.store = store

    async def set(self, entry: Entry[Any]) -> bool:
        await self.store.filled
        if self.store.granted:
            self.store.entries[1] = entry
        return self.store.granted

    async def drop(self) -> None:
        await self.store.delete(1)

    async def release(self) -> None:
        self.store.granted = False


async def faults_of_schedule(
    order: Sequence[str], turns: dict[str, int], *, make_store: type[HeldStore], shared: bool, fill_fails: bool
) -> list[str]:
    """Run one schedule: each event in its turn of the loop, and events of the same turn in this order."""
    loop: Any = asyncio.get_running_loop()
    faults: list[str] = []
    loop.call_exception_handler = lambda context: faults.append(str(context.get("exception", context)))
    store = make_store()
    cache = make_cache(Origin(1, 0.1), store, shared=shared)
    reader = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(0.2)  # the fill is on its way
    deletes: list[asyncio.Task[None]] = []

    def end_fill() -> None:
        if fill_fails:
            store.filled.set_exception(ConnectionError())
        else:
            store.filled.set_result(None)

    events: dict[str, Callable[[], object]] = {
        "end of fill": end_fill,
        "delete": lambda: deletes.append(asyncio.ensure_future(cache.delete(1))),
        "cancel": reader.cancel,
    }
    for turn in range(7):
        for event in order:
            if turns[event] == turn:
                events[event]()
        await asyncio.sleep(0)
    await asyncio.sleep(1.0)
    await asyncio.gather(*deletes)
    if not reader.done() or not (reader.cancelled() or reader.result() == 1):
        faults.append("the reader has no answer")
    if store.entries or left_behind(cache) or other_tasks():
        faults.append("something is left")
    return faults


@SHARED
@pytest.mark.parametrize("fill_fails", [False, True], ids=["filled", "fill fails"])
@pytest.mark.parametrize("make_store", [HeldStore, HeldLeasingStore], ids=["plain", "leases"])
@in_virtual_time
async def test_no_order_of_delete_end_of_fill_and_cancellation_goes_wrong(
    make_store: type[HeldStore], fill_fails: bool, shared: bool
) -> None:
    """No error goes unhandled, no old value stays in the store, and the cache's tables are empty."""
    found, schedules = list[Any](), 0
    for order in itertools.permutations(EVENTS):
        for turns in itertools.product(range(5), range(5), [*range(5), NEVER]):
            schedules += 1
            when = dict(zip(EVENTS, turns, strict=True))
            if faults := await faults_of_schedule(
                order, when, make_store=make_store, shared=shared, fill_fails=fill_fails
            ):
                found.append((order, when, faults))
    assert (found, schedules) == ([], 900)


@pytest.mark.parametrize("part", ["_begin_part", "break_it"])
def test_without_one_of_a_fences_parts_some_order_goes_wrong(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: if a command does not keep its fence standing, or if no delete breaks the fence."""
    begin = Fence._begin_part

    def begin_once(self: Fence) -> None:
        if self.sending is None and not self._parts:
            begin(self)

    monkeypatch.setattr(Fence, part, begin_once if part == "_begin_part" else lambda self: None)

    @in_virtual_time
    async def some_schedule_goes_wrong() -> None:
        faults = []
        for delete, cancel in itertools.product(range(4), [*range(4), NEVER]):
            when = {"end of fill": 3, "delete": delete, "cancel": cancel}
            faults += await faults_of_schedule(EVENTS, when, make_store=HeldStore, shared=False, fill_fails=False)
        assert faults

    some_schedule_goes_wrong()


@in_virtual_time
async def test_a_key_counts_as_unreadable_only_while_a_caller_waits() -> None:
    """A cancelled caller leaves no mark of the key that it could not read, and neither do callers of a closed cache."""
    cache = make_flight_cache(Origin(1, 10.0), BrokenStore("get"))
    reader = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(1.0)
    assert len(cache._level._unreadable) == 1
    reader.cancel()
    await asyncio.wait([reader])
    assert len(cache._level._unreadable) == 0
    await cache.aclose()
    for key in range(10):
        with pytest.raises(RuntimeError, match="closed"):
            await cache.get(key)
    assert left_behind(cache) == 0


@in_virtual_time
async def test_a_fill_of_a_store_in_this_process_needs_no_task() -> None:
    """The caller fills it without waiting."""
    cache = make_cache(Origin(1, 0.0))
    before = asyncio.all_tasks()
    await cache.get(1)
    assert asyncio.all_tasks() == before
