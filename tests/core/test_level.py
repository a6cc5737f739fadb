"""A delete, the end of a fill and a cancelled caller, each in every turn of the event loop, in every order."""

import asyncio
import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pytest

from cachelab import MISS, Cache, Entry, Flight, MemoryStore, Miss
from cachelab.level import Fence
from tests.support.fakes import Origin, in_virtual_time, left_behind, others

ACTS = ("end", "delete", "cancel")
NEVER = 99  # a turn that does not come


class HeldStore:
    """A remote store whose fill ends when the test says so."""

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
    """The same with leases: after a delete the fill is refused."""

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
    """The right to fill, until it is taken away."""

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


async def what_goes_wrong(
    order: Sequence[str], turns: dict[str, int], *, make_store: type[HeldStore], shared: bool, fails: bool
) -> list[str]:
    """Run one schedule: each act in its turn of the loop, acts of the same turn in this order."""
    loop: Any = asyncio.get_running_loop()
    wrong: list[str] = []
    loop.call_exception_handler = lambda context: wrong.append(str(context.get("exception", context)))
    store = make_store()
    cache: Cache[int, int] = Cache(store, Origin(1, 0.1), ttl=9.0, flight=Flight() if shared else None)
    reader = asyncio.ensure_future(cache.get(1))
    await asyncio.sleep(0.2)  # the fill is on its way
    deletes: list[asyncio.Task[None]] = []

    def end() -> None:
        if fails:
            store.filled.set_exception(ConnectionError())
        else:
            store.filled.set_result(None)

    acts: dict[str, Callable[[], object]] = {
        "end": end,
        "delete": lambda: deletes.append(asyncio.ensure_future(cache.delete(1))),
        "cancel": reader.cancel,
    }
    for turn in range(7):
        for act in order:
            if turns[act] == turn:
                acts[act]()
        await asyncio.sleep(0)
    await asyncio.sleep(1.0)
    await asyncio.gather(*deletes)
    if not reader.done() or not (reader.cancelled() or reader.result() == 1):
        wrong.append("the reader has no answer")
    if store.entries or left_behind(cache) or others():
        wrong.append("something is left")
    return wrong


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "flight"])
@pytest.mark.parametrize("fails", [False, True], ids=["filled", "fill fails"])
@pytest.mark.parametrize("make_store", [HeldStore, HeldLeasingStore], ids=["plain", "leases"])
@in_virtual_time
async def test_no_order_of_delete_end_of_fill_and_cancellation_goes_wrong(
    make_store: type[HeldStore], fails: bool, shared: bool
) -> None:
    """No error is left unclaimed, nothing old stays in the store, and the cache's tables are empty."""
    found, runs = list[Any](), 0
    for order in itertools.permutations(ACTS):
        for turns in itertools.product(range(5), range(5), [*range(5), NEVER]):
            runs += 1
            when = dict(zip(ACTS, turns, strict=True))
            if wrong := await what_goes_wrong(order, when, make_store=make_store, shared=shared, fails=fails):
                found.append((order, when, wrong))
    assert (found, runs) == ([], 900)


@pytest.mark.parametrize("part", ["_begin_part", "break_it"])
def test_without_one_of_its_parts_some_order_goes_wrong(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: if what a fence sends does not keep it standing, or if no delete breaks it."""
    begin = Fence._begin_part

    def begin_once(self: Fence) -> None:
        if self.sending is None and not self._parts:
            begin(self)

    monkeypatch.setattr(Fence, part, begin_once if part == "_begin_part" else lambda self: None)

    @in_virtual_time
    async def some_go_wrong() -> None:
        found = []
        for delete, cancel in itertools.product(range(4), [*range(4), NEVER]):
            when = {"end": 3, "delete": delete, "cancel": cancel}
            found += await what_goes_wrong(ACTS, when, make_store=HeldStore, shared=False, fails=False)
        assert found

    some_go_wrong()


@in_virtual_time
async def test_a_failing_store_is_marked_only_while_its_caller_waits() -> None:
    """A cache that is closed keeps no mark of the keys that it could not read, and neither does a cancelled caller."""
    store = HeldStore()

    async def fail(_key: Hashable) -> Any:
        raise ConnectionError("no read today")

    store.get = fail  # type: ignore[assignment, method-assign]
    cache: Cache[int, Any] = Cache(store, Origin(1, 10.0), ttl=9.0, flight=Flight())
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
async def test_a_store_in_this_process_needs_no_task() -> None:
    """Its fills happen in the caller's own turn."""
    cache: Cache[int, Any] = Cache(MemoryStore(10), Origin(1, 0.0), ttl=9.0)
    before = asyncio.all_tasks()
    await cache.get(1)
    assert asyncio.all_tasks() == before
