"""Run the experiment of an exercise in virtual time so that an error of the learner's code comes before all else.

An error in a callback, or in a task that nobody awaits, reaches no caller. What is seen instead is its consequence: a
caller waits for ever, a value is missing, a table is not cleared. The error says more, and it has a line.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cachelab.lab.exercises.exercise import Wrong
from cachelab.lab.sandbox import raised_by_learner
from cachelab.lab.sim.simulation import run

__all__ = ["run_experiment"]

T = TypeVar("T")


def run_experiment(
    experiment: Callable[..., Coroutine[Any, Any, T]], *args: Any, complaints: list[str] | None = None
) -> T:
    """Run `experiment(*args)` in virtual time and return its result.

    If it raises, and an error of the learner's code was lost meanwhile, that error is raised in its place; and so is
    one that was lost in a callback. What asyncio complains of goes into `complaints`.
    """
    tasks: list[weakref.ref[Any]] = []
    in_callbacks: list[BaseException] = []
    in_tasks: list[BaseException] = []

    async def watched() -> T:
        loop: Any = asyncio.get_running_loop()
        create_task = loop.create_task

        def create_and_watch(*args: Any, **options: Any) -> asyncio.Task[Any]:
            task: asyncio.Task[Any] = create_task(*args, **options)
            tasks.append(weakref.ref(task))
            return task

        def hear(context: dict[str, Any]) -> None:
            if complaints is not None:
                complaints.append(context["message"])
            error = context.get("exception")
            if error is not None and raised_by_learner(error):
                (in_callbacks if "handle" in context else in_tasks).append(error)

        loop.create_task, loop.call_exception_handler = create_and_watch, hear
        return await experiment(*args)

    try:
        result = run(watched)
    except Exception as error:
        of_living_tasks = [own for task in tasks if (own := _error_of(task())) and raised_by_learner(own)]
        lost = [*in_callbacks, *in_tasks, *of_living_tasks]
        if not lost or (raised_by_learner(error) and not isinstance(error, Wrong)):
            raise
        raise lost[0] from None
    if in_callbacks:
        raise in_callbacks[0]
    return result


def _error_of(task: Any) -> BaseException | None:
    """The error of a task that nobody has looked at; `task` is None if it is gone."""
    if task is None or not task.done() or task.cancelled() or not task._log_traceback:
        return None
    error: BaseException | None = task.exception()
    return error
