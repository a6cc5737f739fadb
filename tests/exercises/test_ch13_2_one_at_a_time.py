"""Exercise 13.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cachelab import Breaker, Refused, lab
from tests.support import breaker_zoo as zoo
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def now() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()


class MyBreaker:
    """The class that the exercise shows."""

    def __init__(self, load: Any, failures: int, open_s: float) -> None:
        self.load, self.failures, self.open_s = load, failures, open_s
        self.failed = 0
        self.open_until: float | None = None
        self.is_trying = False
        self.lock = asyncio.Lock()
        self.trial: Any = None

    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None and now() < self.open_until:
            raise Refused("The breaker is open.")
        return await self.ask(key)

    async def ask(self, key: Any) -> Any:
        try:
            answer = await self.load(key)
        except Exception:
            self.failed += 1
            if self.failed >= self.failures:
                self.open_until = now() + self.open_s
            raise
        self.failed, self.open_until = 0, None
        return answer


class WithAFlag(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        half_open = self.open_until is not None
        if half_open and (self.is_trying or now() < (self.open_until or 0)):
            raise Refused
        self.is_trying = half_open
        try:
            return await self.ask(key)
        finally:
            if half_open:
                self.is_trying = False


class WithALock(MyBreaker):
    """Who finds the lock taken is refused; the lock is freed also if its holder is cancelled."""

    async def __call__(self, key: Any) -> Any:
        if self.open_until is None:
            return await self.ask(key)
        if now() < self.open_until or self.lock.locked():
            raise RuntimeError("not now")
        async with self.lock:
            return await self.ask(key)


class OpensForTheTrial(MyBreaker):
    """The trial opens the breaker for everybody else, for so long as it may take."""

    async def __call__(self, key: Any) -> Any:
        if self.open_until is None:
            return await self.ask(key)
        if now() < self.open_until:
            raise Refused
        self.open_until = float("inf")
        try:
            return await self.ask(key)
        except asyncio.CancelledError:
            self.open_until = now()
            raise


class WithATask(MyBreaker):
    """The trial is the task that makes it: a task that is done has left its place."""

    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None:
            if now() < self.open_until or (self.trial is not None and not self.trial.done()):
                raise Refused
            self.trial = asyncio.current_task()
        return await self.ask(key)


class WithAContextManager(MyBreaker):
    @asynccontextmanager
    async def place(self) -> Any:
        half_open = self.open_until is not None
        if half_open and (self.is_trying or now() < (self.open_until or 0)):
            raise Refused
        if half_open:
            self.is_trying = True
        try:
            yield
        finally:
            if half_open:
                self.is_trying = False

    async def __call__(self, key: Any) -> Any:
        async with self.place():
            return await self.ask(key)


class NoFinally(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        half_open = self.open_until is not None
        if half_open and (self.is_trying or now() < (self.open_until or 0)):
            raise Refused
        self.is_trying = half_open
        try:
            answer = await self.ask(key)
        except Exception:
            self.is_trying = False
            raise
        self.is_trying = False
        return answer


class FreedByAnswersOnly(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None and (self.is_trying or now() < self.open_until):
            raise Refused
        self.is_trying = self.open_until is not None
        answer = await self.ask(key)
        self.is_trying = False
        return answer


class FlagAfterTheAwait(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None and (self.is_trying or now() < self.open_until):
            raise Refused
        await asyncio.sleep(0)
        self.is_trying = self.open_until is not None
        try:
            return await self.ask(key)
        finally:
            self.is_trying = False


class FreedByAnybody(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None and (self.is_trying or now() < self.open_until):
            raise Refused
        self.is_trying = self.open_until is not None
        try:
            return await self.ask(key)
        finally:
            self.is_trying = False


class WaitsForTheTrial(MyBreaker):
    """The others wait for a trial whose place is passed on to nobody."""

    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None:
            if now() < self.open_until:
                raise Refused
            if self.is_trying:
                await asyncio.Event().wait()
            self.is_trying = True
        try:
            return await self.ask(key)
        finally:
            self.is_trying = False


class RefusesAllWhenHalfOpen(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None:
            raise Refused
        return await self.ask(key)


class AlwaysOneAtATime(MyBreaker):
    """Also while it is closed."""

    async def __call__(self, key: Any) -> Any:
        if self.is_trying or (self.open_until is not None and now() < self.open_until):
            raise Refused
        self.is_trying = True
        try:
            return await self.ask(key)
        finally:
            self.is_trying = False


class ReturnsNothing(WithAFlag):
    async def __call__(self, key: Any) -> Any:
        await super().__call__(key)


class ForgetsAnAwait(WithAFlag):
    async def __call__(self, key: Any) -> Any:
        return super().__call__(key)


class NotAsync(WithAFlag):
    def __call__(self, key: Any) -> Any:
        return "an answer"


class Raises(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        return await self.nothing(key)  # type: ignore[attr-defined]


class RaisesWhenHalfOpen(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None and now() >= self.open_until:
            return self.nothing  # type: ignore[attr-defined]
        return await super().__call__(key)


class Blocks(MyBreaker):
    async def __call__(self, key: Any) -> Any:
        if self.open_until is not None:
            while True:
                pass
        return await super().__call__(key)


class NotCallable:
    def __init__(self, load: Any, failures: int, open_s: float) -> None:
        pass


ANSWERS: list[tuple[Any, str]] = [
    (WithAFlag, "Correct."),
    (WithALock, "Correct."),
    (OpensForTheTrial, "Correct."),
    (WithATask, "Correct."),
    (WithAContextManager, "Correct."),
    (Breaker, "Correct."),
    (zoo.Correct, "Correct."),
    (zoo.LateAnswersClose, "Correct."),
    (zoo.CountsMistakes, "Correct."),
    (MyBreaker, "it still lets a crowd through"),
    (FlagAfterTheAwait, "it still lets a crowd through"),
    (NoFinally, "its place is never free again"),
    (FreedByAnswersOnly, "the place of the one call must be free again"),
    (WaitsForTheTrial, "Yours wait for ever"),
    (RefusesAllWhenHalfOpen, "It never learns that the origin is back"),
    (FreedByAnybody, "only the call that took it may free it"),
    (zoo.ForgetsHowToOpen, "have to open it again"),
    (AlwaysOneAtATime, "all calls have to pass"),
    (zoo.NeverOpens, "It no longer opens"),
    (zoo.OpensTooEarly, "before it has seen so many failures in a row"),
    (zoo.HangsWhenOpen, "it has to be told at once"),
    (zoo.CountsAllFailures, "set the count of failures back to 0"),
    (zoo.OpensForHalfAsLong, "before its time is over"),
    (zoo.AnswersNone, "A refused caller needs an error"),
    (zoo.TriesAgainAtOnce, "has to be open again"),
    (zoo.OverlooksTimeouts, "does not count a TimeoutError"),
    (zoo.WrapsErrors, "have to reach the caller as they are"),
    (ReturnsNothing, "is a return missing?"),
    (ForgetsAnAwait, "an await is missing"),
    (NotAsync, "__call__ has to be async"),
    (NotCallable, "keep __call__(self, key)"),
    (Raises, "Your code raised AttributeError"),
    (Blocks, "Your code did not come back"),
    (42, "Give the check the class itself"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("13.2", answer, words, capsys)


def test_an_error_when_half_open_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It looks like a refusal to a caller."""
    assert_verdict("13.2", RaisesWhenHalfOpen, "Your code raised AttributeError", capsys)


@pytest.mark.parametrize(("build", "failed"), [(MyBreaker, {4, 7, 10}), (WithAFlag, {7, 10})])
def test_the_breaker_of_the_chapter_fails_these_items(build: Any, failed: set[int]) -> None:
    """Before and after it is mended: chapter 13 says that two are left, and which."""
    assert lab.breaker_exam(build).failed == failed


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("13.2", ANSWERS, capsys)
