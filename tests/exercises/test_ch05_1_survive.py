"""Exercise 5.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Shared:
    """The six lines of chapter 5: the class that the exercise shows."""

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
    """No follower is cancelled, but the first caller that leaves clears the table, so that the next one loads again."""

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


class ClearsANewerLoad(Survives):
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


class SharesNothing(Survives):
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


ANSWERS: list[tuple[Any, str]] = [
    (Survives, "Correct."),
    (Shared, "Not yet. The first caller leaves"),
    (ShieldOnly, "A caller that leaves takes the load off the table"),
    (ClearsANewerLoad, "A caller that wakes up takes a newer load off the table"),
    (NeverClears, "Not yet."),
    (SharesNothing, "no longer share a load"),
    (DeleteDoesNothing, "must not be given the old load's answer"),
    (DeleteCancels, "must not cancel the old load"),
    (FillsAnyway, "fills after the delete"),
    (NoDelete, "Not yet."),
    (dict, "Not yet."),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("5.1", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("5.1", ANSWERS, capsys)
