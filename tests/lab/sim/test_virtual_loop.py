"""Virtual time: the clock, the parts of asyncio that work in it, deadlocks, and what is left at the end."""

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from cachelab.lab.sim.simulation import run
from cachelab.lab.sim.virtual_loop import Deadlock
from tests.support.fakes import in_virtual_time, now
from tests.support.scenarios import BOTH_WAYS, Scenario, failing_after


@in_virtual_time
async def test_time_jumps_to_the_next_timer() -> None:
    """A sleep of an hour and a quarter of a second ends exactly then."""
    await asyncio.sleep(3600.25)
    assert now() == 3600.25


@in_virtual_time
async def test_time_stands_still_while_anything_can_run() -> None:
    """Work takes no virtual time, however many turns of the event loop it needs."""
    sleeper = asyncio.create_task(asyncio.sleep(1.0))
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert (now(), sleeper.done()) == (0.0, False)


@in_virtual_time
async def test_equal_timers_fire_in_the_order_in_which_they_were_set() -> None:
    """Ten tasks that wake at the same instant wake in the order in which they went to sleep."""
    woken: list[int] = []

    async def sleeper(number: int) -> None:
        await asyncio.sleep(1.0)
        woken.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(10)))
    assert woken == list(range(10))


@in_virtual_time
async def test_a_timer_of_an_earlier_time_fires_earlier() -> None:
    """Timers fire in order of their times, in whichever order they were set."""
    woken: list[float] = []
    for delay in (3.0, 1.0, 2.0):
        asyncio.get_running_loop().call_later(delay, lambda: woken.append(now()))
    await asyncio.sleep(4.0)
    assert woken == [1.0, 2.0, 3.0]


@in_virtual_time
async def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    """A time-out that was not needed has no effect on the time."""
    async with asyncio.timeout(60.0):
        await asyncio.sleep(1.0)
    await asyncio.sleep(1.0)
    assert now() == 2.0


@in_virtual_time
async def test_a_timer_in_the_past_fires_now() -> None:
    """The clock never goes back."""
    await asyncio.sleep(5.0)
    woken = asyncio.Event()
    asyncio.get_running_loop().call_at(1.0, woken.set)
    await woken.wait()
    assert now() == 5.0


@in_virtual_time
async def test_tasks_are_numbered() -> None:
    """The names of tasks are the same in every run, whatever other loops have done before."""
    tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
    assert [task.get_name() for task in tasks] == ["task 000002", "task 000003"]


async def with_timeout() -> str:
    try:
        async with asyncio.timeout(2.0):
            await asyncio.Event().wait()
    except TimeoutError:
        return f"gave up at {now()}"
    return "waited for ever"


async def with_wait_for() -> str:
    try:
        await asyncio.wait_for(asyncio.sleep(9.0), 2.0)
    except TimeoutError:
        return f"gave up at {now()}"
    return "waited for ever"


async def with_gather() -> str:
    answers = await asyncio.gather(*(asyncio.sleep(delay, delay) for delay in (3.0, 1.0, 2.0)))
    return f"{answers} at {now()}"


async def with_task_group() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(9.0))
            group.create_task(failing_after(1.0))
    except ExceptionGroup:
        return f"the other was cancelled at {now()}"
    return "nothing happened"


async def with_semaphore() -> str:
    two_at_a_time = asyncio.Semaphore(2)

    async def visit() -> float:
        async with two_at_a_time:
            await asyncio.sleep(1.0)
            return now()

    return f"served at {await asyncio.gather(*(visit() for _ in range(5)))}"


async def with_event() -> str:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(3.0, event.set)
    await event.wait()
    return f"set at {now()}"


async def with_queue() -> str:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def produce() -> None:
        for number in range(3):
            await queue.put(number)
            await asyncio.sleep(1.0)

    producer = asyncio.create_task(produce())
    got = [await queue.get() for _ in range(3)]
    await producer
    return f"{got} at {now()}"


async def with_condition() -> str:
    condition, ready = asyncio.Condition(), []

    async def notify() -> None:
        await asyncio.sleep(2.0)
        async with condition:
            ready.append(True)
            condition.notify_all()

    notifier = asyncio.create_task(notify())
    async with condition:
        await condition.wait_for(lambda: ready)
    await notifier
    return f"notified at {now()}"


async def with_shield() -> str:
    work = asyncio.create_task(asyncio.sleep(5.0, "done"))
    try:
        await asyncio.wait_for(asyncio.shield(work), 1.0)
    except TimeoutError:
        return f"gave up at {now()}, {await work} at {now()}"
    return "waited"


async def with_async_generator() -> str:
    async def ticks() -> AsyncGenerator[float, None]:
        for _ in range(3):
            await asyncio.sleep(1.0)
            yield now()

    return f"{[tick async for tick in ticks()]}"


@pytest.mark.parametrize(
    ("scenario", "result"),
    [
        (with_timeout, "gave up at 2.0"),
        (with_wait_for, "gave up at 2.0"),
        (with_gather, "[3.0, 1.0, 2.0] at 3.0"),
        (with_task_group, "the other was cancelled at 1.0"),
        (with_semaphore, "served at [1.0, 1.0, 2.0, 2.0, 3.0]"),
        (with_event, "set at 3.0"),
        (with_queue, "[0, 1, 2] at 3.0"),
        (with_condition, "notified at 2.0"),
        (with_shield, "gave up at 1.0, done at 5.0"),
        (with_async_generator, "[1.0, 2.0, 3.0]"),
    ],
)
@BOTH_WAYS
def test_asyncio_works_as_on_any_loop(play: Callable[[Scenario], Any], scenario: Scenario, result: str) -> None:
    """Time-outs, groups, locks and queues do what they do on any loop, at the exact virtual time."""
    assert play(scenario) == result


@in_virtual_time
async def test_threads_are_refused() -> None:
    """A thread would bring in real time, so it is refused with a sentence that says what to do."""
    with pytest.raises(NotImplementedError, match="no threads in virtual time: call the function directly"):
        await asyncio.to_thread(time.monotonic)


async def waiting_for_ever() -> None:
    await asyncio.Event().wait()


@BOTH_WAYS
def test_a_deadlock_names_each_task_and_the_line_where_it_waits(play: Callable[[Scenario], Any]) -> None:
    """The call raises an error instead of hanging, and the message has the line of each task."""

    async def scenario() -> None:
        other = asyncio.create_task(waiting_for_ever(), name="the other")
        await other

    with pytest.raises(Deadlock) as raised:
        play(scenario)
    line = waiting_for_ever.__code__.co_firstlineno + 1
    assert f"task 000001 in scenario, line {line + 9}, the other in waiting_for_ever, line {line})" in str(raised.value)


@BOTH_WAYS
def test_a_deadlock_cleans_up(play: Callable[[Scenario], Any]) -> None:
    """The tasks that wait for ever are cancelled, so their `finally` blocks run."""
    done: list[str] = []

    async def scenario() -> None:
        try:
            await waiting_for_ever()
        finally:
            done.append("cleaned up")

    with pytest.raises(Deadlock):
        play(scenario)
    assert done == ["cleaned up"]


@BOTH_WAYS
def test_what_still_runs_at_the_end_is_cancelled(play: Callable[[Scenario], Any]) -> None:
    """A background task does not outlive the scenario, and its `finally` block runs."""
    done: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            done.append("cleaned up")

    async def scenario() -> None:
        done.append("started")
        scenario.task = asyncio.create_task(background())  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)

    play(scenario)
    assert done == ["started", "cleaned up"]


@BOTH_WAYS
def test_a_clean_up_may_take_its_virtual_time(play: Callable[[Scenario], Any]) -> None:
    """A `finally` block may await for any number of virtual seconds and is not cut short."""
    done: list[float] = []

    async def background() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(5.0)
            done.append(now())

    async def scenario() -> None:
        scenario.task = asyncio.create_task(background())  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)

    play(scenario)
    assert done == [6.0]


async def one_then(done: list[str]) -> AsyncGenerator[int, None]:
    """An async generator that has something to do when it is closed."""
    try:
        yield 1
    finally:
        await asyncio.sleep(1.0)
        done.append("closed")


async def left_early(done: list[str]) -> None:
    async for _ in one_then(done):
        break
    await asyncio.sleep(2.0)


async def left_early_at_the_end(done: list[str]) -> None:
    async for _ in one_then(done):
        break


async def held_to_the_end(done: list[Any]) -> None:
    done.append(one_then(done))
    await anext(done[0])


@pytest.mark.parametrize("scenario", [left_early, left_early_at_the_end, held_to_the_end])
@BOTH_WAYS
def test_async_generators_are_closed(play: Callable[[Scenario], Any], scenario: Callable[[Any], Any]) -> None:
    """A generator that was not exhausted is closed before the simulation ends, as `asyncio.run` does."""
    done: list[Any] = []
    play(lambda: scenario(done))
    assert done[-1:] == ["closed"]


@pytest.mark.long
@BOTH_WAYS
def test_a_task_that_refuses_to_be_cancelled_does_not_hang_the_end(
    play: Callable[[Scenario], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The task is abandoned after about a second, and Python reports it."""
    played: list[asyncio.Task[None]] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                continue

    async def scenario() -> None:
        played.append(asyncio.create_task(stubborn()))
        await asyncio.sleep(1.0)

    play(scenario)
    played.clear()
    gc.collect()
    assert "Task was destroyed but it is pending" in capsys.readouterr().err


@BOTH_WAYS
def test_an_error_that_is_never_retrieved_is_reported(
    play: Callable[[Scenario], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of a background task is not lost: it is printed to stderr."""

    async def scenario() -> None:
        task = asyncio.create_task(failing_after(1.0))
        await asyncio.sleep(2.0)
        del task

    play(scenario)
    gc.collect()
    assert capsys.readouterr().err == "In the simulation: Task exception was never retrieved LookupError: \n"


@BOTH_WAYS
def test_an_error_in_a_callback_is_reported(
    play: Callable[[Scenario], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A callback has no caller that could receive its error. It is printed, and the simulation goes on."""

    def callback() -> None:
        raise ZeroDivisionError("in the callback")

    async def scenario() -> float:
        asyncio.get_running_loop().call_later(1.0, callback)
        await asyncio.sleep(2.0)
        return now()

    assert (play(scenario), "ZeroDivisionError: in the callback" in capsys.readouterr().err) == (2.0, True)


def test_the_clock_of_an_ended_simulation_says_so() -> None:
    """Outside its scenario, reading the clock raises an error that says what to do."""

    async def scenario() -> Callable[[], float]:
        return asyncio.get_running_loop().time

    with pytest.raises(RuntimeError, match="This simulation has ended: build caches and stores inside the scenario"):
        run(scenario)()
