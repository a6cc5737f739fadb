"""Single flight on an event loop: each rule of it, and thousands of schedules with cancelled callers."""

import asyncio
import gc
import sys
import traceback
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from random import Random
from typing import Any

import pytest

from cachelab import CacheError, Flight, LoadAbandoned
from tests.support.fakes import in_virtual_time, now

who: ContextVar[str] = ContextVar("who", default="nobody")


class Origin:
    """A load of one second that counts, and answers or raises what it was told to."""

    def __init__(self, answer: Any = "value") -> None:
        self.answer = answer
        self.loads = self.ended = 0

    async def load(self, key: Any) -> Any:
        self.loads += 1
        await asyncio.sleep(1.0)
        self.ended += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


async def start(*coroutines: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Tasks that have all taken their first step."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


async def ends(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    """What each ended with: a value or an error."""
    return await asyncio.gather(*tasks, return_exceptions=True)


def listen_for_complaints() -> list[str]:
    """What the running loop's exception handler is called with from now on."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_exception_handler = lambda context: heard.append(context["message"])  # type: ignore[method-assign]
    return heard


@pytest.mark.parametrize("answer", ["value", None], ids=repr)
@in_virtual_time
async def test_callers_at_once_cause_one_load(answer: str | None) -> None:
    """All get its answer, also if that is None, when it ends."""
    flight, origin = Flight(), Origin(answer)
    assert await ends(await start(*(flight.do(1, origin.load) for _ in range(100)))) == [answer] * 100
    assert (origin.loads, now()) == (1, 1.0)


@in_virtual_time
async def test_keys_do_not_share_a_load() -> None:
    """Two keys, two loads, at the same time."""
    flight, origin = Flight(), Origin()
    await ends(await start(flight.do(1, origin.load), flight.do(2, origin.load)))
    assert (origin.loads, now()) == (2, 1.0)


@in_virtual_time
async def test_a_value_is_not_remembered() -> None:
    """A flight is no cache: the next call loads again."""
    flight, origin = Flight(), Origin()
    await flight.do(1, origin.load)
    await flight.do(1, origin.load)
    assert origin.loads == 2


@in_virtual_time
async def test_the_waiters_are_woken_in_the_order_in_which_they_came() -> None:
    """So that a simulation gives the same events each time."""
    flight, origin, order = Flight(), Origin(), list[int]()

    async def call(number: int) -> None:
        await flight.do(1, origin.load)
        order.append(number)

    await ends(await start(*map(call, range(50))))
    assert order == list(range(50))


@in_virtual_time
async def test_a_failed_load_gives_every_waiter_its_error_and_is_forgotten() -> None:
    """The very error, once each, and the next call loads again."""
    error = ConnectionError("down")
    flight, origin = Flight(), Origin(error)
    assert await ends(await start(*(flight.do(1, origin.load) for _ in range(100)))) == [error] * 100
    origin.answer = "value"
    assert await flight.do(1, origin.load) == "value"
    assert origin.loads == 2


@in_virtual_time
async def test_who_calls_in_the_moment_of_the_failure_loads_anew() -> None:
    """A load that has ended is joined by nobody, not even before its waiters have been told."""
    flight, origin = Flight(), Origin()
    moment = asyncio.get_running_loop().create_future()

    async def load(key: int) -> str:
        moment.set_result(None)  # wakes the late caller before anybody hears of the failure
        raise ConnectionError("down")

    async def late() -> Any:
        await moment
        return await flight.do(1, origin.load)

    waiting = await start(late())
    waiting += await start(flight.do(1, load))
    assert [str(answer) for answer in await ends(waiting)] == ["value", "down"]


@in_virtual_time
async def test_an_errors_traceback_does_not_grow_with_its_waiters() -> None:
    """Each of a hundred waiters sees the load's frames and his own."""
    flight, origin = Flight(), Origin(ConnectionError("down"))
    errors = await ends(await start(*(flight.do(1, origin.load) for _ in range(100))))
    assert len(traceback.extract_tb(errors[0].__traceback__)) < 10


@in_virtual_time
async def test_an_error_dies_with_its_last_holder() -> None:
    """No circle of references keeps it, and the frames in its traceback, until the garbage collector comes."""

    class Down(Exception):
        pass

    async def load(key: int) -> None:
        await asyncio.sleep(1.0)
        raise Down

    async def call() -> weakref.ref[Exception]:
        try:
            await Flight().do(1, load)
        except Down as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        died = await call()
        await asyncio.sleep(1.0)
        assert died() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("leaver", [0, 1], ids=["the first caller", "a follower"])
@in_virtual_time
async def test_who_leaves_harms_nobody(leaver: int) -> None:
    """The others get their answer at the same time, from the same load."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(1, origin.load) for _ in range(3)))
    tasks[leaver].cancel()
    answers = await ends(tasks)
    assert isinstance(answers.pop(leaver), asyncio.CancelledError)
    assert (answers, origin.loads, now()) == (["value"] * 2, 1, 1.0)


@in_virtual_time
async def test_a_load_outlives_all_its_callers() -> None:
    """When everybody has given up it still ends, and meanwhile a newcomer joins it."""
    flight, origin = Flight(), Origin()
    for task in await start(*(flight.do(1, origin.load) for _ in range(3))):
        task.cancel()
    await asyncio.sleep(0.5)
    assert await flight.do(1, origin.load) == "value"
    assert (origin.loads, origin.ended, now()) == (1, 1, 1.0)


@in_virtual_time
async def test_a_load_is_not_lost_to_the_garbage_collector() -> None:
    """The flight holds its tasks, the forgotten ones too: a loop does so only weakly."""
    flight, ended = Flight(), list[int]()

    async def load(key: int) -> None:
        waits = asyncio.get_running_loop().create_future()
        resume.append(weakref.ref(waits))
        try:
            await waits
        finally:
            ended.append(key)

    resume: list[weakref.ref[asyncio.Future[None]]] = []
    (task,) = await start(flight.do(1, load))
    await asyncio.sleep(0)
    flight.forget(1)
    task.cancel()
    await ends([task])
    del task
    gc.collect()
    waits = resume[0]()
    assert waits is not None
    assert ended == []
    waits.set_result(None)
    await asyncio.sleep(0.1)
    assert ended == [1]


@in_virtual_time
async def test_who_has_left_a_hanging_load_is_not_kept() -> None:
    """A load that hangs does not collect the futures of all who gave up on it."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(1, origin.load) for _ in range(100)))
    for task in tasks:
        task.cancel()
    await ends(tasks)
    assert len(flight._calls[1].waiters) == 0


@in_virtual_time
async def test_after_a_forget_nobody_joins_the_old_load() -> None:
    """The next caller starts one of his own; who waited already gets the old one's answer."""
    flight, old, new = Flight(), Origin("old"), Origin("new")
    early = await start(flight.do(1, old.load))
    flight.forget(1)
    late = await start(flight.do(1, new.load))
    assert await ends(early + late) == ["old", "new"]


@pytest.mark.parametrize("answer", ["old", ConnectionError("down")], ids=["that ends", "that fails"])
@in_virtual_time
async def test_an_old_load_leaves_the_newer_one_alone(answer: Any) -> None:
    """After the end of a forgotten load, callers still join the newer one."""
    flight, old, new = Flight(), Origin(answer), Origin("new")
    early = await start(flight.do(1, old.load))
    flight.forget(1)
    await asyncio.sleep(0.5)
    late = await start(flight.do(1, new.load))
    await ends(early)
    assert await flight.do(1, new.load) == "new"
    assert (await ends(late), new.loads) == (["new"], 1)


@in_virtual_time
async def test_forgetting_what_does_not_fly_is_nothing() -> None:
    """A delete of a key that nobody loads."""
    Flight().forget(1)


@in_virtual_time
async def test_who_asks_just_before_knows_whether_he_will_lead() -> None:
    """`key in flight` tells a cache its outcome: miss or collapsed."""
    flight, origin = Flight(), Origin()
    leads: list[bool] = []

    async def call() -> None:
        leads.append(1 not in flight)
        await flight.do(1, origin.load)

    await ends(await start(*(call() for _ in range(10))))
    assert leads == [True] + [False] * 9


@in_virtual_time
async def test_the_flight_counts_its_keys() -> None:
    """Two keys fly, then none."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(key, origin.load) for key in (1, 1, 2)))
    assert len(flight) == 2
    await ends(tasks)
    assert len(flight) == 0


async def abandoned(make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Two callers of this load are told that there is no answer, and are not cancelled themselves."""
    flight = Flight()
    callers = await start(*(flight.do(1, lambda key: make()) for _ in range(2)))
    assert [type(error) for error in await ends(callers)] == [LoadAbandoned] * 2
    assert not any(caller.cancelled() for caller in callers)
    assert len(flight) == 0


@in_virtual_time
async def test_a_load_that_is_cancelled_from_inside_cancels_nobody() -> None:
    """A waiter could not tell it from a cancellation of his own."""

    async def load() -> None:
        await asyncio.sleep(1.0)
        raise asyncio.CancelledError

    await abandoned(load)
    assert issubclass(LoadAbandoned, CacheError)


@in_virtual_time
async def test_a_load_that_is_cancelled_from_outside_cancels_nobody() -> None:
    """Somebody who cancels every task of the loop, for example, before it has begun."""
    flight, origin = Flight(), Origin()
    caller = asyncio.ensure_future(flight.do(1, origin.load))
    asyncio.get_running_loop().call_soon(lambda: [task.cancel() for task in flight._tasks])
    assert [type(error) for error in await ends([caller])] == [LoadAbandoned]
    assert (origin.loads, len(flight)) == (0, 0)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_load_stops_the_loop_and_releases_the_waiters(interrupt: type[BaseException]) -> None:
    """It goes where it always goes; if the loop goes on, no waiter raises it a second time."""

    async def load(key: int) -> None:
        await asyncio.sleep(0)
        raise interrupt

    async def main() -> None:
        flight = Flight()
        callers.extend(await start(flight.do(1, load), flight.do(1, load)))
        await ends(callers)

    callers: list[asyncio.Task[Any]] = []
    loop = asyncio.new_event_loop()
    heard: list[Any] = []
    loop.set_exception_handler(lambda loop, context: heard.append(context["message"]))
    main_task = loop.create_task(main())
    with pytest.raises(interrupt):
        loop.run_until_complete(main_task)
    loop.run_until_complete(main_task)
    assert [type(caller.exception()) for caller in callers] == [LoadAbandoned] * 2
    gc.collect()
    assert heard == []
    loop.close()


@in_virtual_time
async def test_closing_cancels_every_load_and_waits_for_it() -> None:
    """The forgotten ones, too; their clean-up has ended when `aclose` returns, and their waiters are told."""
    cleaned: list[int] = []

    async def load(key: int) -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            await asyncio.sleep(1.0)
            cleaned.append(key)

    async with Flight() as flight:
        callers = await start(flight.do(1, load))
        await asyncio.sleep(0)
        flight.forget(1)
        callers += await start(flight.do(1, load), flight.do(2, load))
        await asyncio.sleep(0)
    assert (cleaned, now()) == ([1, 1, 2], 1.0)
    assert [type(error) for error in await ends(callers)] == [LoadAbandoned] * 3


@in_virtual_time
async def test_a_closed_flight_starts_nothing() -> None:
    """Who retries while it closes is not let in; and to close it twice is no error."""
    flight, origin = Flight(), Origin()
    await flight.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await flight.do(1, origin.load)
    await flight.aclose()
    assert (origin.loads, len(flight)) == (0, 0)


@in_virtual_time
async def test_the_load_runs_in_its_first_callers_context() -> None:
    """A request id or a trace of the first caller is what the load sees, and it changes nobody's."""
    flight, seen = Flight(), list[str]()

    async def load(key: int) -> None:
        seen.append(who.get())
        who.set("the load")

    async def call(name: str) -> str:
        who.set(name)
        await flight.do(1, load)
        return who.get()

    assert await ends(await start(call("first"), call("second"))) == ["first", "second"]
    assert seen == ["first"]


async def fails_at_once(key: int) -> None:
    """A load without an `await`."""
    raise ConnectionError("down")


def raises_at_once(key: int) -> Any:
    """No coroutine comes of it."""
    raise ConnectionError("down")


@pytest.mark.parametrize("load", [fails_at_once, raises_at_once, str])
@in_virtual_time
async def test_a_load_that_is_none_gives_all_the_error(load: Any) -> None:
    """It raises before it begins, or is no async function: a plain error for each, and nothing is left."""
    flight = Flight()
    errors = await ends(await start(flight.do(1, load), flight.do(1, load)))
    assert [type(error) for error in errors] == [TypeError if load is str else ConnectionError] * 2
    assert len(flight) == 0


@pytest.mark.parametrize("by", ["itself", "a task of its own"])
@in_virtual_time
async def test_a_load_that_asks_for_its_own_key_is_told_so(by: str) -> None:
    """It would wait for itself, for ever."""
    flight = Flight()

    async def load(key: int) -> Any:
        again = flight.do(key, load)
        return await (again if by == "itself" else asyncio.create_task(again))

    with pytest.raises(RuntimeError, match="asks for 1 itself"):
        await flight.do(1, load)
    assert len(flight) == 0


@in_virtual_time
async def test_a_task_that_a_load_has_left_behind_may_ask_for_the_key() -> None:
    """Once that load has ended there is nothing to wait for in a circle."""
    flight, origin = Flight(), Origin()
    left: list[asyncio.Task[Any]] = []

    async def later() -> Any:
        await asyncio.sleep(1.0)
        return await flight.do(1, origin.load)

    async def load(key: int) -> None:
        left.append(asyncio.create_task(later()))

    await flight.do(1, load)
    assert await ends(left) == ["value"]


@in_virtual_time
async def test_an_error_that_nobody_waits_for_is_no_complaint() -> None:
    """All callers have left: the loop's handler is not called."""
    heard = listen_for_complaints()
    flight, origin = Flight(), Origin(ConnectionError("down"))
    (caller,) = await start(flight.do(1, origin.load))
    caller.cancel()
    await ends([caller])
    await asyncio.sleep(2.0)
    gc.collect()
    assert (origin.ended, heard) == (1, [])


@pytest.mark.parametrize("turns", [0, 1, 2, 3], ids=lambda turns: f"{turns} turns later")
@pytest.mark.parametrize("answer", ["value", ConnectionError("down")], ids=["that ends", "that fails"])
@in_virtual_time
async def test_who_leaves_in_the_moment_of_the_end_harms_nobody(answer: Any, turns: int) -> None:
    """Whichever comes first, the answer or the cancellation: the other caller is answered, and nobody complains."""
    heard = listen_for_complaints()
    flight, call_soon = Flight(), asyncio.get_running_loop().call_soon

    async def load(key: int) -> Any:
        await asyncio.sleep(1.0)
        leave: Callable[[], Any] = leaver.cancel
        for _ in range(turns):
            leave = partial(call_soon, leave)
        call_soon(leave)
        if isinstance(answer, Exception):
            raise answer
        return answer

    leaver, other = await start(flight.do(1, load), flight.do(1, load))
    assert (await ends([leaver, other]))[1] is answer
    await asyncio.sleep(1.0)
    gc.collect()
    assert (heard, len(flight), len(flight._tasks)) == ([], 0, 0)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("waits", [False, True])
def test_eager_tasks_are_no_different(waits: bool) -> None:
    """A task that runs, and perhaps ends, before it is returned: one load each time, and nothing is left."""
    loads: list[int] = []

    async def load(key: int) -> int:
        loads.append(key)
        if waits:
            await asyncio.sleep(0.001)
        return key

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        flight = Flight()
        assert await asyncio.gather(*(flight.do(1, load) for _ in range(10))) == [1] * 10
        await asyncio.sleep(0)
        assert (len(flight), len(flight._tasks)) == (0, 0)

    asyncio.run(main())
    assert len(loads) == (1 if waits else 10)


async def one_schedule(seed: int) -> list[str]:
    """Callers who come and are cancelled at random times, loads that fail, deletes in between: what was wrong."""
    chance, flight, wrong = Random(seed), Flight(), list[str]()
    version, flying, forgotten = [0, 0], [0, 0], [0, 0]
    heard = listen_for_complaints()
    error = ConnectionError("down")

    async def load(key: int) -> int | None:
        read = version[key]
        flying[key] += 1
        if flying[key] > 1 + forgotten[key]:
            wrong.append("two loads at once")
        try:
            await asyncio.sleep(chance.choice([0.0, 0.5, chance.random()]))
        finally:
            flying[key] -= 1
        kind = chance.random()
        if kind < 0.2:
            raise error
        return None if kind < 0.3 else read

    async def call(key: int) -> None:
        await asyncio.sleep(chance.choice([0.0, 0.5, 2 * chance.random()]))
        least = version[key]
        try:
            value = await flight.do(key, load)
        except ConnectionError as raised:
            if raised is not error:
                wrong.append("another error")
        else:
            if value is not None and value < least:
                wrong.append("joined a load from before the delete")

    async def write(key: int) -> None:
        await asyncio.sleep(2 * chance.random())
        version[key] += 1
        forgotten[key] += 1
        flight.forget(key)

    callers = [asyncio.create_task(call(chance.randrange(2))) for _ in range(12)]
    leavers = [caller for caller in callers if chance.random() < 0.4]
    for caller in leavers:
        asyncio.get_running_loop().call_later(chance.choice([0.0, 0.5, 1.0, 3 * chance.random()]), caller.cancel)
    await asyncio.wait([*callers, *(asyncio.create_task(write(chance.randrange(2))) for _ in range(2))])
    wrong += ["a caller who was not cancelled is" for c in callers if c.cancelled() and c not in leavers]
    wrong += [repr(c.exception()) for c in callers if not c.cancelled() and c.exception()]
    await asyncio.sleep(3.0)  # loads whose callers have left
    if len(flight) or flight._tasks or any(flying):
        wrong.append("something is left")
    del callers, leavers
    return wrong + heard


async def many_schedules(count: int) -> list[str]:
    """What was wrong in so many schedules."""
    return [sentence for seed in range(count) for sentence in await one_schedule(seed)]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
@in_virtual_time
async def test_no_random_schedule_breaks_a_rule(count: int) -> None:
    """Nobody harmed, nothing stale, one load a key, no complaint of the loop, and nothing left."""
    assert await many_schedules(count) == []
    gc.collect()
