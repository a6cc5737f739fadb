"""Who plays an exam's script: tasks on a loop, in virtual time wherever that is possible, or threads."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from cachelab.lab.flight_exam.stage import Stage
from cachelab.lab.flight_exam.words import Answer, Key, OriginDown, Step
from cachelab.lab.sim.simulation import run

__all__ = ["TaskStage", "RealTimeTaskStage", "ThreadStage", "in_order", "play"]

PATIENCE_S = 3.0  # of virtual time, before somebody who waits is taken to wait for ever
REAL_PATIENCE_S = 0.3  # the same in real time: for threads, during which none of them has moved
REAL_SETTLE_S = 0.008
QUIET_S = 0.004
RELEASE_S = 5.0  # real seconds after which a thread's load ends by itself: nothing is left behind for ever


class TaskStage(Stage):
    """Callers are tasks."""

    can_cancel = True
    settle_s, patience_s = 0.5, PATIENCE_S

    def __init__(self, subject: Any) -> None:
        super().__init__(subject)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    def _start(self, name: str, verb: Callable[..., Any], *args: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._act(name, verb, *args))
        self._tasks.setdefault(name, []).append(task)

    async def _act(self, name: str, verb: Callable[..., Any], *args: Any) -> None:
        if name != "delete":
            self.note(name, "calls")
        try:
            value = verb(*args)
            if hasattr(value, "__await__"):
                value = await value
        except BaseException as error:
            self._answered(name, Answer(None, error))
        else:
            self._answered(name, Answer(value))

    async def get_with_one_retry(self, *args: Any) -> Any:
        """Ask again at once, if it is the origin's error that comes back."""
        try:
            return await self.subject.get(*args)
        except OriginDown:
            return await self.subject.get(*args)

    async def load(self, key: Any) -> int | None:
        """The origin: reads, waits until the script lets it end, and answers."""
        gate = asyncio.Event()
        number, version = self._begin(gate)
        try:
            await gate.wait()
        except BaseException as error:
            return self._end(number, version, error)
        return self._end(number, version)

    async def load_other_keys(self, count: int) -> None:
        """Ask for other keys and delete them."""
        for _ in range(count):
            key = Key()
            await self.subject.get(key, self.load)
            deleting: Any = self.subject.delete(key) if self.can_delete else None
            if hasattr(deleting, "__await__"):
                await deleting

    async def cancel(self, name: str) -> None:
        """Cancel the callers of that name; then everybody does what he can do now."""
        self._phase += 1
        self.note(name, "leaves", len(self._tasks[name]))
        for task in self._tasks[name]:
            task.cancel()
        await self.settle()

    async def settle(self, *, patiently: bool = False) -> None:
        """Wait until nobody can do anything more; polling counts as waiting."""
        await asyncio.sleep(0)
        self.alive = True
        await asyncio.sleep(self.settle_s * self.slowness)
        if patiently and any(self.waiting.values()):
            await asyncio.sleep(self.patience_s)
        self._tasks = {name: [task for task in tasks if not task.done()] for name, tasks in self._tasks.items()}


class RealTimeTaskStage(TaskStage):
    """The same on a real loop, for what cannot live in virtual time."""

    settle_s, patience_s = REAL_SETTLE_S, REAL_PATIENCE_S


class ThreadStage(Stage):
    """Callers are threads."""

    def __init__(self, subject: Any) -> None:
        super().__init__(subject)
        self._threads: list[threading.Thread] = []

    def _start(self, name: str, verb: Callable[..., Any], *args: Any) -> None:
        thread = threading.Thread(target=self._act, args=(name, verb, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _act(self, name: str, verb: Callable[..., Any], *args: Any) -> None:
        if name != "delete":
            self.note(name, "calls")
        try:
            value = verb(*args)
        except BaseException as error:
            self._answered(name, Answer(None, error))
        else:
            self._answered(name, Answer(value))

    def get_with_one_retry(self, *args: Any) -> Any:
        """Ask again at once, if it is the origin's error that comes back."""
        try:
            return self.subject.get(*args)
        except OriginDown:
            return self.subject.get(*args)

    def load(self, key: Any) -> int | None:
        """The origin: reads, waits until the script lets it end, and answers."""
        gate = threading.Event()
        number, version = self._begin(gate)
        gate.wait(RELEASE_S)
        return self._end(number, version)

    def load_other_keys(self, count: int) -> None:
        """Ask for other keys and delete them."""
        for _ in range(count):
            key = Key()
            self.subject.get(key, self.load)
            if self.can_delete:
                self.subject.delete(key)

    async def settle(self, *, patiently: bool = False) -> None:
        """Wait until no thread has moved for a while."""
        quiet_s = REAL_PATIENCE_S if patiently else QUIET_S * self.slowness
        seen, since = self._where(), time.perf_counter()
        until = since + 2 * REAL_PATIENCE_S
        while seen and time.perf_counter() < min(since + quiet_s, until):
            time.sleep(0.001)  # noqa: ASYNC251 (no loop runs here: see `play`)
            now = self._where()
            if now != seen:
                seen, since = now, time.perf_counter()

    def _where(self) -> dict[int, tuple[int, int]]:
        """The place in the code at which each living thread is."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        idents = {thread.ident for thread in self._threads}
        return {ident: (id(frame), frame.f_lasti) for ident, frame in sys._current_frames().items() if ident in idents}


def in_order(steps: list[Step]) -> list[Step]:
    """The steps of threads: within a phase of the script their order is chance, so they are put into a likely one."""
    likely = ["calls", "is", "fails", "ends", "leaves", "begins,", "begins", "returns", "gets", "waits"]

    def place(step: Step) -> tuple[int, int, str]:
        verb = step.did.partition(" ")[0]
        if verb == "begins," and step.phase in called:
            return step.phase, 1, step.actor
        return step.phase, likely.index(verb) if verb in likely else len(likely), step.actor

    called = {step.phase for step in steps if step.did == "calls"}
    return sorted(steps, key=place)


def play(
    make: Callable[[], Stage], script: Callable[[Stage], Coroutine[Any, Any, str]], kept: list[Stage], kind: type[Stage]
) -> str:
    """Play the script on a stage of this kind and return what it returns. The stage is put into `kept` first."""

    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler = lambda context: None  # type: ignore[method-assign]  # not for the notebook's eyes
        kept.append(make())
        try:
            return await script(kept[-1])
        finally:
            kept[-1].over = True

    if kind is TaskStage:
        return run(scenario)
    if kind is RealTimeTaskStage:
        return asyncio.run(scenario())
    kept.append(make())
    try:
        script(kept[-1]).send(None)  # it never waits: a stage of threads does so by itself
    except StopIteration as end:
        return str(end.value)
    raise RuntimeError("A script of threads may not await anything else.")
