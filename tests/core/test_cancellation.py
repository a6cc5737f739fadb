"""A caller may be cancelled at every `await` of the read path and of a delete; nothing is left wrong behind him.

Each `await` is a gate with a name. The test closes one, waits until the call stands before it, and cancels it there.
"""

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any

import pytest

from cachelab import MISS, Cache, Entry, Miss
from tests.support.fakes import Heard, facts, in_virtual_time, records


class Gate:
    """The one place where calls stop until `opened` is set; at every other place they walk on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def at(self, name: str) -> None:
        if name == self.name:
            self.reached.set()
            await self.opened.wait()


class Script:
    """A store in another process: a request may be cancelled before it is sent, or when only the reply is missing."""

    def __init__(self, gate: Gate, prefix: str = "") -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.gate = gate
        self.prefix = prefix

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        await self.gate.at(f"{self.prefix}look")
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.gate.at(f"{self.prefix}fill, not sent")
        self.entries[key] = entry
        await self.gate.at(f"{self.prefix}fill, sent")

    async def delete(self, key: Hashable) -> None:
        await self.gate.at(f"{self.prefix}delete, not sent")
        self.entries.pop(key, None)
        await self.gate.at(f"{self.prefix}delete, sent")


class ScriptHere(Script):
    """The same in this process: it can be looked into without `await`."""

    def peek(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)


class Origin:
    """The origin, which reads its value when the load begins and may have a delete of its own."""

    def __init__(self, gate: Gate) -> None:
        self.value = "value"
        self.gate = gate

    async def __call__(self, key: int) -> str:
        value = self.value
        await self.gate.at("load")
        return value

    async def delete(self, key: int) -> None:
        await self.gate.at("delete below")


class Scene:
    """A cache over a scripted store and origin, and all that it told."""

    def __init__(self, script: type[Script], gate: str) -> None:
        self.gate = Gate(gate)
        self.store = script(self.gate)
        self.origin = Origin(self.gate)
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
    [(Script, gate) for gate in ("look", "load", "fill, not sent", "fill, sent")]
    + [(ScriptHere, gate) for gate in ("load", "fill, not sent", "fill, sent")],
)
IN_A_DELETE = pytest.mark.parametrize("gate", ["delete below", "delete, not sent", "delete, sent"])


@IN_A_READ
@in_virtual_time
async def test_the_cancellation_reaches_the_reader(script: type[Script], gate: str) -> None:
    """No part of the read path swallows it."""
    scene = Scene(script, gate)
    task = await scene.cancel(scene.cache.get(1))
    assert task.cancelled()


@IN_A_READ
@in_virtual_time
async def test_a_cancelled_get_leaves_one_record(script: type[Script], gate: str) -> None:
    """One record for each `get`, and of one that was cancelled the result is an error."""
    scene = Scene(script, gate)
    await scene.cancel(scene.cache.get(1))
    assert [result for _, result in records(scene.heard)] == ["error"]


@IN_A_READ
@in_virtual_time
async def test_a_cancelled_get_stores_the_whole_entry_or_nothing(script: type[Script], gate: str) -> None:
    """Only a fill that had already been sent is there, and it is right."""
    scene = Scene(script, gate)
    await scene.cancel(scene.cache.get(1))
    assert scene.store.entries == ({1: Entry("value", 60.0)} if gate == "fill, sent" else {})


@IN_A_READ
@in_virtual_time
async def test_the_next_get_works(script: type[Script], gate: str) -> None:
    """Nothing of the cancelled one is in its way."""
    scene = Scene(script, gate)
    await scene.cancel(scene.cache.get(1))
    assert await scene.cache.get(1) == "value"


@IN_A_READ
@in_virtual_time
async def test_the_next_get_sees_a_write_that_came_between(script: type[Script], gate: str) -> None:
    """After the write and its delete nobody is given what the cancelled `get` had in its hands."""
    scene = Scene(script, gate)
    await scene.cancel(scene.cache.get(1))
    scene.origin.value = "new"
    await scene.cache.delete(1)
    assert await scene.cache.get(1) == "new"


@IN_A_READ
@in_virtual_time
async def test_the_counters_add_up_to_the_gets_that_have_ended(script: type[Script], gate: str) -> None:
    """Each `get` is counted once, one that was cancelled while it looked as a miss."""
    scene = Scene(script, gate)
    await scene.cancel(scene.cache.get(1))
    await scene.cache.get(1)
    assert scene.cache.hits + scene.cache.misses == 2


@IN_A_READ
@in_virtual_time
async def test_a_caller_beside_the_cancelled_one_gets_his_value(script: type[Script], gate: str) -> None:
    """Two callers have asked for the same key; what happens to one is not the other's business."""
    scene = Scene(script, gate)
    other = asyncio.create_task(scene.cache.get(1))
    await scene.cancel(scene.cache.get(1))
    assert await other == "value"


@pytest.mark.parametrize("level", ["lower ", "upper "])
@pytest.mark.parametrize("place", ["look", "fill, not sent", "fill, sent"])
@in_virtual_time
async def test_each_level_that_was_asked_leaves_one_record(level: str, place: str) -> None:
    """In a stack, too, each cache tells once how its `get` ended, and so does the one above it."""
    gate = Gate(level + place)
    heard: dict[str, Heard] = {"lower ": [], "upper ": []}
    lower: Cache[int, str] = Cache(Script(gate, "lower "), Origin(gate), ttl=60.0, listen=heard["lower "].append)
    upper: Cache[int, str] = Cache(Script(gate, "upper "), lower, ttl=60.0, listen=heard["upper "].append)
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
    scene = Scene(Script, gate)
    task = await scene.cancel(scene.cache.delete(1))
    assert task.cancelled()


@IN_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_claims_nothing(gate: str) -> None:
    """No fact says that the key was deleted, or that the store has failed."""
    scene = Scene(Script, gate)
    await scene.cancel(scene.cache.delete(1))
    assert facts(scene.heard) == []


@in_virtual_time
async def test_a_delete_cancelled_below_still_deletes_here() -> None:
    """As with a failure below, the level above forgets its own copy all the same."""
    scene = Scene(Script, "delete below")
    await scene.cache.get(1)
    await scene.cancel(scene.cache.delete(1))
    assert scene.store.entries == {}


@IN_A_DELETE
@in_virtual_time
async def test_a_cancelled_delete_can_be_repeated(gate: str) -> None:
    """The second call reaches every level, whatever the first one did."""
    scene = Scene(Script, gate)
    await scene.cache.get(1)
    scene.origin.value = "new"
    await scene.cancel(scene.cache.delete(1))
    await scene.cache.delete(1)
    assert await scene.cache.get(1) == "new"
