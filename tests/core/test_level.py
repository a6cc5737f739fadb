"""Fences: in every turn of the loop and in every order, a delete, a cancellation, and the end of a fill or a claim.

Other tests of `cachelab.level`: test_fence (random schedules), test_claim (leases), test_hanging_store (time-outs).
"""

import asyncio
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pytest

from cachelab import ABSENT, MISS, Entry, Miss
from cachelab.entry import Lease
from cachelab.level import Fence
from tests.support.caches import SHARED, make_cache, make_flight_cache, start_gets, with_stale_entry
from tests.support.fakes import BrokenStore, Origin, RemoteStore, in_virtual_time, left_behind, now, other_tasks, until
from tests.support.leasing import LeasingStore

EVENTS = ("end", "delete", "cancel")
NEVER = 99  # a turn that does not come


class Hold:
    """One operation of a store waits here, until the test sets `ended`. Then it succeeds or `fails`."""

    def __init__(self, operation: str, *, fails: bool) -> None:
        self.operation, self.fails = operation, fails
        self.ended = asyncio.Event()

    async def at(self, operation: str) -> None:
        """Say that the caller is about to end this operation."""
        if operation == self.operation:
            await self.ended.wait()
            if self.fails:
                raise ConnectionError


class HeldStore:
    """A remote store with a hold. All operations take no time, except the one that is held."""

    def __init__(self, hold: Hold) -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.hold = hold

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.hold.at("set")
        self.entries[key] = entry

    async def delete(self, key: Hashable) -> None:
        self.entries.pop(key, None)


class HeldLeasingStore(LeasingStore):
    """A store that grants leases, with a hold."""

    def __init__(self, hold: Hold) -> None:
        super().__init__()
        self.hold = hold

    async def arrive(self, operation: str) -> None:
        await self.hold.at(operation)

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss) -> Entry[Any] | Lease[Any]:
        lease: Any = await super().claim(key, seen)
        try:
            await self.hold.at("reply to claim")
        except BaseException:
            await lease.release()  # the caller does not get it
            raise
        return lease  # type: ignore[no-any-return]


async def faults_of_schedule(
    order: Sequence[str], turns: dict[str, int], *, make_store: Callable[[Hold], Any], hold: Hold, shared: bool
) -> list[str]:
    """Run one schedule: each event in its turn of the loop, and events of the same turn in this order."""
    loop: Any = asyncio.get_running_loop()
    faults: list[str] = []
    loop.call_exception_handler = lambda context: faults.append(str(context.get("exception", context)))
    store, origin = make_store(hold), Origin("old", 0.1)
    cache = make_cache(origin, store, shared=shared)
    reader = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(0.2)  # the held operation is on its way
    deletes: list[asyncio.Task[None]] = []

    def write_and_delete() -> None:
        origin.answer = "new"
        deletes.append(asyncio.ensure_future(cache.delete(1)))

    events: dict[str, Callable[[], object]] = {
        "end": hold.ended.set,
        "delete": write_and_delete,
        "cancel": reader.cancel,
    }
    for turn in range(7):
        for event in order:
            if turns[event] == turn:
                events[event]()
        await asyncio.sleep(0)
    await asyncio.sleep(1.0)
    await asyncio.gather(*deletes)
    if not reader.done() or not (reader.cancelled() or reader.result() in ("old", "new")):
        faults.append("the reader has no answer")
    if any(entry.value == "old" for entry in store.entries.values()):
        faults.append("the old value is stored")
    if left_behind(cache) or other_tasks() or getattr(store, "tokens", None) or getattr(store, "unsettled", 0):
        faults.append("something is left")
    return faults


@SHARED
@pytest.mark.parametrize("fails", [False, pytest.param(True, marks=pytest.mark.long)], ids=["succeeds", "fails"])
@pytest.mark.parametrize(
    ("make_store", "operation"),
    [(HeldStore, "set"), (HeldLeasingStore, "set"), (HeldLeasingStore, "claim"), (HeldLeasingStore, "reply to claim")],
    ids=["fill", "fill by lease", "claim", "reply to claim"],
)
@in_virtual_time
async def test_no_order_of_delete_end_and_cancellation_goes_wrong(
    make_store: Callable[[Hold], Any], operation: str, fails: bool, shared: bool
) -> None:
    """No error goes unhandled, no old value stays in the store, and the tables and the leases are empty."""
    found, schedules = list[Any](), 0
    for order in itertools.permutations(EVENTS):
        for turns in itertools.product(range(5), range(5), [*range(5), NEVER]):
            schedules += 1
            when, hold = dict(zip(EVENTS, turns, strict=True)), Hold(operation, fails=fails)
            if faults := await faults_of_schedule(order, when, make_store=make_store, hold=hold, shared=shared):
                found.append((order, when, faults))
    assert (found, schedules) == ([], 900)


@pytest.mark.parametrize("part", ["__enter__", "break_it"])
def test_without_one_of_a_fences_parts_some_order_goes_wrong(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: if a command does not keep its fence standing, or if no delete breaks the fence."""
    enter = Fence.__enter__

    def enter_once(self: Fence) -> Fence:
        return self if self in self._level.standing.get(self._key, ()) else enter(self)

    def leave_if_there(self: Fence) -> None:
        if self in self._level.standing.get(self._key, ()):
            leave(self)

    leave = Fence._leave
    monkeypatch.setattr(Fence, "_leave", leave_if_there)

    monkeypatch.setattr(Fence, part, enter_once if part == "__enter__" else lambda self: None)

    @in_virtual_time
    async def some_schedule_goes_wrong() -> None:
        faults = []
        for delete, cancel in itertools.product(range(4), [*range(4), NEVER]):
            when, hold = {"end": 3, "delete": delete, "cancel": cancel}, Hold("set", fails=False)
            faults += await faults_of_schedule(EVENTS, when, make_store=HeldStore, hold=hold, shared=False)
        assert faults

    some_schedule_goes_wrong()


@SHARED
@in_virtual_time
async def test_a_failed_read_holds_up_no_fill_but_that_of_its_own_load(shared: bool) -> None:
    """One caller's read fails while another, which has read, loads the key. Without a flight the other one fills."""

    class FailsOnce(RemoteStore):
        failed = False

        async def get(self, key: Hashable) -> Entry[Any] | Miss:
            if now() > 0 and not self.failed:
                self.failed = True
                raise ConnectionError
            return await super().get(key)

    store = FailsOnce()
    cache = make_cache(Origin(load_time_s=1.0), store, shared=shared)
    healthy = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(0.5)
    unable = asyncio.ensure_future(cache.get(1))
    await healthy
    assert (list(store.entries), store.failed) == ([] if shared else [1], True)
    store.entries.clear()
    await unable
    assert (store.entries, left_behind(cache)) == ({}, 0)


@SHARED
@in_virtual_time
async def test_a_key_counts_as_unreadable_only_while_a_caller_waits(shared: bool) -> None:
    """A cancelled caller leaves no mark of the key that it could not read, and neither do callers of a closed cache."""
    cache = make_cache(Origin(1, 10.0), BrokenStore("get"), shared=shared)
    reader = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(1.0)
    assert len(cache._level.unreadable) == 1
    reader.cancel()
    await asyncio.wait([reader])
    assert len(cache._level.unreadable) == 0
    await cache.aclose()
    for key in range(10):
        with pytest.raises(RuntimeError, match="closed"):
            await cache.get(key)
    assert left_behind(cache) == 0


@in_virtual_time
async def test_no_fill_is_sent_while_one_of_those_that_could_not_read_waits() -> None:
    """Another of them was cancelled. The one that is left should not wait for the store a second time."""
    store = BrokenStore("get")
    cache = make_flight_cache(Origin(), store)
    cancelled, left = start_gets(cache, 2)
    await asyncio.sleep(0.5)
    cancelled.cancel()
    assert (await left, store.entries, left_behind(cache)) == ("value", {}, 0)


@SHARED
@in_virtual_time
async def test_a_read_that_fails_during_the_last_command_of_a_refresh_stops_no_later_fill(shared: bool) -> None:
    """The refresh removes an entry that the origin no longer has. Meanwhile a read fails. The next load fills."""
    origin, store = Origin(), BrokenStore(latency_s=1.0)
    cache = await with_stale_entry(origin, store, shared=shared)
    origin.answer = ABSENT
    began = now()
    await cache.get(1)  # the refresh begins a second later, ends its load after another, and then deletes the entry
    await until(began + 2.5)
    store.broken.add("get")
    (caller,) = start_gets(cache)
    await asyncio.sleep(0)
    store.broken.clear()
    assert await caller is ABSENT
    origin.answer = "back"
    assert [await cache.get(1), await cache.get(1)] == ["back", "back"]
    assert (cache.hits, cache.store_errors, left_behind(cache)) == (1, 1, 0)


@in_virtual_time
async def test_a_delete_lets_the_next_load_fill_although_a_caller_still_waits_for_the_old_one() -> None:
    """That caller could not read the key, so its load fills nothing. Before the next load, a read was answered."""
    origin, store = Origin("old", 10.0), BrokenStore("get")
    cache = make_flight_cache(origin, store)
    (early,) = start_gets(cache)
    await asyncio.sleep(1.0)
    store.broken.clear()
    await cache.delete(1)
    origin.answer, origin.load_time_s = "new", 1.0
    assert [await cache.get(1), early.done()] == ["new", False]
    assert [await cache.get(1), await early, cache.hits] == ["new", "old", 1]
    assert (store.entries[1].value, left_behind(cache)) == ("new", 0)


@pytest.mark.parametrize(("new_store", "tasks"), [(lambda: None, 0), (RemoteStore, 1)], ids=["in process", "remote"])
@in_virtual_time
async def test_a_fill_of_a_remote_store_costs_a_task(new_store: Callable[[], Any], tasks: int) -> None:
    """A store in this process is filled by the caller itself, without waiting. A hit costs no task with either."""
    loop: Any = asyncio.get_running_loop()
    cache, made = make_cache(Origin(1, 0.0), new_store()), loop._tasks_made
    await cache.get(1)
    await cache.get(1)
    assert (loop._tasks_made - made, cache.hits) == (tasks, 1)
