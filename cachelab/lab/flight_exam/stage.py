"""The stage of the single-flight exam: callers, loads that end when the script says so, and a record of every step.

A script (see `exam_items`) is written once; `exam_players` plays it with tasks or with threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from cachelab.lab.flight_exam.words import Answer, Hangs, Key, OriginDown, Step, one_of

__all__ = ["Stage"]

LANES = 3  # loads with a lane of their own in the record; the others share one


class Stage:
    """One subject and one origin, whose value is a version number. `key` is the one that callers ask for."""

    def __init__(self, subject: Any) -> None:
        self.subject = subject
        self.key: Any = Key()
        self.version: int | None = 1
        self.loads = 0
        self.steps: list[Step] = []
        self.answers: dict[str, list[Answer]] = {}
        self.waiting: dict[str, int] = {}
        self.slowness = 1.0  # where time is real: how much longer to wait for others than usual
        self.alive = False  # once the subject has let others run
        self.over = False  # nothing more is recorded
        self._phase = 0
        self._gates: dict[int, Any] = {}  # of the loads that fly
        self._open = False
        self._fail: set[int] = set()
        self._lock = threading.RLock()

    can_cancel = False
    load: Callable[[Any], Any]
    """The origin, as the subject calls it: async or not."""

    @property
    def can_delete(self) -> bool:
        """Whether the subject has a `delete(key)`."""
        return callable(getattr(self.subject, "delete", None))

    async def call(self, name: str, count: int = 1, *, verb: Callable[..., Any] | None = None) -> None:
        """So many callers of that name ask for the key; then everybody does what he can do now."""
        self._phase += 1
        self.answers.setdefault(name, [])
        for _ in range(count):
            self.waiting[name] = self.waiting.get(name, 0) + 1
            self._start(name, verb or self.subject.get, self.key, self.load)
        await self.settle()

    def get_with_one_retry(self, *args: Any) -> Any:
        """The subject's `get`, async or not, for a caller who asks again at once if he gets the origin's error."""
        raise NotImplementedError

    async def cancel(self, name: str) -> None:
        """Cancel the callers of that name, where `can_cancel`; then everybody does what he can do now."""
        raise NotImplementedError

    def load_other_keys(self, count: int) -> Any:
        """What `use_other_keys` does, async or not."""
        raise NotImplementedError

    def _start(self, name: str, verb: Callable[..., Any], *args: Any) -> None:
        raise NotImplementedError

    async def settle(self, *, patiently: bool = False) -> None:
        """Wait until nobody can do anything more."""
        raise NotImplementedError

    async def write(self) -> None:
        """The origin commits the next version."""
        self._phase += 1
        self.version = (self.version or 0) + 1
        self.note("origin", f"commits {self.version}")

    async def delete(self) -> None:
        """Tell the subject to forget the key, as after a write. If that waits for the load, the load ends first."""
        self._phase += 1
        self.note("delete", "begins")
        self.waiting["delete"] = 1
        self._start("delete", self.subject.delete, self.key)
        await self.settle()
        if self.waiting["delete"]:
            await self.end_loads()
        if self.waiting["delete"]:
            await self.settle(patiently=True)
        self.nobody_waits("delete")
        for answer in self.answers.pop("delete", []):
            if answer.error is not None:
                raise answer.error

    async def end_loads(self, load: int | None = None, *, fail: bool = False) -> None:
        """Let that load end, or all that fly now; then everybody does what he can do now."""
        self._phase += 1
        with self._lock:
            gates = {number: gate for number, gate in self._gates.items() if load in (None, number)}
            if fail:
                self._fail |= set(gates)
        for gate in gates.values():
            gate.set()
        await self.settle()

    async def finish(self) -> None:
        """Let every load end, also those that are still to come, and see that nobody waits any more."""
        self._open = True
        await self.end_loads()
        await self.settle(patiently=True)
        self._open = False
        self.nobody_waits(*self.waiting)

    def fresh(self) -> None:
        """Another key, version 1, and a new record; nothing of the last key is kept here."""
        self.key, self.version, self.loads = Key(), 1, 0
        self.steps, self.answers, self.waiting, self._fail = [], {}, {}, set()

    def is_loading(self, load: int) -> bool:
        """Whether that load has begun and not ended."""
        return load in self._gates

    async def use_other_keys(self, count: int) -> None:
        """So many other keys are asked for, answered, and deleted, one after the other; nothing of it is recorded."""
        self._phase += 1
        self._open = self.over = True
        self.waiting["others"] = 1
        self._start("others", self.load_other_keys, count)
        await self.settle(patiently=True)
        self._open = self.over = False
        self.fresh()

    def nobody_waits(self, *names: str) -> None:
        """Raises `Hangs` if one of them waits."""
        for name in names:
            if self.waiting.get(name, 0):
                self.note(name, "waits for ever", self.waiting[name])
                raise Hangs(f"{one_of(name)} waits for ever.")

    def note(self, actor: str, did: str, count: int = 1) -> None:
        """Record a step; the same ones of a phase are one with a count."""
        with self._lock:
            if self.over:
                return
            step = Step(self._phase, actor, did, count)
            for same in self.steps:
                if (same.phase, same.actor, same.did) == (self._phase, actor, did):
                    same.count += count
                    if did == "calls":  # the first of them stands for all, elsewhere the last
                        return
                    self.steps.remove(same)
                    step = same
                    break
            self.steps.append(step)

    def _begin(self, gate: Any) -> tuple[int, int | None]:
        with self._lock:
            self.loads += 1
            number = self.loads
            self._gates[number] = gate
            if self._open:
                gate.set()
            self.note(_lane(number), f"begins, reads {self.version}")
            return number, self.version

    def _end(self, number: int, version: int | None, error: BaseException | None = None) -> int | None:
        with self._lock:
            del self._gates[number]
            if error is not None:
                self.note(_lane(number), "is cancelled")
                raise error
            if number in self._fail:
                self.note(_lane(number), "fails")
                raise OriginDown("the origin is down")
            self.note(_lane(number), f"ends with {version}")
            return version

    def _answered(self, name: str, answer: Answer) -> None:
        with self._lock:
            self.waiting[name] -= 1
            self.answers.setdefault(name, []).append(answer)
            if name == "delete":
                self.note(name, "returns" if answer.error is None else f"raises {type(answer.error).__name__}")
            elif isinstance(answer.error, asyncio.CancelledError):
                if not any((step.actor, step.did) == (name, "leaves") for step in self.steps):
                    self.note(name, "is cancelled")
            elif answer.error is not None:
                self.note(name, f"gets {type(answer.error).__name__}")
            else:
                self.note(name, f"gets {answer.value if isinstance(answer.value, int | None) else 'something else'}")


def _lane(number: int) -> str:
    return f"load {number}" if number <= LANES else "more loads"
