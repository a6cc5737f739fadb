"""Exercise 6.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Leaks:
    """The class that the exercise shows; those below mend it in part."""

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


class StaysInTheTable(OneEach):
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


ANSWERS: list[tuple[Any, str]] = [
    (Mended, "Correct."),
    (Leaks, "Every touch starts a load"),
    (OneEach, "tasks that have ended are still in your table"),
    (Unheard, "no code ever looked at the error"),
    (DropsTheOld, "must leave the old value"),
    (OneForAll, "Each key needs a refresh of its own"),
    (NeverTriesAgain, "is never tried again"),
    (StaysInTheTable, "before its first step"),
    (NeverCloses, "After close() nothing may be under way"),
    (NeverLoads, "has to start a refresh"),
    (ForgetsToStore, "did not get into `values`"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("6.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("6.2", ANSWERS, capsys)
