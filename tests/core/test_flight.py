"""Single flight on an event loop: each of its rules, and thousands of schedules with cancelled callers."""

import asyncio
import gc
import sys
import traceback
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from functools import partial
from random import Random
from typing import Any

import pytest

from cachelab import Cache, CacheError, Flight, LoadAbandoned, MemoryStore
from cachelab.flight import _Call, carry
from tests.support.fakes import Origin, in_virtual_time, now

caller_name: ContextVar[str] = ContextVar("caller_name", default="")


async def start(*coroutines: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Tasks of these coroutines, after their first step."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


async def results(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    """What each task ends with: a value or an error."""
    return await asyncio.gather(*tasks, return_exceptions=True)


def collect_reports() -> list[str]:
    """The messages that the running loop's exception handler is given from now on."""
    reported: list[str] = []
    loop = asyncio.get_running_loop()
    loop.call_exception_handler = lambda context: reported.append(context["message"])  # type: ignore[method-assign]
    return reported


@pytest.mark.parametrize("answer", ["value", None], ids=repr)
@in_virtual_time
async def test_callers_at_once_cause_one_load(answer: str | None) -> None:
    """All get its answer when it ends, even if that is None."""
    flight, origin = Flight(), Origin(answer)
    assert await results(await start(*(flight.do(1, origin) for _ in range(100)))) == [answer] * 100
    assert (origin.calls, now()) == (1, 1.0)


@in_virtual_time
async def test_keys_do_not_share_a_load() -> None:
    """Two keys have two loads, at the same time."""
    flight, origin = Flight(), Origin()
    await results(await start(flight.do(1, origin), flight.do(2, origin)))
    assert (origin.calls, now()) == (2, 1.0)


@in_virtual_time
async def test_a_value_is_not_remembered() -> None:
    """A flight is not a cache: the next call loads again."""
    flight, origin = Flight(), Origin()
    await flight.do(1, origin)
    await flight.do(1, origin)
    assert origin.calls == 2


@in_virtual_time
async def test_the_waiters_are_woken_in_the_order_in_which_they_came() -> None:
    """So a simulation gives the same events each time."""
    flight, origin, order = Flight(), Origin(), list[int]()

    async def call(number: int) -> None:
        await flight.do(1, origin)
        order.append(number)

    await results(await start(*map(call, range(50))))
    assert order == list(range(50))


@in_virtual_time
async def test_a_failed_load_gives_every_waiter_its_error_and_is_forgotten() -> None:
    """Each waiter gets that error object once, and the next call loads again."""
    error = ConnectionError("down")
    flight, origin = Flight(), Origin(error)
    assert await results(await start(*(flight.do(1, origin) for _ in range(100)))) == [error] * 100
    origin.answer = "value"
    assert await flight.do(1, origin) == "value"
    assert origin.calls == 2


@in_virtual_time
async def test_a_call_at_the_moment_of_a_failure_loads_anew() -> None:
    """No caller joins a load that has ended, not even before the load's waiters have their answer."""
    flight, origin = Flight(), Origin()
    failed = asyncio.get_running_loop().create_future()

    async def load(key: int) -> str:
        failed.set_result(None)  # wakes the late caller before any waiter gets the error
        raise ConnectionError("down")

    async def late() -> Any:
        await failed
        return await flight.do(1, origin)

    waiting = await start(late())
    waiting += await start(flight.do(1, load))
    assert [str(answer) for answer in await results(waiting)] == ["value", "down"]


@in_virtual_time
async def test_the_traceback_of_an_error_does_not_grow_with_its_waiters() -> None:
    """Each of a hundred waiters sees the load's frames and its own."""
    flight, origin = Flight(), Origin(ConnectionError("down"))
    errors = await results(await start(*(flight.do(1, origin) for _ in range(100))))
    assert len(traceback.extract_tb(errors[0].__traceback__)) < 10


@pytest.mark.parametrize("own", [None, KeyError("of the load")], ids=["alone", "with a context of its own"])
@in_virtual_time
async def test_an_error_carries_nothing_from_one_caller_to_another(own: Exception | None) -> None:
    """Callers that handle an error of their own when they ask leave it out. What the load was handling stays."""

    async def load(key: int) -> None:
        await asyncio.sleep(1.0)
        try:
            if own is not None:
                raise own
        finally:
            raise ConnectionError("down")

    async def call(number: int) -> tuple[Any, int]:
        try:
            raise ValueError(f"a secret of caller {number}")
        except ValueError:
            try:
                await flight.do(1, load)
            except ConnectionError as error:
                return error.__context__, len(traceback.extract_tb(error.__traceback__))
        raise AssertionError

    flight = Flight()
    assert await results(await start(*map(call, range(5)))) == [(own, 5)] * 5


def begin_at_once(coroutine: Coroutine[Any, Any, Any], **_: Any) -> asyncio.Future[Any]:
    """A task for a coroutine that never waits, as an eager task: it has run to its end when this call returns."""
    ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    try:
        coroutine.send(None)
    except StopIteration as end:
        ended.set_result(end.value)
    except BaseException as error:
        ended.set_exception(error)
    return ended


def chained(error: BaseException | None) -> list[BaseException]:
    """The error, what it was raised from, what was being handled at that time, and so on."""
    return [] if error is None else [error, *chained(error.__cause__), *chained(error.__context__)]


@pytest.mark.parametrize("own", [None, KeyError("of the load")], ids=["alone", "with a context of its own"])
@pytest.mark.parametrize("raised", [ConnectionError("down"), asyncio.CancelledError()], ids=["an error", "cancelled"])
@in_virtual_time
async def test_an_eager_load_that_fails_at_once_carries_nothing_of_its_first_caller(
    raised: BaseException, own: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An eager task begins inside the call that makes it, where its caller may be handling an error."""
    raised.__context__ = None

    async def load(key: int) -> None:
        try:
            if own is not None:
                raise own
        finally:
            raise raised

    monkeypatch.setattr(asyncio.get_running_loop(), "create_task", begin_at_once)
    flight, secret, found = Flight(), ValueError("a secret of the caller"), list[BaseException]()
    try:
        raise secret
    except ValueError:
        try:
            await flight.do(1, load)
        except Exception as error:
            found = chained(error)
    frames = [frame for each in found for frame, _ in traceback.walk_tb(each.__traceback__)]
    assert not any(secret in frame.f_locals.values() for frame in frames if frame.f_globals["__name__"] != __name__)
    ended = [raised] if isinstance(raised, Exception) else [found[0], raised]
    assert isinstance(found[0], ConnectionError | LoadAbandoned)
    assert found == ended + ([] if own is None else [own])


@in_virtual_time
async def test_an_error_is_freed_with_its_last_reference() -> None:
    """No reference cycle keeps it, and the frames in its traceback, until the garbage collector runs."""

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
        freed = await call()
        await asyncio.sleep(1.0)
        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("number", [0, 1], ids=["the first caller", "another caller"])
@in_virtual_time
async def test_cancelling_a_caller_harms_no_other(number: int) -> None:
    """The others get their answer at the same time, from the same load."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(1, origin) for _ in range(3)))
    tasks[number].cancel()
    answers = await results(tasks)
    assert isinstance(answers.pop(number), asyncio.CancelledError)
    assert (answers, origin.calls, now()) == (["value"] * 2, 1, 1.0)


@in_virtual_time
async def test_a_load_outlives_all_its_callers() -> None:
    """When all of them are cancelled it still runs to its end, and meanwhile a new caller joins it."""
    flight, origin = Flight(), Origin()
    for task in await start(*(flight.do(1, origin) for _ in range(3))):
        task.cancel()
    await asyncio.sleep(0.5)
    assert await flight.do(1, origin) == "value"
    assert (origin.calls, origin.ended, now()) == (1, 1, 1.0)


@in_virtual_time
async def test_a_load_is_not_lost_to_the_garbage_collector() -> None:
    """The flight holds its tasks, even those of forgotten loads: a loop holds tasks only weakly."""
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
    await results([task])
    del task
    gc.collect()
    waits = resume[0]()
    assert waits is not None
    assert ended == []
    waits.set_result(None)
    await asyncio.sleep(0.1)
    assert ended == [1]


@in_virtual_time
async def test_a_cancelled_caller_of_a_hanging_load_is_not_kept() -> None:
    """A load that hangs does not collect the futures of callers that were cancelled."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(1, origin) for _ in range(100)))
    for task in tasks:
        task.cancel()
    await results(tasks)
    assert len(flight._calls[1].waiters) == 0


@in_virtual_time
async def test_after_a_forget_no_caller_joins_the_old_load() -> None:
    """The next caller starts a new load. The callers that wait already get the old load's answer."""
    flight, old, new = Flight(), Origin("old"), Origin("new")
    early = await start(flight.do(1, old))
    flight.forget(1)
    late = await start(flight.do(1, new))
    assert await results(early + late) == ["old", "new"]


@pytest.mark.parametrize("answer", ["old", ConnectionError("down")], ids=["that ends", "that fails"])
@in_virtual_time
async def test_an_old_load_leaves_the_newer_one_alone(answer: Any) -> None:
    """When a forgotten load has ended, callers still join the newer one."""
    flight, old, new = Flight(), Origin(answer), Origin("new")
    early = await start(flight.do(1, old))
    flight.forget(1)
    await asyncio.sleep(0.5)
    late = await start(flight.do(1, new))
    await results(early)
    assert await flight.do(1, new) == "new"
    assert (await results(late), new.calls) == (["new"], 1)


@in_virtual_time
async def test_forgetting_a_key_that_is_not_in_flight_does_nothing() -> None:
    """A delete may come for a key that is not being loaded."""
    Flight().forget(1)


@in_virtual_time
async def test_key_in_flight_tells_whether_a_caller_will_start_the_load() -> None:
    """From this a cache knows its outcome: miss or collapsed."""
    flight, origin = Flight(), Origin()
    starts: list[bool] = []

    async def call() -> None:
        starts.append(1 not in flight)
        await flight.do(1, origin)

    await results(await start(*(call() for _ in range(10))))
    assert starts == [True] + [False] * 9


@in_virtual_time
async def test_a_flight_without_loads_is_true() -> None:
    """`if flight:` asks whether there is a flight, not whether it has loads."""
    assert bool(Flight())


@in_virtual_time
async def test_the_flight_counts_its_keys() -> None:
    """Two keys are in flight, then none."""
    flight, origin = Flight(), Origin()
    tasks = await start(*(flight.do(key, origin) for key in (1, 1, 2)))
    assert len(flight) == 2
    await results(tasks)
    assert len(flight) == 0


@in_virtual_time
async def test_a_load_that_cancels_itself_cancels_no_caller() -> None:
    """Its callers get `LoadAbandoned`. They could not tell a CancelledError from a cancellation of their own."""
    flight = Flight()

    async def load(key: int) -> None:
        await asyncio.sleep(1.0)
        raise asyncio.CancelledError

    callers = await start(*(flight.do(1, load) for _ in range(2)))
    assert [type(error) for error in await results(callers)] == [LoadAbandoned] * 2
    assert not any(caller.cancelled() for caller in callers)
    assert len(flight) == 0
    assert issubclass(LoadAbandoned, CacheError)


@pytest.mark.parametrize("how", ["by itself", "before it began", "by closing"])
@in_virtual_time
async def test_an_abandoned_load_says_what_ended_it(how: str) -> None:
    """The cancellation is the cause of `LoadAbandoned`, with its message."""
    flight = Flight()

    async def load(key: int) -> None:
        await asyncio.sleep(1.0)
        raise asyncio.CancelledError("by itself")

    caller = asyncio.ensure_future(flight.do(1, load))
    if how == "before it began":
        asyncio.get_running_loop().call_soon(lambda: [task.cancel(how) for task in flight._tasks])
    elif how == "by closing":
        await asyncio.sleep(0.5)
        await flight.aclose()
        how = "The flight was closed."
    (error,) = await results([caller])
    assert (type(error), repr(error.__cause__)) == (LoadAbandoned, f"CancelledError({how!r})")


@in_virtual_time
async def test_a_flight_belongs_to_one_cache() -> None:
    """Two caches with one flight would give one the other's values: the second one is refused with the reason."""
    flight = Flight()
    Cache(MemoryStore(1), Origin(), ttl=1.0, flight=flight, name="users")
    with pytest.raises(ValueError, match="belongs to the cache 'users': build another one for 'orders'"):
        Cache(MemoryStore(1), Origin(), ttl=1.0, flight=flight, name="orders")


@in_virtual_time
async def test_a_load_whose_task_is_cancelled_cancels_no_caller() -> None:
    """For example, because every task of the loop is cancelled before the load has begun."""
    flight, origin = Flight(), Origin()
    caller = asyncio.ensure_future(flight.do(1, origin))
    asyncio.get_running_loop().call_soon(lambda: [task.cancel() for task in flight._tasks])
    assert [type(error) for error in await results([caller])] == [LoadAbandoned]
    assert (origin.ended, origin.under_way, len(flight)) == (0, 0, 0)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_load_stops_the_loop_and_releases_the_waiters(interrupt: type[BaseException]) -> None:
    """The interrupt leaves the loop as usual. If the loop goes on, no waiter raises it a second time."""

    async def load(key: int) -> None:
        await asyncio.sleep(0)
        raise interrupt

    async def main() -> None:
        flight = Flight()
        callers.extend(await start(flight.do(1, load), flight.do(1, load)))
        await results(callers)

    callers: list[asyncio.Task[Any]] = []
    loop = asyncio.new_event_loop()
    reported: list[Any] = []
    loop.set_exception_handler(lambda loop, context: reported.append(context["message"]))
    main_task = loop.create_task(main())
    with pytest.raises(interrupt):
        loop.run_until_complete(main_task)
    loop.run_until_complete(main_task)
    assert [type(caller.exception()) for caller in callers] == [LoadAbandoned] * 2
    assert [type(caller.exception().__cause__) for caller in callers] == [interrupt] * 2  # type: ignore[union-attr]
    gc.collect()
    assert reported == []
    loop.close()


@in_virtual_time
async def test_closing_cancels_every_load_and_waits_for_it() -> None:
    """Even for forgotten loads. When `aclose` returns, their clean-up has ended and their waiters have an error."""
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
    assert [type(error) for error in await results(callers)] == [LoadAbandoned] * 3


@in_virtual_time
async def test_a_closed_flight_starts_nothing() -> None:
    """A caller that tries again gets an error. Closing twice is no error."""
    flight, origin = Flight(), Origin()
    await flight.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await flight.do(1, origin)
    flight.start(1, origin)
    await flight.aclose()
    await asyncio.sleep(0)
    assert (origin.calls, len(flight)) == (0, 0)


@in_virtual_time
async def test_a_close_that_is_cancelled_has_cancelled_the_loads() -> None:
    """Only the wait for their end was cut short. A second close waits for it."""
    ended: list[float] = []

    async def load(key: int) -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            await asyncio.sleep(2.0)
            ended.append(now())

    flight = Flight()
    (caller,) = await start(flight.do(1, load))
    (closing,) = await start(flight.aclose())
    await asyncio.sleep(1.0)
    closing.cancel()
    assert isinstance((await results([closing]))[0], asyncio.CancelledError)
    await flight.aclose()
    assert (ended, now(), type((await results([caller]))[0])) == ([2.0], 2.0, LoadAbandoned)


@in_virtual_time
async def test_a_started_load_is_joined_and_not_started_twice() -> None:
    """`start` waits for nothing. While the load runs, another `start` does nothing, and a caller joins it."""
    flight, origin = Flight(), Origin()
    for _ in range(3):
        flight.start(1, origin)
    assert (now(), len(flight), await flight.do(1, origin), origin.calls, now()) == (0.0, 1, "value", 1, 1.0)


@in_virtual_time
async def test_the_error_of_a_started_load_is_dropped() -> None:
    """Nobody waits for it, and the loop's exception handler is not called. The next load is a new one."""
    reported = collect_reports()
    flight, origin = Flight(), Origin(ConnectionError("down"))
    flight.start(1, origin)
    await asyncio.sleep(2.0)
    gc.collect()
    origin.answer = "value"
    assert (await flight.do(1, origin), origin.calls, reported) == ("value", 2, [])


@in_virtual_time
async def test_a_load_costs_a_task_and_each_caller_a_future(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else that the loop has to keep, however many callers wait."""
    loop: Any = asyncio.get_running_loop()
    made: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        def create(*args: Any, **options: Any) -> Any:
            made.append(name)
            return create_as_before(*args, **options)

        create_as_before = getattr(loop, name)
        return create

    flight, answer = Flight(), loop.create_future()
    tasks = [asyncio.Task(flight.do(1, lambda key: answer), loop=loop) for _ in range(10)]
    for name in ("create_task", "create_future"):
        monkeypatch.setattr(loop, name, counted(name))
    await asyncio.sleep(0)
    assert (made.count("create_task"), made.count("create_future"), len(made)) == (1, 10, 11)
    answer.set_result("value")
    assert await results(tasks) == ["value"] * 10


@in_virtual_time
async def test_the_key_is_not_kept() -> None:
    """It is free after an answer, and after an error."""

    class Key:
        pass

    async def fail(key: Key) -> None:
        raise ConnectionError

    async def answer(key: Key) -> str:
        return "value"

    flight, keys = Flight(), [Key(), Key()]
    watched = [weakref.ref(key) for key in keys]
    await flight.do(keys[0], answer)
    with pytest.raises(ConnectionError):
        await flight.do(keys[1], fail)
    keys.clear()
    await asyncio.sleep(0)
    gc.collect()
    assert [key() for key in watched] == [None, None]


@pytest.mark.parametrize("method", ["do", "start"])
@in_virtual_time
async def test_a_load_sees_no_context_variable_of_a_caller(method: str) -> None:
    """A tenant or a session in a context variable does not leak to those that share the load, nor does the load's."""
    flight, seen = Flight(), list[str]()

    async def load(key: int) -> None:
        seen.append(caller_name.get())
        caller_name.set("the load")
        await asyncio.sleep(1.0)

    async def call(name: str) -> str:
        caller_name.set(name)
        if method == "start":
            flight.start(1, load)
        await flight.do(1, load)
        return caller_name.get()

    assert await results(await start(call("first"), call("second"))) == ["first", "second"]
    assert seen == [""]


@in_virtual_time
async def test_a_flight_can_be_given_the_context_of_its_loads() -> None:
    """Each load starts with a copy of it, so that none sees what another has set."""
    seen: list[str] = []

    async def load(key: int) -> None:
        seen.append(caller_name.get())
        caller_name.set("the load")

    given = copy_context()
    given.run(caller_name.set, "given")
    flight = Flight(context=given)
    caller_name.set("the caller")
    await flight.do(1, load)
    await flight.do(2, load)
    assert (seen, given[caller_name], caller_name.get()) == (["given"] * 2, "given", "the caller")


@in_virtual_time
async def test_a_load_sees_a_carried_variable_of_its_first_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the lab carries the number of the request. Where the caller has not set it, the load sees the default."""
    monkeypatch.setattr("cachelab.flight._carried", [])
    number: ContextVar[str] = carry(ContextVar("number", default="none"))

    async def load(key: int) -> str:
        return number.get()

    async def call(key: int) -> str:
        number.set(f"request {key}")
        return await flight.do(key, load)

    flight = Flight()
    assert await results(await start(call(1), call(2), flight.do(3, load))) == ["request 1", "request 2", "none"]


async def fails_at_once(key: int) -> None:
    """A load without an `await`."""
    raise ConnectionError("down")


def raises_at_once(key: int) -> Any:
    """A function that raises before it returns a coroutine."""
    raise ConnectionError("down")


@pytest.mark.parametrize("load", [fails_at_once, raises_at_once, str])
@in_virtual_time
async def test_a_load_that_fails_at_once_gives_every_caller_its_error(load: Any) -> None:
    """It raises before its first `await`, or is no async function. Each caller gets the error, and nothing is left."""
    flight = Flight()
    errors = await results(await start(flight.do(1, load), flight.do(1, load)))
    assert [type(error) for error in errors] == [TypeError if load is str else ConnectionError] * 2
    assert len(flight) == 0


@pytest.mark.parametrize("by", ["itself", "a task of its own"])
@in_virtual_time
async def test_a_load_that_asks_for_its_own_key_gets_an_error(by: str) -> None:
    """Otherwise it would wait for itself for ever."""
    flight = Flight()

    async def load(key: int) -> Any:
        again = flight.do(key, load)
        return await (again if by == "itself" else asyncio.create_task(again))

    with pytest.raises(RuntimeError, match="asks for 1 itself"):
        await flight.do(1, load)
    assert len(flight) == 0


@pytest.mark.parametrize("flights", [1, 2], ids=["one flight", "two flights"])
@pytest.mark.parametrize("keys", [2, 3])
@in_virtual_time
async def test_a_load_that_asks_for_its_own_key_by_way_of_others_gets_an_error(keys: int, flights: int) -> None:
    """0 waits for 1, and so on, and the last one for 0. All get the last one's error, and nothing hangs."""
    chain = [Flight() for _ in range(flights)]

    async def load(key: int) -> Any:
        await asyncio.sleep(1.0)
        following = (key + 1) % keys
        return await chain[following % flights].do(following, load)

    with pytest.raises(RuntimeError, match=f"The load of {keys - 1} asks for {keys - 1} by way of 0: it would wait"):
        await chain[0].do(0, load)
    assert sum(map(len, chain)) == 0


@in_virtual_time
async def test_two_loads_that_wait_for_each_other_get_an_error() -> None:
    """Two callers have started them. The load that asks last gets the error, and the other one gets it from there."""
    users, orders = Flight(), Flight()

    async def load_user(key: int) -> Any:
        await asyncio.sleep(1.0)
        return await orders.do(key, load_order)

    async def load_order(key: int) -> Any:
        await asyncio.sleep(2.0)
        return await asyncio.gather(users.do(2, load_well), users.do(key, load_user))

    async def load_well(key: int) -> str:
        return "well"

    errors = await results(await start(users.do(1, load_user), orders.do(1, load_order)))
    assert [str(error) for error in errors] == [
        "The load of 1 asks for 1 by way of 1: it would wait for its own end."
    ] * 2
    await asyncio.sleep(1.0)
    assert (len(users), len(orders)) == (0, 0)


@in_virtual_time
async def test_a_load_that_no_longer_waits_is_in_no_circle() -> None:
    """1 has waited for 2 and given up. Then 2 may ask for 1, and both end."""
    flight = Flight()

    async def load(key: int) -> Any:
        if key == 2:
            await asyncio.sleep(2.0)
            return await flight.do(1, load)
        try:
            async with asyncio.timeout(1.0):
                return await flight.do(2, load)
        except TimeoutError:
            await asyncio.sleep(2.0)
            return "without 2"

    (first,) = await start(flight.do(1, load))
    await asyncio.sleep(1.5)
    assert await flight.do(2, load) == await first == "without 2"
    await asyncio.sleep(1.0)
    assert (len(flight), len(flight._tasks)) == (0, 0)


@in_virtual_time
async def test_loads_may_share_what_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many paths that lead to one load are no circle. Each load on them is looked at once, each time that one waits."""
    flight, origin, looked_at = Flight(), Origin(1), list[Any]()

    class Seen(_Call):
        def __hash__(self) -> int:
            looked_at.append(self.key)
            return id(self)

    monkeypatch.setattr("cachelab.flight._Call", Seen)

    async def load(level: int) -> int:
        below = origin if level == 1 else load
        await asyncio.sleep(0.01 * level)  # so that the level below waits already
        return sum(await asyncio.gather(*(flight.do(level - 1, below) for _ in range(3))))

    for level in range(1, 8):
        flight.start(level, load)
    assert await flight.do(8, load) == 3**8
    assert (origin.calls, len(looked_at) < 8 * 3 * 8 * 4) == (1, True)  # not 3**8: as many as there are paths


@in_virtual_time
async def test_a_task_that_outlives_its_load_may_load_the_key() -> None:
    """Once the load that started the task has ended, the task does not wait for itself."""
    flight, origin = Flight(), Origin()
    left: list[asyncio.Task[Any]] = []

    async def later() -> Any:
        await asyncio.sleep(1.0)
        return await flight.do(1, origin)

    async def load(key: int) -> None:
        left.append(asyncio.create_task(later()))

    await flight.do(1, load)
    assert await results(left) == ["value"]


@in_virtual_time
async def test_an_error_without_waiters_is_not_reported() -> None:
    """If all callers were cancelled, the loop's exception handler is not called."""
    reported = collect_reports()
    flight, origin = Flight(), Origin(ConnectionError("down"))
    (caller,) = await start(flight.do(1, origin))
    caller.cancel()
    await results([caller])
    await asyncio.sleep(2.0)
    gc.collect()
    assert (origin.ended, reported) == (1, [])


@pytest.mark.parametrize("turns", [0, 1, 2, 3], ids=lambda turns: f"{turns} turns later")
@pytest.mark.parametrize("answer", ["value", ConnectionError("down")], ids=["that ends", "that fails"])
@in_virtual_time
async def test_cancelling_a_caller_as_its_load_ends_harms_no_other(answer: Any, turns: int) -> None:
    """Whichever comes first, the answer or the cancellation, the other caller is answered, and nothing is reported."""
    reported = collect_reports()
    flight, call_soon = Flight(), asyncio.get_running_loop().call_soon

    async def load(key: int) -> Any:
        await asyncio.sleep(1.0)
        cancel: Callable[[], Any] = cancelled.cancel
        for _ in range(turns):
            cancel = partial(call_soon, cancel)
        call_soon(cancel)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cancelled, other = await start(flight.do(1, load), flight.do(1, load))
    assert (await results([cancelled, other]))[1] is answer
    await asyncio.sleep(1.0)
    gc.collect()
    assert (reported, len(flight), len(flight._tasks)) == ([], 0, 0)


@pytest.mark.parametrize("call", ["do", "start", "aclose"])
def test_a_flight_whose_loop_was_closed_starts_anew(call: str) -> None:
    """The loop died with a load under way. In the next loop nobody joins it, and closing does not wait for it."""
    flight = Flight()

    async def load(key: int) -> str:
        await asyncio.sleep(0.001)
        return "value"

    async def in_the_next_loop() -> Any:
        if call == "aclose":
            return await asyncio.wait_for(flight.aclose(), 5.0)
        if call == "start":
            flight.start(1, load)
        return await asyncio.wait_for(flight.do(1, load), 5.0)

    dead = asyncio.new_event_loop()
    task = dead.create_task(flight.do(1, load))
    dead.run_until_complete(asyncio.sleep(0))
    (of_load,) = flight._tasks
    dead.close()
    left: list[Any] = [task, of_load]
    for each in left:
        each._log_destroy_pending = False
    assert asyncio.run(in_the_next_loop()) == (None if call == "aclose" else "value")
    assert (len(flight), len(flight._tasks)) == (0, 0)


def test_a_flight_with_loads_on_one_loop_refuses_another() -> None:
    """A load cannot wake callers on another loop. Without loads, a flight goes with its caller from loop to loop."""
    flight, origin = Flight(), Origin(load_time_s=0.0)
    assert [asyncio.run(flight.do(1, origin)) for _ in range(2)] == ["value"] * 2
    loop = asyncio.new_event_loop()
    origin.load_time_s = 0.01
    task = loop.create_task(flight.do(1, origin))
    loop.run_until_complete(asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="has loads on another event loop: build one inside each loop"):
        asyncio.run(flight.do(1, origin))
    assert loop.run_until_complete(task) == "value"
    loop.close()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("waits", [False, True])
def test_eager_tasks_are_no_different(waits: bool) -> None:
    """An eager task runs, and may end, before it is returned. Each load runs once, and nothing is left."""
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


class Schedule:
    """Callers that come and are cancelled at random times, loads that take random times and may fail, and deletes.

    `version`    of each of the two keys: a load returns the one it has read, or None, or raises `error`
    `loading`    how many loads of each key are under way
    `forgotten`  how often each key was forgotten
    `wrong`      a sentence for each rule that was broken
    """

    def __init__(self, seed: int) -> None:
        self.chance, self.flight, self.error = Random(seed), Flight(), ConnectionError("down")
        self.version, self.loading, self.forgotten = [0, 0], [0, 0], [0, 0]
        self.wrong: list[str] = []

    async def load(self, key: int) -> int | None:
        version = self.version[key]
        self.loading[key] += 1
        if self.loading[key] > 1 + self.forgotten[key]:
            self.wrong.append("two loads at once")
        try:
            await asyncio.sleep(self.chance.choice([0.0, 0.5, self.chance.random()]))
        finally:
            self.loading[key] -= 1
        kind = self.chance.random()
        if kind < 0.2:
            raise self.error
        return None if kind < 0.3 else version

    async def call(self, key: int) -> None:
        await asyncio.sleep(self.chance.choice([0.0, 0.5, 2 * self.chance.random()]))
        least = self.version[key]
        try:
            value = await self.flight.do(key, self.load)
        except ConnectionError as raised:
            if raised is not self.error:
                self.wrong.append("another error")
        else:
            if value is not None and value < least:
                self.wrong.append("joined a load from before the delete")

    async def delete(self, key: int) -> None:
        await asyncio.sleep(2 * self.chance.random())
        self.version[key] += 1
        self.forgotten[key] += 1
        self.flight.forget(key)

    async def run(self) -> list[str]:
        """Twelve callers and two deletes; then what was wrong, and what the loop has reported."""
        chance, reported = self.chance, collect_reports()
        callers = [asyncio.create_task(self.call(chance.randrange(2))) for _ in range(12)]
        cancelled = [caller for caller in callers if chance.random() < 0.4]
        for caller in cancelled:
            asyncio.get_running_loop().call_later(chance.choice([0.0, 0.5, 1.0, 3 * chance.random()]), caller.cancel)
        await asyncio.wait([*callers, *(asyncio.create_task(self.delete(chance.randrange(2))) for _ in range(2))])
        for caller in callers:
            if caller.cancelled() and caller not in cancelled:
                self.wrong.append("a caller was cancelled by something else")
            if not caller.cancelled() and caller.exception():
                self.wrong.append(repr(caller.exception()))
        await asyncio.sleep(3.0)  # loads whose callers were all cancelled
        if len(self.flight) or self.flight._tasks or any(self.loading):
            self.wrong.append("something is left")
        return self.wrong + reported


async def run_schedules(count: int) -> list[str]:
    """What was wrong in so many schedules."""
    return [sentence for seed in range(count) for sentence in await Schedule(seed).run()]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
@in_virtual_time
async def test_no_random_schedule_breaks_a_rule(count: int) -> None:
    """No caller is harmed, no value is stale, each key has one load, the loop reports nothing, and nothing is left."""
    assert await run_schedules(count) == []
    gc.collect()
