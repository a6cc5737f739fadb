"""Virtual time: the clock, the parts of asyncio that work in it, deadlocks, interrupts, and what is left at the end."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cachelab.lab.sim import simulation
from cachelab.lab.sim.simulation import run, simulate
from cachelab.lab.sim.virtual_loop import Deadlock
from tests.support.fakes import in_virtual_time, now

Scenario = Callable[[], Coroutine[Any, Any, Any]]


def in_a_notebook(scenario: Scenario) -> Any:
    """What a cell with `await simulate(scenario)` gives."""
    return asyncio.run(simulate(scenario))


BOTH_WAYS = pytest.mark.parametrize("play", [run, in_a_notebook])

# The clock


@in_virtual_time
async def test_time_jumps_to_the_next_timer() -> None:
    """An hour and a bit of sleep ends exactly then."""
    await asyncio.sleep(3600.25)
    assert now() == 3600.25


@in_virtual_time
async def test_time_stands_still_while_anything_can_run() -> None:
    """Work takes no virtual time, however many turns of the loop it needs."""
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
async def test_a_timer_that_is_due_earlier_fires_earlier() -> None:
    """The order of time goes before the order of setting."""
    woken: list[float] = []
    for delay in (3.0, 1.0, 2.0):
        asyncio.get_running_loop().call_later(delay, lambda: woken.append(now()))
    await asyncio.sleep(4.0)
    assert woken == [1.0, 2.0, 3.0]


@in_virtual_time
async def test_a_cancelled_timer_moves_no_clock() -> None:
    """A time-out that was not needed leaves no trace in the time."""
    async with asyncio.timeout(60.0):
        await asyncio.sleep(1.0)
    await asyncio.sleep(1.0)
    assert now() == 2.0


@in_virtual_time
async def test_a_moment_in_the_past_is_now() -> None:
    """Time never goes back."""
    await asyncio.sleep(5.0)
    woken = asyncio.Event()
    asyncio.get_running_loop().call_at(1.0, woken.set)
    await woken.wait()
    assert now() == 5.0


@in_virtual_time
async def test_tasks_are_numbered() -> None:
    """Names are the same in every run, whatever other loops have done before."""
    tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
    assert [task.get_name() for task in tasks] == ["task 000002", "task 000003"]


# What works in it


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

    return f"left at {await asyncio.gather(*(visit() for _ in range(5)))}"


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

    teller = asyncio.create_task(notify())
    async with condition:
        await condition.wait_for(lambda: ready)
    await teller
    return f"told at {now()}"


async def with_shield() -> str:
    work = asyncio.create_task(asyncio.sleep(5.0, "done"))
    try:
        await asyncio.wait_for(asyncio.shield(work), 1.0)
    except TimeoutError:
        return f"left at {now()}, {await work} at {now()}"
    return "waited"


async def with_async_generator() -> str:
    async def ticks() -> AsyncGenerator[float, None]:
        for _ in range(3):
            await asyncio.sleep(1.0)
            yield now()

    return f"{[tick async for tick in ticks()]}"


async def failing_after(delay: float) -> None:
    await asyncio.sleep(delay)
    raise LookupError


@pytest.mark.parametrize(
    ("scenario", "story"),
    [
        (with_timeout, "gave up at 2.0"),
        (with_wait_for, "gave up at 2.0"),
        (with_gather, "[3.0, 1.0, 2.0] at 3.0"),
        (with_task_group, "the other was cancelled at 1.0"),
        (with_semaphore, "left at [1.0, 1.0, 2.0, 2.0, 3.0]"),
        (with_event, "set at 3.0"),
        (with_queue, "[0, 1, 2] at 3.0"),
        (with_condition, "told at 2.0"),
        (with_shield, "left at 1.0, done at 5.0"),
        (with_async_generator, "[1.0, 2.0, 3.0]"),
    ],
)
@BOTH_WAYS
def test_asyncio_works_as_ever(play: Callable[[Scenario], Any], scenario: Scenario, story: str) -> None:
    """Time-outs, groups, locks and queues do what they do on any loop, to the instant."""
    assert play(scenario) == story


@BOTH_WAYS
def test_the_scenarios_error_is_raised(play: Callable[[Scenario], Any]) -> None:
    """An error of the scenario is an error of the call."""
    with pytest.raises(LookupError):
        play(lambda: failing_after(1.0))


def test_arguments_are_handed_on() -> None:
    """Both ways call the scenario with what follows it."""

    async def scenario(*args: int) -> tuple[int, ...]:
        return args

    assert (run(scenario, 1, 2), asyncio.run(simulate(scenario, 3, 4))) == ((1, 2), (3, 4))


@in_virtual_time
async def test_threads_are_refused() -> None:
    """A thread would bring a real clock in, so it is refused with a sentence that says what to do."""
    with pytest.raises(NotImplementedError, match="no threads in virtual time: call the function directly"):
        await asyncio.to_thread(time.monotonic)


# Deadlocks


async def waiting_for_ever() -> None:
    await asyncio.Event().wait()


@BOTH_WAYS
def test_a_deadlock_names_who_waits_and_where(play: Callable[[Scenario], Any]) -> None:
    """Instead of hanging, the call raises, and the message leads to the line of each task."""

    async def scenario() -> None:
        other = asyncio.create_task(waiting_for_ever(), name="the other")
        await other

    with pytest.raises(Deadlock) as raised:
        play(scenario)
    line = waiting_for_ever.__code__.co_firstlineno + 1
    assert f"task 000001 in scenario, line {line + 9}, the other in waiting_for_ever, line {line})" in str(raised.value)


@BOTH_WAYS
def test_a_deadlock_cleans_up(play: Callable[[Scenario], Any]) -> None:
    """The tasks that wait for ever are cancelled, so that their `finally` blocks run."""
    done: list[str] = []

    async def scenario() -> None:
        try:
            await waiting_for_ever()
        finally:
            done.append("cleaned up")

    with pytest.raises(Deadlock):
        play(scenario)
    assert done == ["cleaned up"]


# Loops in loops


def test_the_outer_loop_has_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long simulation does not block the notebook: its own tasks run between the slices."""
    monkeypatch.setattr(simulation, "SLICE_S", 1e-5)

    async def ticking() -> int:
        simulated = asyncio.create_task(simulate(long_scenario))
        ticks = 0
        while not simulated.done():
            ticks += 1
            await asyncio.sleep(0)
        return ticks

    async def long_scenario() -> None:
        for _ in range(1_000):
            await asyncio.sleep(1.0)

    assert asyncio.run(ticking()) > 10


def test_two_simulations_side_by_side_have_clocks_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cells' worth of simulation in one loop do not see each other's time."""
    monkeypatch.setattr(simulation, "SLICE_S", 1e-5)

    async def steps(length: float) -> float:
        for _ in range(100):
            await asyncio.sleep(length)
        return now()

    async def both() -> list[float]:
        return list(await asyncio.gather(simulate(steps, 1.0), simulate(steps, 2.0)))

    assert asyncio.run(both()) == [100.0, 200.0]


@BOTH_WAYS
def test_a_simulation_in_a_simulation_begins_at_zero(play: Callable[[Scenario], Any]) -> None:
    """The inner time is its own, and takes none of the outer."""

    async def inner() -> float:
        await asyncio.sleep(7.0)
        return now()

    async def outer() -> list[float]:
        await asyncio.sleep(3.0)
        return [await simulate(inner), now()]

    assert play(outer) == [7.0, 3.0]


def test_no_loop_is_left_running() -> None:
    """After `run` plain code is plain code again."""
    run(failing_after_nothing)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


async def failing_after_nothing() -> None:
    await asyncio.sleep(0)


def test_a_simulation_runs_in_any_thread() -> None:
    """Only the main thread may handle signals; elsewhere the simulation does without."""
    answers: list[float] = []

    async def scenario() -> None:
        await asyncio.sleep(5.0)
        answers.append(now())

    thread = threading.Thread(target=in_a_notebook, args=[scenario])
    thread.start()
    thread.join()
    assert answers == [5.0]


# The end


@BOTH_WAYS
def test_what_still_runs_at_the_end_is_cancelled(play: Callable[[Scenario], Any]) -> None:
    """A task that nobody waits for does not outlive the scenario, and its `finally` runs."""
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
    """A `finally` that awaits, for as many virtual seconds as it likes, is not cut short."""
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
    """An async generator with something to do when it is closed."""
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
    """A generator that was not exhausted is closed before the simulation ends, as `asyncio.run` does it."""
    done: list[Any] = []
    play(lambda: scenario(done))
    assert done[-1:] == ["closed"]


@BOTH_WAYS
def test_a_task_that_refuses_to_be_cancelled_does_not_hang_the_end(
    play: Callable[[Scenario], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is given up after about a second, and that is reported."""
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
def test_an_error_that_nobody_retrieved_is_reported(
    play: Callable[[Scenario], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A background task that failed is not lost: its error goes to stderr."""

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
    """A callback has no caller to raise to, and the simulation goes on."""

    def callback() -> None:
        raise ZeroDivisionError("in the callback")

    async def scenario() -> float:
        asyncio.get_running_loop().call_later(1.0, callback)
        await asyncio.sleep(2.0)
        return now()

    assert (play(scenario), "ZeroDivisionError: in the callback" in capsys.readouterr().err) == (2.0, True)


def test_the_clock_of_an_ended_simulation_says_so() -> None:
    """A clock that was carried out of its scenario is refused with a sentence, not read."""

    async def scenario() -> Callable[[], float]:
        return asyncio.get_running_loop().time

    with pytest.raises(RuntimeError, match="This simulation has ended: build caches and stores inside the scenario"):
        run(scenario)()


# Interrupts


def test_cancelling_a_simulation_cleans_up_and_returns() -> None:
    """The cell's task is cancelled: the scenario's `finally` runs, and the grace second is not waited for."""
    done: list[str] = []

    async def endless(started: asyncio.Event) -> None:
        try:
            while True:
                started.set()
                await asyncio.sleep(1.0)
        finally:
            await asyncio.sleep(0.5)
            done.append("cleaned up")

    async def cell() -> tuple[float, list[str]]:
        started = asyncio.Event()
        simulated = asyncio.create_task(simulate(endless, started))
        await started.wait()
        began = time.perf_counter()
        simulated.cancel()
        with pytest.raises(asyncio.CancelledError):
            await simulated
        return time.perf_counter() - began, list(done)

    took, done_by_then = asyncio.run(cell())
    assert (took < 0.8, done_by_then) == (True, ["cleaned up"])


KERNEL = """
import asyncio, signal
from cachelab.lab.sim.simulation import simulate

async def scenario():
    try:
        print("spinning", flush=True)
        while True:
            {turn}
    finally:
        print("cleaned up", flush=True)

async def well_behaved():
    await asyncio.sleep(60.0)
    return asyncio.get_running_loop().time()

async def kernel():
    cell = asyncio.create_task(simulate(scenario))
    loop = asyncio.get_running_loop()

    def handler(*_):  # a kernel's: it cancels the cell's task at the loop's next turn
        loop.call_soon_threadsafe(cell.cancel)
        print("the kernel heard it", flush=True)

    signal.signal(signal.SIGINT, handler)
    await asyncio.wait([cell])
    print("cancelled" if cell.cancelled() else cell.exception(), flush=True)
    print("the handler is back" if signal.getsignal(signal.SIGINT) is handler else "the handler is lost")
    print("the next cell says", await simulate(well_behaved))

loop = asyncio.new_event_loop()
loop.run_until_complete(kernel())
loop.close()
"""

PLAIN = """
import asyncio
from cachelab.lab.sim.simulation import run

async def scenario():
    try:
        print("spinning", flush=True)
        while True:
            {turn}
    finally:
        print("cleaned up", flush=True)

try:
    run(scenario)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def interrupt(script: str) -> tuple[str, str, float]:
    """Run the script, send it SIGINT when it spins: stdout from then on, stderr, and the seconds to the first line."""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline() == "spinning\n"
            process.send_signal(signal.SIGINT)
            sent = time.perf_counter()
            first = process.stdout.readline()
            took = time.perf_counter() - sent
            return first + process.stdout.read(), process.stderr.read(), took
        finally:
            process.kill()


NOT_ON_WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to another process there")


@NOT_ON_WINDOWS
@pytest.mark.parametrize("turn", ["pass", "await asyncio.sleep(0)", "await asyncio.sleep(1.0)"])
@pytest.mark.parametrize(
    ("script", "story"),
    [
        (KERNEL, {"cleaned up", "the kernel heard it", "cancelled", "the handler is back", "the next cell says 60.0"}),
        (PLAIN, {"cleaned up", "interrupted"}),
    ],
    ids=["kernel", "plain"],
)
def test_an_interrupt_stops_an_endless_simulation(script: str, story: set[str], turn: str) -> None:
    """Within a second, in an endless loop without any `await` too, and the notebook's loop goes on."""
    output, _, took = interrupt(script.format(turn=turn))
    assert (set(output.splitlines()), took < 1.0) == (story, True)


@NOT_ON_WINDOWS
@pytest.mark.parametrize("script", [KERNEL, PLAIN], ids=["kernel", "plain"])
def test_an_interrupt_leaves_no_noise(script: str) -> None:
    """The learner who pressed Stop knows why it stopped; stderr stays empty."""
    assert interrupt(script.format(turn="pass"))[1] == ""
