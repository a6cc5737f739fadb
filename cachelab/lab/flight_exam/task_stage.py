"""The stage on tasks, one of the two ways to run a script; the exam chooses by the kind of the subject.

Callers are tasks of an event loop, in virtual time wherever the subject allows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cachelab.lab.flight_exam.stage import Answer, Key, OriginDown, Stage
from cachelab.lab.sim.simulation import run

__all__ = ["RealTimeTaskStage", "TaskStage"]


class TaskStage(Stage):
    """Callers are tasks in virtual time.

    `idle_s`        seconds after which everything that can run now has run
    `patience_s`    seconds after which a caller without an answer is taken to wait for ever
    """

    can_cancel = True
    idle_s, patience_s = 0.5, 3.0

    def __init__(self, subject: Any, wait_factor: float = 1.0) -> None:
        super().__init__(subject, wait_factor)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    @staticmethod
    def run(scenario: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Run the scenario in virtual time."""
        return run(_without_complaints, scenario)

    async def load(self, key: Any) -> int | None:
        """The origin: read the version, wait until the script releases the load, and return what was read."""
        released, version = asyncio.Event(), self.version
        number = self.loads.begin(released, version)
        try:
            await released.wait()
        except BaseException as error:
            return self.loads.end(number, version, error)
        return self.loads.end(number, version)

    async def get_with_one_retry(self, *args: Any) -> Any:
        """The subject's `get`, called a second time at once if the first call raises the origin's error."""
        try:
            return await self.subject.get(*args)
        except OriginDown:
            return await self.subject.get(*args)

    async def cancel(self, name: str) -> None:
        """Cancel the callers of that name; then wait until idle."""
        self.record.next_phase()
        self.record.add(name, "leaves", len(self._tasks[name]))
        for task in self._tasks[name]:
            task.cancel()
        await self.wait_until_idle()

    async def wait_until_idle(self, *, patiently: bool = False) -> None:
        """Wait for a while. A subject that polls counts as idle."""
        await asyncio.sleep(0)
        self.has_yielded = True
        await asyncio.sleep(self.idle_s * self.wait_factor)
        if patiently and any(self.waiting.values()):
            await asyncio.sleep(self.patience_s)
        self._tasks = {name: [task for task in tasks if not task.done()] for name, tasks in self._tasks.items()}

    async def _get_and_delete_others(self, count: int) -> None:
        for _ in range(count):
            key = Key()
            await self.subject.get(key, self.load)
            deleting: Any = self.subject.delete(key) if self.can_delete else None
            if hasattr(deleting, "__await__"):
                await deleting

    def _start(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._call(name, function, *args))
        self._tasks.setdefault(name, []).append(task)

    async def _call(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        if name != "delete":
            self.record.add(name, "calls")
        try:
            value = function(*args)
            if hasattr(value, "__await__"):
                value = await value
        except BaseException as error:
            self._take_answer(name, Answer(None, error))
        else:
            self._take_answer(name, Answer(value))


class RealTimeTaskStage(TaskStage):
    """Callers are tasks in real time, for subjects that do not work in virtual time."""

    idle_s, patience_s = 0.008, 0.3

    @staticmethod
    def run(scenario: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Run the scenario on asyncio's own loop."""
        return asyncio.run(_without_complaints(scenario))


async def _without_complaints(scenario: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """The scenario, on a loop that does not report errors which no task receives: they must not reach the notebook."""
    asyncio.get_running_loop().call_exception_handler = lambda context: None  # type: ignore[method-assign]
    return await scenario()
