"""Exercise 6.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
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


class WithinATimeLimit(Mended):
    async def refresh(self, key: int) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(0.2):
                self.values[key] = await self.load(key)


class ASetAndWhoIsBusy(Mended):
    """The tasks stay in a set, and the keys under way have a table of their own."""

    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.tasks, self.busy = set(), set[int]()

    def touch(self, key: int) -> None:
        if key in self.busy:
            return
        self.busy.add(key)
        task = asyncio.create_task(self.refresh(key))
        self.tasks.add(task)
        task.add_done_callback(partial(self.done, key))

    def done(self, key: int, task: asyncio.Task[None]) -> None:
        self.busy.discard(key)
        self.tasks.discard(task)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        while self.tasks:
            await asyncio.wait(self.tasks)


class FillsInTheCallback(Mended):
    """The task is the load itself, and what it came to is looked at when it has ended."""

    def touch(self, key: int) -> None:
        if key not in self.tasks:
            task = self.tasks[key] = asyncio.ensure_future(self.load(key))
            task.add_done_callback(partial(self.done, key))

    def done(self, key: int, task: asyncio.Task[Any]) -> None:
        del self.tasks[key]
        if not task.cancelled() and task.exception() is None:
            self.values[key] = task.result()


class ClosesOneByOne(Mended):
    async def close(self) -> None:
        while self.tasks:
            task = next(iter(self.tasks.values()))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class ReturnsItsTask(Mended):
    """Whoever touches may wait for the refresh, if it likes."""

    def touch(self, key: int) -> Any:
        super().touch(key)
        return self.tasks[key]


class DropsTheOld(Mended):
    async def refresh(self, key: int) -> None:
        try:
            self.values[key] = await self.load(key)
        except Exception:
            del self.values[key]


class DropsTheOldAtOnce(Mended):
    async def refresh(self, key: int) -> None:
        old = self.values.pop(key)
        try:
            self.values[key] = await self.load(key)
        except Exception:
            self.values[key] = old


class KeepsNothingOfSome(Mended):
    """It keeps the old value of one key, and drops that of all others."""

    async def refresh(self, key: int) -> None:
        try:
            self.values[key] = await self.load(key)
        except Exception:
            if key > 103:
                self.values[key] = None


class FillsAnother(Mended):
    """The last key that was touched, as it happens with a variable that a loop goes on changing."""

    def touch(self, key: int) -> None:
        self.last = key
        super().touch(key)

    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            value = await self.load(key)
            self.values[self.last] = value


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


class OnceForEachKey(NeverTriesAgain):
    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            self.values[key] = await self.load(key)


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


class CancelsAndGoes(Mended):
    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()


class WaitsForTheLoads(Mended):
    async def close(self) -> None:
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


class ClosesWithAnError(Mended):
    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values())


class CannotCloseTwice(Mended):
    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.wait(self.tasks.values())


class ClosesWithoutAwait(Mended):
    def close(self) -> None:  # type: ignore[override]
        for task in self.tasks.values():
            task.cancel()


class NeverLoads(Mended):
    def touch(self, key: int) -> None:
        pass


class AsyncTouch(Mended):
    async def touch(self, key: int) -> None:  # type: ignore[override]
        super().touch(key)


class ForgetsToStore(Mended):
    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            await self.load(key)


class ForgetsToAwait(Mended):
    async def refresh(self, key: int) -> None:
        self.values[key] = self.load(key)


class GivesUpTooSoon(Mended):
    async def refresh(self, key: int) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0.03):
                self.values[key] = await self.load(key)


class Misspells(Mended):
    def touch(self, key: int) -> None:
        if key not in self.taks:  # type: ignore[attr-defined]
            super().touch(key)


class MisspellsInTheTask(OneEach):
    async def refresh(self, key: int) -> None:
        self.vaules[key] = await self.load(key)  # type: ignore[attr-defined]


class OtherNames:
    def __init__(self, load: Any) -> None:
        self.cached = dict[int, Any]()

    def touch(self, key: int) -> None: ...

    async def close(self) -> None: ...


ANSWERS: list[tuple[Any, str]] = [
    (Mended, "Correct."),
    (WithinATimeLimit, "Correct."),
    (ASetAndWhoIsBusy, "Correct."),
    (FillsInTheCallback, "Correct."),
    (ClosesOneByOne, "Correct."),
    (ReturnsItsTask, "Correct."),
    (Leaks, "Every touch starts a load"),
    (OneEach, "tasks that have ended are still in your table"),
    (Unheard, "no code ever looked at the error"),
    (DropsTheOld, "must leave the old value"),
    (DropsTheOldAtOnce, "While a load is under way, the old value stays"),
    (KeepsNothingOfSome, "must leave the old value"),
    (FillsAnother, "Each load fills its own key"),
    (OneForAll, "Each key needs a refresh of its own"),
    (NeverTriesAgain, "is never tried again"),
    (OnceForEachKey, "is not refreshed again"),
    (StaysInTheTable, "before its first step"),
    (NeverCloses, "After close() nothing may be under way"),
    (CancelsAndGoes, "After close() nothing may be under way"),
    (WaitsForTheLoads, "close() waits for loads that are under way"),
    (ClosesWithAnError, "the CancelledError of a task that it has cancelled itself"),
    (CannotCloseTwice, "Your code raised ValueError: Set of Tasks/Futures is empty, at line"),
    (ClosesWithoutAwait, "close has to be async"),
    (NeverLoads, "has to start a refresh"),
    (AsyncTouch, "touch is a plain function"),
    (ForgetsToStore, "did not get into `values`"),
    (ForgetsToAwait, "an await is missing"),
    (GivesUpTooSoon, "gives the load up before its end"),
    (Misspells, "Your code raised AttributeError: 'Misspells' object has no attribute 'taks', at line"),
    (MisspellsInTheTask, "'MisspellsInTheTask' object has no attribute 'vaules', at line"),
    (OtherNames, "Keep the names touch, close, values and tasks"),
    (Mended(None), "the class itself, without parentheses"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=6)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("6.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("6.2", ANSWERS, capsys)
