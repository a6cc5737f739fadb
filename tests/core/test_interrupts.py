"""A KeyboardInterrupt or SystemExit at each step of a call, and a listener that raises on each event.

An interrupt leaves the event loop. In these tests the loop goes on afterwards, as in an interactive session.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, get_args

import pytest

from cachelab import ABSENT, MISS, Entry, Fact, LoadAbandoned, Miss, Record
from cachelab.entry import Lease
from cachelab.events import FactKind, Outcome
from cachelab.lab.sim.simulation import run
from tests.support.caches import SHARED, make_cache, make_freshness_cache, with_stale_entry
from tests.support.fakes import (
    BrokenStore,
    Heard,
    Origin,
    RemoteStore,
    in_virtual_time,
    left_behind,
    other_tasks,
    until,
)
from tests.support.leasing import LeasingStore


class Stop(BaseException):
    """It is no `Exception`, and unlike an interrupt it does not leave the loop."""


INTERRUPTS = pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])


class Step:
    """The step with this name raises an interrupt, once. Each step waits a turn of the loop first."""

    def __init__(self, name: str, interrupt: type[BaseException]) -> None:
        self.name, self.interrupt = name, interrupt

    async def at(self, name: str) -> None:
        """Say that the caller is at the step `name`."""
        await asyncio.sleep(0)
        if name == self.name:
            self.name = "done"
            raise self.interrupt

    async def load(self, key: int) -> str:
        """A load is a step, too."""
        await self.at("load")
        return "value"


class SteppedStore:
    """A remote store: each operation is a step."""

    def __init__(self, step: Step) -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.step = step

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        await self.step.at("get")
        return self.entries.get(key, MISS)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await self.step.at("set")
        self.entries[key] = entry

    async def delete(self, key: Hashable) -> None:
        await self.step.at("delete")
        self.entries.pop(key, None)


class SteppedLocalStore(SteppedStore):
    """The same in this process."""

    def peek(self, key: Hashable) -> Entry[Any] | Miss:
        return self.entries.get(key, MISS)


class SteppedLeasingStore(LeasingStore):
    """A store that grants leases: each operation of a lease is a step."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss) -> Entry[Any] | Lease[Any]:
        await self.step.at("claim")
        return await super().claim(key, seen)

    async def arrive(self, operation: str) -> None:
        await self.step.at(operation if operation != "claim" else "none")


def run_on(interrupt: type[BaseException], scenario: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, int]:
    """What the scenario returns, and how often the interrupt has left the loop, which then goes on."""
    loop, left = asyncio.new_event_loop(), 0
    try:
        task = loop.create_task(scenario())
        while not task.done():
            try:
                loop.run_until_complete(task)
            except interrupt:
                left += 1
        return task.result(), left
    finally:
        loop.close()


async def outcome(call: Coroutine[Any, Any, Any]) -> Any:
    """What a call returns, or the type of what it raises, in a task of its own."""
    answer: Any = (await asyncio.gather(asyncio.ensure_future(call), return_exceptions=True))[0]
    return type(answer) if isinstance(answer, BaseException) else answer


@INTERRUPTS
@SHARED
@pytest.mark.parametrize(
    ("make_store", "name", "is_answered"),
    [
        (SteppedStore, "get", False),
        (SteppedStore, "load", False),
        (SteppedStore, "set", True),
        (SteppedLocalStore, "load", False),
        (SteppedLocalStore, "set", False),
        (SteppedLeasingStore, "claim", False),
        (SteppedLeasingStore, "load", False),
        (SteppedLeasingStore, "set", True),
    ],
)
def test_an_interrupt_of_a_read_leaves_the_loop_once_and_nothing_in_the_tables(
    make_store: Callable[[Step], Any], name: str, is_answered: bool, shared: bool, interrupt: type[BaseException]
) -> None:
    """In its caller's own task it is raised there. A caller that waits for a shared load gets LoadAbandoned, and one
    that waits for a remote fill has its value. The next caller loads.
    """

    async def scenario() -> tuple[Any, ...]:
        step = Step(name, interrupt)
        cache = make_cache(step.load, make_store(step), shared=shared)
        answers = await outcome(cache.get(1)), await outcome(cache.get(1))
        await cache.aclose()
        return *answers, left_behind(cache), len(other_tasks())

    own = LoadAbandoned if shared and name != "get" else interrupt
    assert run_on(interrupt, scenario) == (("value" if is_answered else own, "value", 0, 0), 1)


@INTERRUPTS
def test_an_interrupt_of_a_release_is_no_store_error(interrupt: type[BaseException]) -> None:
    """Nobody waits for a release. The interrupt leaves the loop, and the caller has its answer."""

    async def load(key: int) -> Any:
        return ABSENT

    async def scenario() -> tuple[Any, ...]:
        cache = make_cache(load, SteppedLeasingStore(Step("release", interrupt)))
        answer = await outcome(cache.get(1))
        await cache.aclose()
        return answer, cache.store_errors, left_behind(cache), len(other_tasks())

    assert run_on(interrupt, scenario) == ((ABSENT, 0, 0, 0), 1)


@INTERRUPTS
def test_an_interrupt_of_a_delete_reaches_its_caller(interrupt: type[BaseException]) -> None:
    """Below or here. This level has forgotten the key all the same if the level below was interrupted."""

    class Row(Step):
        async def __call__(self, key: int) -> str:
            return "value"

        async def delete(self, key: int) -> None:
            await self.at("below")

    for name in ("below", "delete"):

        async def scenario(name: str = name) -> tuple[Any, ...]:
            row = Row(name, interrupt)
            store = SteppedStore(row)
            cache = make_cache(row, store)
            await cache.get(1)
            return await outcome(cache.delete(1)), len(store.entries), cache.store_errors, left_behind(cache)

        assert run_on(interrupt, scenario) == ((interrupt, 0 if name == "below" else 1, 0, 0), 1)


@SHARED
@pytest.mark.parametrize("answer", ["new", ABSENT], ids=["fill", "drop"])
@in_virtual_time
async def test_a_command_that_the_store_cancels_ends_the_wait_for_it(answer: Any, shared: bool) -> None:
    """The store's client has cancelled it, and not the caller, which has its answer."""

    async def cancelled(*_: object) -> Any:
        raise asyncio.CancelledError

    origin, store = Origin(), RemoteStore()
    cache = await with_stale_entry(origin, store, shared=shared)
    origin.answer, store.set, store.delete = answer, cancelled, cancelled  # type: ignore[assignment,method-assign]
    await until(90.9)
    await cache.get(1)  # its refresh ends at 91.9; from 91 on the entry is gone, and callers wait
    await until(91.0)
    assert (await cache.get(1), cache.store_errors) == (answer, 0)
    await cache.aclose()
    assert (left_behind(cache), other_tasks()) == (0, set())


@pytest.mark.parametrize("answer", ["value", ABSENT], ids=["fill", "release"])
@in_virtual_time
async def test_an_interrupt_as_a_command_begins_leaves_no_fence(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eager task can be interrupted in the call that makes it."""

    def begin(command: Coroutine[Any, Any, Any]) -> Any:
        command.close()
        raise Stop

    cache = make_cache(Origin(answer), LeasingStore())
    with monkeypatch.context() as changed:
        changed.setattr("cachelab.level.asyncio.ensure_future", begin)
        with pytest.raises(Stop):
            await cache.get(1)
    assert left_behind(cache) == 0


# The listener


async def hear_everything(listen: Callable[[Record | Fact], None], shared: bool) -> list[Any]:
    """The outcomes of calls that tell the listener each kind of event. Afterwards nothing is left in the tables."""
    origin, store, outcomes = Origin("old"), BrokenStore(), list[Any]()
    cache = make_freshness_cache(origin, store, shared=shared, listen=listen)

    async def call(*calls: Coroutine[Any, Any, Any], while_it_runs: Coroutine[Any, Any, Any] | None = None) -> None:
        running = [asyncio.ensure_future(outcome(each)) for each in calls]
        if while_it_runs is not None:
            await asyncio.sleep(0.5)
            outcomes.append(await outcome(while_it_runs))
        outcomes.extend(await asyncio.gather(*running))

    await call(cache.get(1), cache.get(1))
    await until(70.0)
    await call(cache.get(1))  # stale
    await until(80.0)
    await call(cache.get(1), cache.delete(2))
    origin.answer = LookupError()
    await call(cache.get(3))
    origin.answer = "old"
    await call(cache.get(4), while_it_runs=cache.delete(4))
    store.broken = {"get"}
    await call(cache.get(5))
    store.broken = set()
    await call(cache.get(6), while_it_runs=cache.aclose())
    assert (left_behind(cache), other_tasks()) == (0, set())
    return outcomes


def listener(heard: Heard, *, stop_at: int | None = None) -> Callable[[Record | Fact], None]:
    """A listener that raises ValueError on each event; or, if a number is given, `Stop` on the one with it."""

    def listen(event: Record | Fact) -> None:
        heard.append(event)
        if stop_at is None:
            raise ValueError
        if len(heard) == stop_at + 1:
            raise Stop

    return listen


@SHARED
def test_a_listener_that_raises_on_each_event_changes_no_outcome(
    shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every call ends as with a listener that raises nothing, and each error goes to the loop's exception handler."""
    quiet, loud = Heard(), Heard()
    expected = run(hear_everything, quiet.append, shared)
    kinds = {event.kind if isinstance(event, Fact) else event.outcome for event in quiet}
    of_stores = {"evicted", "expired", "refused"}
    assert kinds == {*get_args(Outcome), *get_args(FactKind)} - of_stores - (set() if shared else {"collapsed"})
    assert run(hear_everything, listener(loud), shared) == expected
    assert (len(loud), capsys.readouterr().err.count("The listener of cache raised")) == (len(quiet), len(quiet))


@SHARED
def test_what_a_listener_raises_that_is_no_exception_passes_through(
    shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """On each event in turn. The caller whose record it was gets it, and nothing is left in the tables."""
    every = Heard()
    run(hear_everything, every.append, shared)
    for number, event in enumerate(every):
        listen = listener([], stop_at=number)
        outcomes = run(hear_everything, listen, shared)
        assert Stop in outcomes or isinstance(event, Fact)
    assert "The listener" not in capsys.readouterr().err
