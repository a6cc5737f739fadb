"""The clock: which one is read where, and to which loop its owner belongs."""

import asyncio
import time
from typing import Any

import pytest

from cachelab.clock import LoopClock, lazy_clock, running_clock
from cachelab.lab.sim.simulation import run


def test_the_clock_of_a_loop_of_asyncio_is_the_systems() -> None:
    """It has the same seconds as the loop, and a reading of it is one call less. Without a loop it is the same."""

    async def bind() -> Any:
        return running_clock()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(bind()) is running_clock() is time.monotonic


def test_the_clock_of_another_loop_is_the_loops_own() -> None:
    """Virtual time, for example."""

    async def read_twice() -> list[float]:
        clock = running_clock()
        before = clock()
        await asyncio.sleep(2.5)
        return [before, clock()]

    assert run(read_twice) == [0.0, 2.5]


def test_a_lazy_clock_is_bound_when_it_is_first_read() -> None:
    """It was made before the loop ran. After that it stays with its loop, whose end it notices."""
    clock = lazy_clock()

    async def read() -> list[float]:
        await asyncio.sleep(2.5)
        return [clock()]

    assert run(read) == [2.5]
    with pytest.raises(RuntimeError, match="This simulation has ended"):
        clock()


@pytest.mark.parametrize("given", [None, lambda: 7.0], ids=["the loop's", "given"])
def test_a_loop_clock_is_that_of_the_first_loop_or_the_given_one(given: Any) -> None:
    """A given clock is read before and after. Either way the owner belongs to the first loop."""
    clock = LoopClock("users", given)
    assert given is None or clock() == 7.0

    async def check() -> float:
        await asyncio.sleep(2.5)
        clock.check_loop()
        clock.check_loop()
        return clock()

    assert run(check) == (2.5 if given is None else 7.0)
    with pytest.raises(RuntimeError, match="users belongs to another event loop: build it inside the loop"):
        run(check)
