"""The experiment of an exercise: an error of the learner's code comes before what follows from it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cachelab.lab.exercises.exercise import NotYet, Wrong
from cachelab.lab.exercises.experiment import run_experiment


def mistaken(*_: Any) -> None:
    """What a learner has written."""
    raise LookupError("a mistake")


async def mistaken_task() -> None:
    """The same, where it needs a task."""
    mistaken()


async def judge_wrongly() -> None:
    """The consequence that the check sees."""
    await asyncio.sleep(1)
    raise Wrong("a misconception", "evidence")


def test_the_result_is_returned() -> None:
    """An experiment gets its arguments, and gives its result."""

    async def add(one: int, two: int) -> int:
        await asyncio.sleep(1)
        return one + two

    assert run_experiment(add, 1, 2) == 3


def test_an_error_in_a_callback_is_raised_whatever_the_experiment_says() -> None:
    """Nobody can have handled it."""

    async def experiment(judge: Any) -> None:
        asyncio.get_running_loop().call_later(0.5, mistaken)
        await judge()

    with pytest.raises(LookupError, match="a mistake"):
        run_experiment(experiment, judge_wrongly)
    with pytest.raises(LookupError, match="a mistake"):
        run_experiment(experiment, lambda: asyncio.sleep(1))


@pytest.mark.parametrize("is_held", [True, False])
def test_a_lost_error_of_a_task_comes_before_a_misconception(is_held: bool) -> None:
    """Whether the task is still held or not, its error says more than what follows from it."""

    async def experiment() -> None:
        held = [asyncio.create_task(mistaken_task())]
        if not is_held:
            held.clear()
        await judge_wrongly()

    with pytest.raises(LookupError, match="a mistake"):
        run_experiment(experiment)


def test_a_lost_error_of_a_task_comes_before_a_deadlock() -> None:
    """A caller that waits for ever for a task that has failed is told why."""

    async def experiment() -> None:
        task = asyncio.create_task(mistaken_task())
        await asyncio.get_running_loop().create_future()
        task.cancel()

    with pytest.raises(LookupError, match="a mistake"):
        run_experiment(experiment)


def test_an_error_that_was_handled_is_not_lost() -> None:
    """What a learner's code has caught is no mistake."""

    async def experiment() -> None:
        await asyncio.gather(asyncio.create_task(mistaken_task()), return_exceptions=True)
        await judge_wrongly()

    with pytest.raises(Wrong):
        run_experiment(experiment)


@pytest.mark.parametrize("verdict", [NotYet("write it"), Wrong("a misconception", "evidence")])
def test_a_verdict_passes(verdict: Exception) -> None:
    """With nothing lost, the experiment's own words are raised."""

    async def experiment() -> None:
        raise verdict

    with pytest.raises(type(verdict)):
        run_experiment(experiment)


def test_complaints_of_asyncio_are_collected() -> None:
    """What the loop would have logged goes into a list."""
    complaints: list[str] = []

    async def experiment() -> None:
        asyncio.create_task(mistaken_task())  # noqa: RUF006 - that nobody holds it is what this test is about
        await asyncio.sleep(1)

    run_experiment(experiment, complaints=complaints)
    assert complaints == ["Task exception was never retrieved"]
