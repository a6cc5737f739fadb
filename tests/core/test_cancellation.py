"""A caller may be cancelled at each `await` of the read path and of a delete, and the cache stays consistent.

Each `await` of the store and the origin is a gate with a name. A test closes one gate, waits until the call has come to
it, and cancels the call there.
"""

import asyncio

import pytest

from cachelab import Cache, Entry
from tests.support.fakes import Heard, facts, in_virtual_time, records
from tests.support.gated import EVERY_AWAIT_OF_A_READ, Gate, GatedCache, GatedOrigin, GatedStore

EVERY_AWAIT_OF_A_DELETE = pytest.mark.parametrize("gate", ["delete below", "delete, not sent", "delete, sent"])


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_the_cancellation_reaches_the_reader(make_store: type[GatedStore], gate: str) -> None:
    """No part of the read path swallows the CancelledError."""
    gated = GatedCache(make_store, gate)
    task = await gated.cancel(gated.cache.get(1))
    assert task.cancelled()


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_a_cancelled_get_leaves_one_record(make_store: type[GatedStore], gate: str) -> None:
    """The result of a cancelled `get` is "error"."""
    gated = GatedCache(make_store, gate)
    await gated.cancel(gated.cache.get(1))
    assert [result for _, result in records(gated.heard)] == ["error"]


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_a_cancelled_get_stores_the_whole_entry_or_nothing(make_store: type[GatedStore], gate: str) -> None:
    """If the fill had been sent, the store has the entry, which is right; otherwise it has nothing."""
    gated = GatedCache(make_store, gate)
    await gated.cancel(gated.cache.get(1))
    assert gated.store.entries == ({1: Entry("value", 60.0)} if gate == "fill, sent" else {})


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_the_next_get_works(make_store: type[GatedStore], gate: str) -> None:
    """A `get` after a cancelled one returns the value."""
    gated = GatedCache(make_store, gate)
    await gated.cancel(gated.cache.get(1))
    assert await gated.cache.get(1) == "value"


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_the_next_get_sees_a_write_in_between(make_store: type[GatedStore], gate: str) -> None:
    """After the write and its delete no caller is given what the cancelled `get` had loaded."""
    gated = GatedCache(make_store, gate)
    await gated.cancel(gated.cache.get(1))
    gated.origin.value = "new"
    await gated.cache.delete(1)
    assert await gated.cache.get(1) == "new"


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_the_counters_add_up_to_the_gets_that_have_ended(make_store: type[GatedStore], gate: str) -> None:
    """Each `get` is counted once. One that was cancelled counts as a miss."""
    gated = GatedCache(make_store, gate)
    await gated.cancel(gated.cache.get(1))
    await gated.cache.get(1)
    assert gated.cache.hits + gated.cache.misses == 2


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_another_caller_of_the_same_key_gets_the_value(make_store: type[GatedStore], gate: str) -> None:
    """Two callers have asked for the same key, and cancelling one does not affect the other."""
    gated = GatedCache(make_store, gate)
    other = asyncio.create_task(gated.cache.get(1))
    await gated.cancel(gated.cache.get(1))
    assert await other == "value"


@pytest.mark.parametrize("level", ["lower ", "upper "])
@pytest.mark.parametrize("place", ["read", "fill, not sent", "fill, sent"])
@in_virtual_time
async def test_each_level_that_was_asked_leaves_one_record(level: str, place: str) -> None:
    """In a stack, too, each cache that was asked reports once how its `get` ended."""
    gate = Gate(level + place)
    heard: dict[str, Heard] = {"lower ": [], "upper ": []}
    lower: Cache[int, str] = Cache(
        GatedStore(gate, "lower "), GatedOrigin(gate), ttl=60.0, listen=heard["lower "].append
    )
    upper: Cache[int, str] = Cache(GatedStore(gate, "upper "), lower, ttl=60.0, listen=heard["upper "].append)
    task = asyncio.create_task(upper.get(1))
    await gate.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    below = [] if gate.name == "upper read" else ["error" if level == "lower " else "value"]
    assert [[result for _, result in records(events)] for events in heard.values()] == [below, ["error"]]


@EVERY_AWAIT_OF_A_DELETE
@in_virtual_time
async def test_the_cancellation_reaches_the_caller_of_delete(gate: str) -> None:
    """A cancelled delete ends in CancelledError, neither as if it had succeeded nor as if it had failed."""
    gated = GatedCache(GatedStore, gate)
    task = await gated.cancel(gated.cache.delete(1))
    assert task.cancelled()


@EVERY_AWAIT_OF_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_reports_nothing(gate: str) -> None:
    """No fact says that the key was deleted, or that the store has failed."""
    gated = GatedCache(GatedStore, gate)
    await gated.cancel(gated.cache.delete(1))
    assert facts(gated.heard) == []


@in_virtual_time
async def test_a_delete_cancelled_below_still_deletes_here() -> None:
    """As after a failure below, this level forgets its own copy all the same."""
    gated = GatedCache(GatedStore, "delete below")
    await gated.cache.get(1)
    await gated.cancel(gated.cache.delete(1))
    assert gated.store.entries == {}


@EVERY_AWAIT_OF_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_can_be_repeated(gate: str) -> None:
    """The second call reaches every level, however far the first one came."""
    gated = GatedCache(GatedStore, gate)
    await gated.cache.get(1)
    gated.origin.value = "new"
    await gated.cancel(gated.cache.delete(1))
    await gated.cache.delete(1)
    assert await gated.cache.get(1) == "new"
