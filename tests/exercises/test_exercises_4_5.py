"""The exercises of chapters 4 and 5: the solution passes, wrong answers get their own words, nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Shared:
    """The six lines of chapter 4."""

    def __init__(self) -> None:
        self.loads: dict[Any, asyncio.Future[Any]] = {}

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.loads:
            self.loads[key] = asyncio.ensure_future(load(key))
        try:
            return await self.loads[key]
        finally:
            self.loads.pop(key, None)

    async def delete(self, key: Any) -> None:
        self.loads.pop(key, None)


class ShieldOnly(Shared):
    """The follower is safe, but the first to leave clears the table, so that the next one loads again."""

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.loads:
            self.loads[key] = asyncio.ensure_future(load(key))
        try:
            return await asyncio.shield(self.loads[key])
        finally:
            self.loads.pop(key, None)


class Survives(Shared):
    async def get(self, key: Any, load: Any) -> Any:
        task = self.loads.get(key)
        if task is None:
            task = self.loads[key] = asyncio.ensure_future(load(key))
            task.add_done_callback(lambda done: self.clear(key, done))
        return await asyncio.shield(task)

    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        if self.loads.get(key) is task:
            del self.loads[key]
        if not task.cancelled():
            task.exception()


class ClearsAnothers(Survives):
    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        self.loads.pop(key, None)
        if not task.cancelled():
            task.exception()


class NeverClears(Survives):
    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        if not task.cancelled():
            task.exception()


class NoDelete:
    async def get(self, key: Any, load: Any) -> Any:
        return await load(key)


class Alone(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        return await load(key)


class DeleteCancels(Survives):
    async def delete(self, key: Any) -> None:
        task = self.loads.pop(key, None)
        if task is not None:
            task.cancel()


class FillsAnyway(Survives):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Any, Any] = {}

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.values:
            self.values[key] = await super().get(key, load)
        return self.values[key]

    async def delete(self, key: Any) -> None:
        self.values.pop(key, None)
        self.loads.pop(key, None)


class DeleteDoesNothing(Survives):
    async def delete(self, key: Any) -> None:
        pass


class Leaks:
    """The refresher of chapter 5; the others mend it in part."""

    tasks: Any

    def __init__(self, load: Any) -> None:
        self.load, self.values, self.tasks = load, dict[int, Any](), set()

    def touch(self, key: int) -> None:
        self.tasks.add(asyncio.create_task(self.refresh(key)))

    async def refresh(self, key: int) -> None:
        self.values[key] = await self.load(key)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()


class OneEach(Leaks):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.tasks = {}

    def touch(self, key: int) -> None:
        if key not in self.tasks:
            self.tasks[key] = asyncio.create_task(self.refresh(key))


class Unheard(OneEach):
    async def refresh(self, key: int) -> None:
        try:
            self.values[key] = await self.load(key)
        finally:
            del self.tasks[key]


class Mended(OneEach):
    def touch(self, key: int) -> None:
        if key not in self.tasks:
            super().touch(key)
            self.tasks[key].add_done_callback(lambda _: self.tasks.pop(key))

    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            self.values[key] = await self.load(key)

    async def close(self) -> None:
        running = list(self.tasks.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class DropsTheOld(Mended):
    async def refresh(self, key: int) -> None:
        try:
            self.values[key] = await self.load(key)
        except Exception:
            del self.values[key]


class OneForAll(Mended):
    def touch(self, key: int) -> None:
        if not self.tasks:
            super().touch(key)


class NeverTriesAgain(Mended):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.busy: set[int] = set()

    def touch(self, key: int) -> None:
        if key not in self.busy:
            self.busy.add(key)
            super().touch(key)

    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            self.values[key] = await self.load(key)
            self.busy.discard(key)


class DeadAfterClose(OneEach):
    """A task that is cancelled before its first step never comes to its `finally`."""

    async def refresh(self, key: int) -> None:
        try:
            self.values[key] = await self.load(key)
        except Exception:
            pass
        finally:
            del self.tasks[key]

    async def close(self) -> None:
        running = list(self.tasks.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class NeverCloses(Mended):
    async def close(self) -> None:
        pass


class NeverLoads(Mended):
    def touch(self, key: int) -> None:
        pass


class ForgetsToStore(Mended):
    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            await self.load(key)


def slo(ttl: Any, beta: Any, jitter: Any) -> dict[str, Any]:
    """A plan for exercise 5.1."""
    return {"ttl": ttl, "beta": beta, "jitter": jitter}


ANSWERS: list[tuple[str, Any, str]] = [
    ("4.survive", Survives, "Correct."),
    ("4.survive", Shared, "Not yet. The first caller leaves"),
    ("4.survive", ShieldOnly, "Whoever leaves takes the load off the table"),
    ("4.survive", ClearsAnothers, "Whoever wakes up takes a newer load off the table"),
    ("4.survive", NeverClears, "Not yet."),
    ("4.survive", Alone, "no longer share a load"),
    ("4.survive", DeleteDoesNothing, "must not be given the old load's answer"),
    ("4.survive", DeleteCancels, "must not cancel the old load"),
    ("4.survive", FillsAnyway, "fills after the delete"),
    ("4.survive", NoDelete, "Not yet."),
    ("4.survive", dict, "Not yet."),
    ("4.survive", ..., "Nothing to check yet"),
    ("4.lock", {2, 3, 6, 8}, "Correct."),
    ("4.lock", [8, 6, 3, 2], "Correct."),
    ("4.lock", {3, 6, 8}, "You missed what happens when the load fails"),
    ("4.lock", {2, 6, 8}, "You missed what happens when the first caller leaves"),
    ("4.lock", {2, 3, 8}, "You missed the delete"),
    ("4.lock", {2, 3, 6}, "You missed what stays"),
    ("4.lock", {2, 3, 4, 6, 8}, "item 4 is none of them"),
    ("4.lock", {2, 3, 9}, "numbers from 1 to 8"),
    ("4.lock", "2, 3", "A set of numbers"),
    ("4.lock", ..., "Nothing to check yet"),
    ("5.slo", slo(25, 2, 0.2), "Correct."),
    ("5.slo", slo(29, 2, 0.2), "Too old"),
    ("5.slo", slo(27, 2, 0), "they still expire together"),
    ("5.slo", slo(10, 2, 0.2), "Too short a TTL"),
    ("5.slo", slo(20, 10, 0.2), "So large a β"),
    ("5.slo", slo(30, 10, 0), "Correct."),
    ("5.slo", slo(27, 2, 0.1), "still too close together"),
    ("5.slo", slo(25, 0, 0.2), "let somebody throw the die earlier"),
    ("5.slo", slo(25, 2, 1), "a jitter from 0 to less than 1"),
    ("5.slo", slo(..., ..., ...), "Nothing to check yet"),
    ("5.slo", None, "Nothing to check yet"),
    ("5.leak", Mended, "Correct."),
    ("5.leak", Leaks, "Every touch starts a load"),
    ("5.leak", OneEach, "tasks that have ended are still in your table"),
    ("5.leak", Unheard, "nobody ever looked at the error"),
    ("5.leak", DropsTheOld, "must leave the old value"),
    ("5.leak", OneForAll, "Each key needs a refresh of its own"),
    ("5.leak", NeverTriesAgain, "is never tried again"),
    ("5.leak", DeadAfterClose, "before its first step"),
    ("5.leak", NeverCloses, "After close() nothing may be under way"),
    ("5.leak", NeverLoads, "has to start a refresh"),
    ("5.leak", ForgetsToStore, "did not get into `values`"),
    ("5.leak", ..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each misconception is called by its name."""
    assert_verdict(name, answer, words, capsys)


@pytest.mark.parametrize("name", ["4.survive", "4.lock", "5.slo", "5.leak"])
def test_every_misconception_comes_with_its_evidence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong, the sentence is followed by what happened."""
    assert_evidence_follows(name, ANSWERS, capsys)
