"""A caller may be cancelled at every `await` of the read path and of a delete, and nothing is left wrong.

Each `await` is a gate with a name. The test closes one, waits until the call has reached it, and cancels it there.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cachelab import Cache, Entry
from tests.support.fakes import Heard, facts, in_virtual_time, records
from tests.support.gated import Gate, GatedOrigin, GatedStore, GatedStoreHere


class GatedCache:
    """A cache over a scripted store and origin, and all that it told."""

    def __init__(self, script: type[GatedStore], gate: str) -> None:
        self.gate = Gate(gate)
        self.store = script(self.gate)
        self.origin = GatedOrigin(self.gate)
        self.heard: Heard = []
        self.cache: Cache[int, str] = Cache(self.store, self.origin, ttl=60.0, listen=self.heard.append)

    async def cancel(self, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start the call, cancel it before the gate, and open the gate for all who come later."""
        task = asyncio.create_task(call)
        await self.gate.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        self.gate.opened.set()
        return task


IN_A_READ = pytest.mark.parametrize(
    ("script", "gate"),
    [(GatedStore, gate) for gate in ("look", "load", "fill, not sent", "fill, sent")]
    + [(GatedStoreHere, gate) for gate in ("load", "fill, not sent", "fill, sent")],
)
IN_A_DELETE = pytest.mark.parametrize("gate", ["delete below", "delete, not sent", "delete, sent"])


@IN_A_READ
@in_virtual_time
async def test_the_cancellation_reaches_the_reader(script: type[GatedStore], gate: str) -> None:
    """No part of the read path swallows it."""
    gated = GatedCache(script, gate)
    task = await gated.cancel(gated.cache.get(1))
    assert task.cancelled()


@IN_A_READ
@in_virtual_time
async def test_a_cancelled_get_leaves_one_record(script: type[GatedStore], gate: str) -> None:
    """One record for each `get`, and of one that was cancelled the result is an error."""
    gated = GatedCache(script, gate)
    await gated.cancel(gated.cache.get(1))
    assert [result for _, result in records(gated.heard)] == ["error"]


@IN_A_READ
@in_virtual_time
async def test_a_cancelled_get_stores_the_whole_entry_or_nothing(script: type[GatedStore], gate: str) -> None:
    """Only a fill that had already been sent is there, and it is right."""
    gated = GatedCache(script, gate)
    await gated.cancel(gated.cache.get(1))
    assert gated.store.entries == ({1: Entry("value", 60.0)} if gate == "fill, sent" else {})


@IN_A_READ
@in_virtual_time
async def test_the_next_get_works(script: type[GatedStore], gate: str) -> None:
    """Nothing of the cancelled one is in its way."""
    gated = GatedCache(script, gate)
    await gated.cancel(gated.cache.get(1))
    assert await gated.cache.get(1) == "value"


@IN_A_READ
@in_virtual_time
async def test_the_next_get_sees_a_write_that_came_between(script: type[GatedStore], gate: str) -> None:
    """After the write and its delete nobody is given what the cancelled `get` had in its hands."""
    gated = GatedCache(script, gate)
    await gated.cancel(gated.cache.get(1))
    gated.origin.value = "new"
    await gated.cache.delete(1)
    assert await gated.cache.get(1) == "new"


@IN_A_READ
@in_virtual_time
async def test_the_counters_add_up_to_the_gets_that_have_ended(script: type[GatedStore], gate: str) -> None:
    """Each `get` is counted once, one that was cancelled while it looked as a miss."""
    gated = GatedCache(script, gate)
    await gated.cancel(gated.cache.get(1))
    await gated.cache.get(1)
    assert gated.cache.hits + gated.cache.misses == 2


@IN_A_READ
@in_virtual_time
async def test_a_caller_beside_the_cancelled_one_gets_his_value(script: type[GatedStore], gate: str) -> None:
    """Two callers have asked for the same key; what happens to one is not the other's business."""
    gated = GatedCache(script, gate)
    other = asyncio.create_task(gated.cache.get(1))
    await gated.cancel(gated.cache.get(1))
    assert await other == "value"


@pytest.mark.parametrize("level", ["lower ", "upper "])
@pytest.mark.parametrize("place", ["look", "fill, not sent", "fill, sent"])
@in_virtual_time
async def test_each_level_that_was_asked_leaves_one_record(level: str, place: str) -> None:
    """In a stack, too, each cache tells once how its `get` ended, and so does the one above it."""
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
    below = [] if gate.name == "upper look" else ["error" if level == "lower " else "value"]
    assert [[result for _, result in records(told)] for told in heard.values()] == [below, ["error"]]


@IN_A_DELETE
@in_virtual_time
async def test_the_cancellation_reaches_the_deleter(gate: str) -> None:
    """A cancelled delete ends in CancelledError: it does not look as if it had succeeded, or failed."""
    gated = GatedCache(GatedStore, gate)
    task = await gated.cancel(gated.cache.delete(1))
    assert task.cancelled()


@IN_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_claims_nothing(gate: str) -> None:
    """No fact says that the key was deleted, or that the store has failed."""
    gated = GatedCache(GatedStore, gate)
    await gated.cancel(gated.cache.delete(1))
    assert facts(gated.heard) == []


@in_virtual_time
async def test_a_delete_cancelled_below_still_deletes_here() -> None:
    """As with a failure below, the level above forgets its own copy all the same."""
    gated = GatedCache(GatedStore, "delete below")
    await gated.cache.get(1)
    await gated.cancel(gated.cache.delete(1))
    assert gated.store.entries == {}


@IN_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_can_be_repeated(gate: str) -> None:
    """The second call reaches every level, whatever the first one did."""
    gated = GatedCache(GatedStore, gate)
    await gated.cache.get(1)
    gated.origin.value = "new"
    await gated.cancel(gated.cache.delete(1))
    await gated.cache.delete(1)
    assert await gated.cache.get(1) == "new"
