"""The exercises of chapters 5 and 6: the solution passes, wrong answers get their own words, nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Shared:
    """The six lines of chapter 5."""

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
    """The refresher of chapter 6; the others mend it in part."""

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
    ("5.1", Survives, "Correct."),
    ("5.1", Shared, "Not yet. The first caller leaves"),
    ("5.1", ShieldOnly, "Whoever leaves takes the load off the table"),
    ("5.1", ClearsAnothers, "Whoever wakes up takes a newer load off the table"),
    ("5.1", NeverClears, "Not yet."),
    ("5.1", Alone, "no longer share a load"),
    ("5.1", DeleteDoesNothing, "must not be given the old load's answer"),
    ("5.1", DeleteCancels, "must not cancel the old load"),
    ("5.1", FillsAnyway, "fills after the delete"),
    ("5.1", NoDelete, "Not yet."),
    ("5.1", dict, "Not yet."),
    ("5.1", ..., "Nothing to check yet"),
    ("5.2", {2, 3, 6, 8}, "Correct."),
    ("5.2", [8, 6, 3, 2], "Correct."),
    ("5.2", {3, 6, 8}, "You missed what happens when the load fails"),
    ("5.2", {2, 6, 8}, "You missed what happens when the first caller leaves"),
    ("5.2", {2, 3, 8}, "You missed the delete"),
    ("5.2", {2, 3, 6}, "You missed what stays"),
    ("5.2", {2, 3, 4, 6, 8}, "item 4 is none of them"),
    ("5.2", {2, 3, 9}, "numbers from 1 to 8"),
    ("5.2", "2, 3", "A set of numbers"),
    ("5.2", ..., "Nothing to check yet"),
    ("6.1", slo(25, 2, 0.2), "Correct."),
    ("6.1", slo(29, 2, 0.2), "Too old"),
    ("6.1", slo(27, 2, 0), "they still expire together"),
    ("6.1", slo(10, 2, 0.2), "Too short a TTL"),
    ("6.1", slo(20, 10, 0.2), "So large a β"),
    ("6.1", slo(30, 10, 0), "Correct."),
    ("6.1", slo(27, 2, 0.1), "still too close together"),
    ("6.1", slo(25, 0, 0.2), "let somebody throw the die earlier"),
    ("6.1", slo(25, 2, 1), "a jitter from 0 to less than 1"),
    ("6.1", slo(..., ..., ...), "Nothing to check yet"),
    ("6.1", None, "Nothing to check yet"),
    ("6.2", Mended, "Correct."),
    ("6.2", Leaks, "Every touch starts a load"),
    ("6.2", OneEach, "tasks that have ended are still in your table"),
    ("6.2", Unheard, "nobody ever looked at the error"),
    ("6.2", DropsTheOld, "must leave the old value"),
    ("6.2", OneForAll, "Each key needs a refresh of its own"),
    ("6.2", NeverTriesAgain, "is never tried again"),
    ("6.2", DeadAfterClose, "before its first step"),
    ("6.2", NeverCloses, "After close() nothing may be under way"),
    ("6.2", NeverLoads, "has to start a refresh"),
    ("6.2", ForgetsToStore, "did not get into `values`"),
    ("6.2", ..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each misconception is called by its name."""
    assert_verdict(name, answer, words, capsys)


@pytest.mark.parametrize("name", ["5.1", "5.2", "6.1", "6.2"])
def test_every_misconception_comes_with_its_evidence(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong, the sentence is followed by what happened."""
    assert_evidence_follows(name, ANSWERS, capsys)
