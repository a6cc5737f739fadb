"""Running a scenario from plain code and from a notebook: results, loops in loops, cancellation, interrupts."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cachelab.lab.sim import simulation
from cachelab.lab.sim.simulation import run, simulate
from tests.support.fakes import now
from tests.support.notebooks import ROOT
from tests.support.scenarios import BOTH_WAYS, Scenario, failing_after, in_a_notebook


@BOTH_WAYS
def test_the_scenarios_error_is_raised(play: Callable[[Scenario], Any]) -> None:
    """An error of the scenario is raised by the call that runs it."""
    with pytest.raises(LookupError):
        play(lambda: failing_after(1.0))


@BOTH_WAYS
def test_a_scenario_that_is_called_already_gets_a_sentence(
    play: Callable[[Scenario], Any], recwarn: pytest.WarningsRecorder
) -> None:
    """`simulate(scenario())` in place of `simulate(scenario)` is refused in plain words, and Python does not warn."""
    call: Any = failing_after(1.0)
    with pytest.raises(TypeError, match=r"lab\.simulate\(failing_after\), not lab\.simulate\(failing_after\(\)\)"):
        play(call)
    assert not recwarn.list


def test_the_scenario_gets_its_arguments() -> None:
    """Both ways call the scenario with the arguments that follow it."""

    async def scenario(*args: int) -> tuple[int, ...]:
        return args

    assert (run(scenario, 1, 2), asyncio.run(simulate(scenario, 3, 4))) == ((1, 2), (3, 4))


def test_the_outer_loop_has_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long simulation does not block the notebook: the notebook's tasks run between the slices."""
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
    """Two simulations in one loop do not affect each other's time."""
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
    """The inner simulation has its own time, and takes no time of the outer one."""

    async def inner() -> float:
        await asyncio.sleep(7.0)
        return now()

    async def outer() -> list[float]:
        await asyncio.sleep(3.0)
        return [await simulate(inner), now()]

    assert play(outer) == [7.0, 3.0]


def test_no_loop_is_left_running() -> None:
    """After `run` no event loop is running."""
    run(one_turn)
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


async def one_turn() -> None:
    await asyncio.sleep(0)


def test_a_simulation_runs_in_any_thread() -> None:
    """Only the main thread may handle signals. In another thread a simulation runs without doing so."""
    answers: list[float] = []

    async def scenario() -> None:
        await asyncio.sleep(5.0)
        answers.append(now())

    thread = threading.Thread(target=in_a_notebook, args=[scenario])
    thread.start()
    thread.join()
    assert answers == [5.0]


def test_cancelling_a_simulation_cleans_up_and_returns() -> None:
    """If the cell's task is cancelled, the scenario's `finally` block runs, and the call returns within the second."""
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

    def handler(*_):  # as in a kernel, it cancels the cell's task at the loop's next turn
        loop.call_soon_threadsafe(cell.cancel)
        print("the kernel was interrupted", flush=True)

    signal.signal(signal.SIGINT, handler)
    await asyncio.wait([cell])
    print("cancelled" if cell.cancelled() else cell.exception(), flush=True)
    print("the handler is back" if signal.getsignal(signal.SIGINT) is handler else "the handler is lost")
    print("the next cell returns", await simulate(well_behaved))

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
    """Run the script and interrupt it when it prints "spinning".

    Returns what it prints from then on, to stdout and to stderr, and the seconds until the first line of it.
    """
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
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
    ("script", "lines"),
    [
        (
            KERNEL,
            {
                "cleaned up",
                "the kernel was interrupted",
                "cancelled",
                "the handler is back",
                "the next cell returns 60.0",
            },
        ),
        (PLAIN, {"cleaned up", "interrupted"}),
    ],
    ids=["kernel", "plain"],
)
def test_an_interrupt_stops_an_endless_simulation(script: str, lines: set[str], turn: str) -> None:
    """It stops within a second, also in an endless loop without an `await`, and the notebook's loop goes on."""
    output, _, took = interrupt(script.format(turn=turn))
    assert (set(output.splitlines()), took < 1.0) == (lines, True)


@NOT_ON_WINDOWS
@pytest.mark.parametrize("script", [KERNEL, PLAIN], ids=["kernel", "plain"])
def test_an_interrupt_prints_nothing_to_stderr(script: str) -> None:
    """A learner that pressed Stop knows why the cell stopped."""
    assert interrupt(script.format(turn="pass"))[1] == ""
