"""The stage of the single-flight exam: what a script can do to a subject, and what it can see of it.

A script is written once, against `Stage`. It runs with tasks on a `TaskStage` and with threads on a `ThreadStage`.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from cachelab.lab.flight_exam.record import StepRecord, lane

__all__ = ["Answer", "CallerHangs", "HeldLoads", "Key", "OriginDown", "Stage", "sentence_start"]

_numbers = itertools.count(1)  # for subjects that turn their keys into strings


class OriginDown(Exception):
    """What a load raises when the script lets it fail."""


class CallerHangs(Exception):
    """A caller waits for ever; the text says which one."""


class Key:
    """A key that is equal to no other key. A weak reference to it tells whether anything still holds it."""

    def __init__(self) -> None:
        self._number = next(_numbers)

    def __repr__(self) -> str:
        return f"key {self._number}"


@dataclass(frozen=True)
class Answer:
    """What a caller was given: a value, or an error (then the value is None)."""

    value: Any
    error: BaseException | None = None


class HeldLoads:
    """The loads at the origin. Each one reads a version when it begins, and ends when the script releases it.

    `begun`             how many loads have begun
    `release_at_once`   loads that begin now need not wait for the script
    """

    def __init__(self, record: StepRecord) -> None:
        self.begun = 0
        self.release_at_once = False
        self._record = record
        self._running: dict[int, asyncio.Event | threading.Event] = {}  # number -> what releases the load
        self._failing: dict[int, type[BaseException]] = {}  # number -> what the load raises when it is released
        # reentrant: while `begin` runs, garbage collection may end a load that the subject has dropped
        self._lock = threading.RLock()

    def begin(self, released: asyncio.Event | threading.Event, version: int | None) -> int:
        """Count a load that has read `version` and now waits for `released`, and return its number."""
        with self._lock:
            self.begun += 1
            number = self.begun
            self._running[number] = released
            if self.release_at_once:
                released.set()
            self._record.add(lane(number), f"begins, reads {version}")
            return number

    def end(self, number: int, version: int | None, error: BaseException | None = None) -> int | None:
        """End a load with the version that it read. Raises `error`, or what `release` has named."""
        with self._lock:
            del self._running[number]
            if error is not None:
                self._record.add(lane(number), "is cancelled")
                raise error
            if number in self._failing:
                self._record.add(lane(number), "fails")
                raise self._failing[number]("the origin is down")
            self._record.add(lane(number), f"ends with {version}")
            return version

    def release(self, number: int | None = None, *, error: type[BaseException] | None = None) -> None:
        """Let the load of this number end, or all that are running; with `error` they raise it."""
        with self._lock:
            released = {one: event for one, event in self._running.items() if number in (None, one)}
            if error is not None:
                self._failing |= dict.fromkeys(released, error)
        for event in released.values():
            event.set()

    def is_running(self, number: int) -> bool:
        """Whether that load has begun and not ended."""
        return number in self._running

    def reset(self) -> None:
        """Count from 0 again."""
        self.begun, self._failing = 0, {}


class Stage:
    """One subject, its callers, and one origin. The callers ask for `key`; the origin's value is a version number.

    `wait_factor`      where time is real: how much longer than usual to wait for the callers
    `has_yielded`      whether the subject has let other code run
    `answers`          what the callers of each name were given
    `waiting`          how many callers of each name have no answer yet
    """

    can_cancel = False
    load: Callable[[Any], Any]
    """The origin, as the subject calls it: async or not."""

    def __init__(self, subject: Any, wait_factor: float = 1.0) -> None:
        self.subject = subject
        self.wait_factor = wait_factor
        self.has_yielded = False
        self.key: Any = Key()
        self.version: int | None = 1
        self.record = StepRecord()
        self.loads = HeldLoads(self.record)
        self.answers: dict[str, list[Answer]] = {}
        self.waiting: dict[str, int] = {}
        self._lock = threading.RLock()

    @staticmethod
    def run(scenario: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Run a scenario that builds a stage of this kind and plays a script on it. Return what the script returns."""
        raise NotImplementedError

    def get_with_one_retry(self, *args: Any) -> Any:
        """The subject's `get`, async or not, for a caller that asks again at once if it gets the origin's error."""
        raise NotImplementedError

    async def cancel(self, name: str) -> None:
        """Cancel the callers of that name, where `can_cancel`; then wait until idle."""
        raise NotImplementedError

    async def wait_until_idle(self, *, patiently: bool = False) -> None:
        """Wait until no caller and no load can do anything more.

        With `patiently`, wait so long that a caller without an answer can be taken to wait for ever.
        """
        raise NotImplementedError

    def _get_and_delete_others(self, count: int) -> Any:
        """What `use_other_keys` does, async or not."""
        raise NotImplementedError

    def _start(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        """Start a caller of that name, which calls `function(*args)` and reports its answer to `_take_answer`."""
        raise NotImplementedError

    @property
    def can_delete(self) -> bool:
        """Whether the subject has a `delete(key)`."""
        return callable(getattr(self.subject, "delete", None))

    async def start_callers(self, name: str, count: int = 1, *, get: Callable[..., Any] | None = None) -> None:
        """Start `count` callers of that name, which ask the subject for the key; then wait until idle.

        `get` stands in for the subject's own `get`.
        """
        self.record.next_phase()
        self.answers.setdefault(name, [])
        for _ in range(count):
            self.waiting[name] = self.waiting.get(name, 0) + 1
            self._start(name, get or self.subject.get, self.key, self.load)
        await self.wait_until_idle()

    async def write(self) -> None:
        """Let the origin commit the next version."""
        self.record.next_phase()
        self.version = (self.version or 0) + 1
        self.record.add("origin", f"commits {self.version}")

    async def delete(self) -> None:
        """Delete the key from the subject, as after a write. If that waits for the running load, end the load first.

        Raises what the subject's `delete` raises, and `CallerHangs` if it never returns.
        """
        self.record.next_phase()
        self.record.add("delete", "begins")
        self.waiting["delete"] = 1
        self._start("delete", self.subject.delete, self.key)
        await self.wait_until_idle()
        if self.waiting["delete"]:
            await self.end_loads()
        if self.waiting["delete"]:
            await self.wait_until_idle(patiently=True)
        self.check_none_waits("delete")
        for answer in self.answers.pop("delete", []):
            if answer.error is not None:
                raise answer.error

    async def end_loads(self, number: int | None = None, *, fail: bool = False) -> None:
        """End the load of this number, or all that are running now; then wait until idle."""
        self.record.next_phase()
        self.loads.release(number, error=OriginDown if fail else None)
        await self.wait_until_idle()

    async def cancel_loads(self) -> None:
        """Let all loads that are running now raise CancelledError; then wait until idle."""
        self.record.next_phase()
        self.loads.release(error=asyncio.CancelledError)
        await self.wait_until_idle()

    async def finish(self) -> None:
        """End all loads, also those that are still to begin. Raises `CallerHangs` if a caller still waits then."""
        self.loads.release_at_once = True
        await self.end_loads()
        await self.wait_until_idle(patiently=True)
        self.loads.release_at_once = False
        self.check_none_waits(*self.waiting)

    def reset(self) -> None:
        """Start again with another key, version 1 and an empty record. The stage keeps nothing of the last key."""
        self.key, self.version = Key(), 1
        self.record.steps, self.answers, self.waiting = [], {}, {}
        self.loads.reset()

    async def use_other_keys(self, count: int) -> None:
        """Get and delete `count` other keys, one after the other, without recording it; then reset."""
        self.record.next_phase()
        self.loads.release_at_once = self.record.paused = True
        self.waiting["others"] = 1
        self._start("others", self._get_and_delete_others, count)
        await self.wait_until_idle(patiently=True)
        self.loads.release_at_once = self.record.paused = False
        self.reset()

    def check_none_waits(self, *names: str) -> None:
        """Raises `CallerHangs` if a caller of one of these names has no answer yet."""
        for name in names:
            if self.waiting.get(name, 0):
                self.record.add(name, "waits for ever", self.waiting[name])
                raise CallerHangs(f"{sentence_start(name)} waits for ever.")

    def _take_answer(self, name: str, answer: Answer) -> None:
        with self._lock:
            self.waiting[name] -= 1
            self.answers.setdefault(name, []).append(answer)
            if did := self._reaction(name, answer):
                self.record.add(name, did)

    def _reaction(self, name: str, answer: Answer) -> str:
        """What the record says of a caller that was given this answer; "" if the script itself has cancelled it."""
        error = answer.error
        if name == "delete":
            return "returns" if error is None else f"raises {type(error).__name__}"
        if isinstance(error, asyncio.CancelledError):
            return "" if self.record.has(name, "leaves") else "is cancelled"
        if error is not None:
            return f"gets {type(error).__name__}"
        return f"gets {answer.value if isinstance(answer.value, int | None) else 'something else'}"


def sentence_start(name: str) -> str:
    """The name of a caller, or of one of several callers, as the beginning of a sentence."""
    return "One of the callers" if name == "callers" else name[0].upper() + name[1:]
