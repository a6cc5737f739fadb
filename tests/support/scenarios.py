"""Two ways to run a scenario in virtual time, for tests that have to hold for both."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cachelab.lab.sim.simulation import run, simulate

Scenario = Callable[[], Coroutine[Any, Any, Any]]


def in_a_notebook(scenario: Scenario) -> Any:
    """The result of a cell with `await simulate(scenario)`."""
    return asyncio.run(simulate(scenario))


BOTH_WAYS = pytest.mark.parametrize("play", [run, in_a_notebook])
"""For a test with the parameter `play`: it runs once with each way."""


async def failing_after(delay: float) -> None:
    """Raise a LookupError after so many seconds."""
    await asyncio.sleep(delay)
    raise LookupError
