"""The stage of the breaker exam: one origin, the breaker around it, and callers that a script starts and cancels.

The origin does what the script says: it answers at once, raises an error, or holds a call until it is let go. So a
script knows which calls have passed the breaker: those that the origin has seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from cachelab.lab.flight_exam.items import ItemFailed, NotApplicable
from cachelab.lab.flight_exam.record import StepRecord, describe_error, lane
from cachelab.lab.flight_exam.stage import CallerHangs, OriginDown, sentence_start

__all__ = ["ANSWER", "Asked", "Build", "FAILURES", "Stage"]

Build: TypeAlias = Callable[..., Callable[[Any], Awaitable[Any]]]
"""`build(load, failures=3, open_s=1.0)` is a breaker around `load`: an async function of the key."""

FAILURES = 3
"""So many failures in a row have to open the breaker."""
KEY, ANSWER = "key", "answer"
HELD = object()
"""What the origin does with a call that a script has to let go."""
IDLE, PATIENCE = 0.05, 4.0
"""After so many `open_s` all has happened that can happen, and a caller without an answer is taken to wait for ever."""

MISTAKES = (AttributeError, NameError, TypeError)
"""What the code of a breaker raises by mistake, and not to refuse a call."""


@dataclass(frozen=True)
class Asked:
    """What became of a caller: whether the origin was asked, and what it got: a value, or an error."""

    reached: bool
    value: Any = None
    error: BaseException | None = None


class Stage:
    """A breaker that is open for `open_s` seconds, and what a script can do to it.

    `begun`     how many calls the origin has seen
    `record`    what has happened, step by step
    """

    def __init__(self, build: Build, open_s: float) -> None:
        self.open_s = open_s
        self.record = StepRecord()
        self._build = build
        self.reset()

    def reset(self) -> None:
        """Start again with another breaker and an empty record."""
        self.begun, self.record.steps = 0, []
        self._held: dict[int, asyncio.Future[Any]] = {}
        self._does: Any = ANSWER
        self._tasks: dict[str, list[asyncio.Task[Any]]] = {}
        self.breaker = self._build(self._load, failures=FAILURES, open_s=self.open_s)

    async def ask(self, name: str, does: Any = ANSWER) -> Asked:
        """One caller, where the origin answers at once with `does`, or raises it.

        Raises `CallerHangs`, and `ItemFailed` if the breaker's own code is wrong.
        """
        before = self.begun
        self._does = does
        (task,) = self._start(name, 1)
        await asyncio.wait([task], timeout=PATIENCE * self.open_s)
        if not task.done():
            self.record.add(name, "waits for ever")
            raise CallerHangs(f"{sentence_start(name)} waits for ever.")
        reached = self.begun > before
        if task.cancelled():
            return Asked(reached, error=asyncio.CancelledError())
        error = task.exception()
        if isinstance(error, MISTAKES) and not reached:
            raise ItemFailed(f"{sentence_start(name)} got an error of the breaker's own code.", error)
        return Asked(reached, error=error) if error is not None else Asked(reached, task.result())

    async def hold(self, name: str, count: int = 1) -> list[int]:
        """Start so many callers at once, whose calls the origin holds. Return the numbers of these calls."""
        before = self.begun
        self._does = HELD
        self._start(name, count)
        await self.idle()
        return list(range(before + 1, self.begun + 1))

    async def let_go(self, calls: list[int], does: Any = ANSWER) -> None:
        """Let the origin answer these calls with `does`, or raise it."""
        self.record.next_phase()
        for number in calls:
            held = self._held.get(number)
            if held is not None and not held.done():
                held.set_result(does)
        await self.idle()

    async def cancel(self, name: str) -> None:
        """Cancel the callers of that name."""
        self.record.next_phase()
        self.record.add(name, "leaves", len(self._tasks[name]))
        for task in self._tasks[name]:
            task.cancel()
        await self.idle()

    async def open(self) -> None:
        """Let so many calls fail that the breaker is open. Raises `NotApplicable` if it is not, which item 1 judges."""
        for _ in range(FAILURES):
            await self.ask("callers", OriginDown("the origin is down"))
        if (await self.ask("the next caller")).reached:
            raise NotApplicable("It does not open.")

    async def wait(self, share: float) -> None:
        """Let this share of `open_s` pass."""
        self.record.next_phase()
        self.record.add("time", f"passes, {share:g} × open_s")
        await asyncio.sleep(share * self.open_s)

    async def idle(self) -> None:
        """Wait until all has happened that can happen now."""
        await asyncio.sleep(IDLE * self.open_s)

    async def end(self) -> None:
        """End all calls and callers, without recording it."""
        self.record.paused = True
        tasks = [task for started in self._tasks.values() for task in started if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=IDLE * self.open_s)

    def none_waits(self, name: str) -> None:
        """Raises `ItemFailed` if a caller of that name has no answer."""
        waiting = sum(not task.done() for task in self._tasks[name])
        if waiting:
            self.record.add(name, "waits for ever", waiting)
            raise ItemFailed(f"{sentence_start(name)} got neither an answer nor an error.")

    def _start(self, name: str, count: int) -> list[asyncio.Task[Any]]:
        self.record.next_phase()
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._call(name)) for _ in range(count)]
        self._tasks.setdefault(name, []).extend(tasks)
        return tasks

    async def _call(self, name: str) -> Any:
        self.record.add(name, "calls")
        try:
            value = await self.breaker(KEY)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.record.add(name, f"gets {type(error).__name__}")
            raise
        self.record.add(name, "gets the answer" if value is ANSWER else f"gets {value!r:.20}")
        return value

    async def _load(self, key: Any) -> Any:
        """The origin, which the breaker calls."""
        self.begun += 1
        number, does = self.begun, self._does
        self.record.add(lane(number), "begins")
        if does is HELD:
            self._held[number] = asyncio.get_running_loop().create_future()
            try:
                does = await self._held[number]
            except asyncio.CancelledError:
                self.record.add(lane(number), "is cancelled")
                raise
        if isinstance(does, Exception):
            self.record.add(lane(number), f"raises {describe_error(does).partition(':')[0]}")
            raise does
        self.record.add(lane(number), "ends")
        return does
