"""Exercise 3.1: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import partial
from typing import Any

import pytest

from cachelab import Cache, MemoryStore, lab
from cachelab.lab.exercises import checking
from cachelab.lab.sandbox import run_sandboxed
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class NoLock:
    """The solution. The others have its dict, and more or less of its `get`."""

    def __init__(self, load: Any) -> None:
        self.load = load
        self.values: dict[int, Any] = {}

    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values[key] = await self.load(key)
        return self.values[key]


class WithLock(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.lock = asyncio.Lock()


class WithLocks(NoLock):
    """A lock for each key."""

    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.locks: dict[int, asyncio.Lock] = {}


# Right answers


class QuickLock(WithLock):
    async def get(self, key: int) -> Any:
        async with self.lock:
            if key in self.values:
                return self.values[key]
        value = await self.load(key)
        async with self.lock:
            self.values[key] = value
        return value


class ThreadLockOnTheDict(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.lock = threading.Lock()

    async def get(self, key: int) -> Any:
        with self.lock:
            if key in self.values:
                return self.values[key]
        value = await self.load(key)
        with self.lock:
            self.values[key] = value
        return value


class LockPerKey(WithLocks):
    async def get(self, key: int) -> Any:
        async with self.locks.setdefault(key, asyncio.Lock()):
            return await super().get(key)


class LockPerKeyLoadsTwice(WithLocks):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            async with self.locks.setdefault(key, asyncio.Lock()):
                self.values[key] = await self.load(key)
        return self.values[key]


class EightAtATime(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.places = asyncio.Semaphore(8)

    async def get(self, key: int) -> Any:
        if key not in self.values:
            async with self.places:
                self.values[key] = await self.load(key)
        return self.values[key]


class SharedFutures(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.loading: dict[int, asyncio.Future[Any]] = {}

    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        if key in self.loading:
            return await self.loading[key]
        future = self.loading[key] = asyncio.get_running_loop().create_future()
        try:
            value = self.values[key] = await self.load(key)
            future.set_result(value)
        except Exception as error:
            future.set_exception(error)
            raise
        finally:
            del self.loading[key]
        return value


class Tasks(NoLock):
    def get(self, key: int) -> Any:
        if key not in self.values:
            task = self.values[key] = asyncio.ensure_future(self.load(key))
            task.add_done_callback(lambda _: self.values.pop(key) if task.exception() else None)
        return self.values[key]


class WaitsForTheEvent(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.loading: dict[int, asyncio.Event] = {}

    async def get(self, key: int) -> Any:
        while key not in self.values:
            if key in self.loading:
                await self.loading[key].wait()
                continue
            done = self.loading[key] = asyncio.Event()
            try:
                self.values[key] = await self.load(key)
            finally:
                done.set()
                del self.loading[key]
        return self.values[key]


class SetDefault(NoLock):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        return self.values.setdefault(key, await self.load(key))


class TriesFirst(NoLock):
    async def get(self, key: int) -> Any:
        try:
            return self.values[key]
        except KeyError:
            value = self.values[key] = await self.load(key)
            return value


class YieldsFirst(NoLock):
    async def get(self, key: int) -> Any:
        await asyncio.sleep(0)
        return await super().get(key)


def the_real_one(load: Any) -> Any:
    return Cache(MemoryStore(1_000), load, ttl=60)


# Wrong answers


class ProfileCache(WithLock):
    """The class that the exercise shows."""

    async def get(self, key: int) -> Any:
        await self.lock.acquire()
        value = self.values.get(key)
        if value is None:
            value = self.values[key] = await self.load(key)
        self.lock.release()
        return value


class HeldAcross(WithLock):
    async def get(self, key: int) -> Any:
        async with self.lock:
            return await super().get(key)


class HeldAcrossMisses(WithLock):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        async with self.lock:
            return await super().get(key)


class HitsTakePlaces(EightAtATime):
    async def get(self, key: int) -> Any:
        async with self.places:
            return await NoLock.get(self, key)


class FourAtATime(EightAtATime):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.places = asyncio.Semaphore(4)


class SixteenLocks(WithLocks):
    async def get(self, key: int) -> Any:
        async with self.locks.setdefault(key % 16, asyncio.Lock()):
            return await super().get(key)


class FourLocksForMisses(WithLocks):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        async with self.locks.setdefault(key % 4, asyncio.Lock()):
            return await super().get(key)


class NeverStores(NoLock):
    async def get(self, key: int) -> Any:
        return self.values[key] if key in self.values else await self.load(key)


class NeverLooks(NoLock):
    async def get(self, key: int) -> Any:
        self.values[key] = await self.load(key)
        return self.values[key]


class RefreshesOnEachHit(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            return await super().get(key)
        self.task = asyncio.ensure_future(self.load(key))
        return self.values[key]


class LoadsTwice(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            await self.load(key)
        return await super().get(key)


class KeepsOne(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values = {key: await self.load(key)}
        return self.values[key]


class KeepsTen(NoLock):
    async def get(self, key: int) -> Any:
        value = await super().get(key)
        if len(self.values) > 10:
            self.values.pop(next(iter(self.values)))
        return value


class LosesAnUpdate(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values = self.values | {key: await self.load(key)}
        return self.values[key]


class CopiesBeforeTheLoad(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            values = dict(self.values)
            values[key] = await self.load(key)
            self.values = values
        return self.values[key]


class DropsWhatTwoHaveLoaded(NoLock):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        value = await self.load(key)
        if self.values.pop(key, None) is None:
            self.values[key] = value
        return value


class KeepsTheKeyInSelf(NoLock):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        self.key = key
        value = await self.load(key)
        self.values[self.key] = value
        return value


class NoneIsNothing(NoLock):
    async def get(self, key: int) -> Any:
        value = self.values.get(key)
        if value is None:
            value = self.values[key] = await self.load(key)
        return value


class AnswersForNone(NoLock):
    async def get(self, key: int) -> Any:
        return await super().get(key) or "unknown"


class MarksTheKey(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values[key] = "loading"
            self.values[key] = await self.load(key)
        return self.values[key]


class SetsNoEvent(WaitsForTheEvent):
    async def get(self, key: int) -> Any:
        if key in self.loading and key not in self.values:
            await self.loading[key].wait()
        self.loading[key] = asyncio.Event()
        return await NoLock.get(self, key)


class StaysLocked(WithLocks):
    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        lock = self.locks.setdefault(key, asyncio.Lock())
        await lock.acquire()
        value = self.values[key] = await self.load(key)
        lock.release()
        return value


class OneFuture(SharedFutures):
    """The waiters of a load that fails are told nothing."""

    async def get(self, key: int) -> Any:
        if key in self.values:
            return self.values[key]
        if key in self.loading:
            return await self.loading[key]
        future = self.loading[key] = asyncio.get_running_loop().create_future()
        try:
            self.values[key] = await self.load(key)
            future.set_result(self.values[key])
        finally:
            del self.loading[key]
        return self.values[key]


class KeepsErrors(NoLock):
    async def get(self, key: int) -> Any:
        if isinstance(self.values.get(key), Exception):
            raise self.values[key]
        try:
            return await super().get(key)
        except ConnectionError as error:
            self.values[key] = error
            raise


class KeepsFailedTasks(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values[key] = asyncio.ensure_future(self.load(key))
        return await self.values[key]


class SwallowsErrors(NoLock):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            return None


class TriesAgain(NoLock):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            return await super().get(key)


class RaisesAnotherError(NoLock):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError:
            raise LookupError(key) from None


class NeverReleases(WithLock):
    async def get(self, key: int) -> Any:
        await self.lock.acquire()
        return await super().get(key)


class NeverReleasesAfterAMiss(WithLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            await self.lock.acquire()
        return await super().get(key)


class NeverLeavesItsPlace(EightAtATime):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            await self.places.acquire()
        return await NoLock.get(self, key)


class ReleasesTwice(WithLock):
    async def get(self, key: int) -> Any:
        async with self.lock:
            self.lock.release()
            return await super().get(key)


class PlainFunction(NoLock):
    def get(self, key: int) -> Any:
        return self.values.get(key, "nothing")


class ForgetsToAwait(NoLock):
    async def get(self, key: int) -> Any:
        return self.load(key)


class ReturnsTheTask(NoLock):
    async def get(self, key: int) -> Any:
        return asyncio.ensure_future(self.load(key))


class KeepsTheCoroutine(NoLock):
    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.values[key] = self.load(key)
        return await self.values[key]


class AnswersForAnother(NoLock):
    async def get(self, key: int) -> Any:
        await super().get(key)
        return next(iter(self.values.values()))


class ReturnsAPair(NoLock):
    async def get(self, key: int) -> Any:
        return key, await super().get(key)


class ReturnsNothing(NoLock):
    async def get(self, key: int) -> Any:
        await super().get(key)


class LoadsNothing(NoLock):
    async def get(self, key: int) -> Any:
        return self.values.get(key)


class HasATypoInATask(WaitsForTheEvent):
    """Its callers wait for an event that a failed task does not set."""

    async def get(self, key: int) -> Any:
        if key not in self.values:
            self.loading[key] = asyncio.Event()
            self.task = asyncio.create_task(self._load(key))
            await self.loading[key].wait()
        return self.values[key]

    async def _load(self, key: int) -> None:
        self.vales[key] = await self.load(key)  # type: ignore[attr-defined]
        self.loading[key].set()


class Empty(NoLock):
    async def get(self, key: int) -> Any: ...


HIT_WAITS = "A hit waits for a miss"
KEYS_WAIT = "Different keys wait for each other's loads"
LOADED_AGAIN = "The same key is loaded again on each call"
SIDE_BY_SIDE = "Loads that run at the same time lose each other's values"
STAYS_LOCKED = "what was locked for the failed load stays locked"
MUST_REACH = "An error of the load must reach the caller as it is"

ANSWERS: list[tuple[Any, str]] = [
    (NoLock, "Correct. A hit is answered at once, 8 different keys load side by side in 50 ms"),
    (QuickLock, "Correct."),
    (ThreadLockOnTheDict, "Correct."),
    (LockPerKey, "Correct."),
    (LockPerKeyLoadsTwice, "Correct."),
    (EightAtATime, "Correct."),
    (SharedFutures, "Correct."),
    (Tasks, "Correct."),
    (WaitsForTheEvent, "Correct."),
    (SetDefault, "Correct."),
    (TriesFirst, "Correct."),
    (YieldsFirst, "Correct."),
    (the_real_one, "Correct."),
    (..., "Nothing to check yet: write the name of your class"),
    (Empty, "Nothing to check yet: the class still has ..."),
    (ProfileCache, HIT_WAITS),
    (HeldAcross, HIT_WAITS),
    (HitsTakePlaces, HIT_WAITS),
    (SixteenLocks, HIT_WAITS),
    (HeldAcrossMisses, KEYS_WAIT),
    (FourAtATime, KEYS_WAIT),
    (FourLocksForMisses, KEYS_WAIT),
    (NeverStores, LOADED_AGAIN),
    (NeverLooks, LOADED_AGAIN),
    (RefreshesOnEachHit, LOADED_AGAIN),
    (LoadsTwice, "One call loads its key twice"),
    (KeepsOne, "A value is lost when another key is loaded"),
    (KeepsTen, "A value is lost: 30 keys were loaded"),
    (LosesAnUpdate, SIDE_BY_SIDE),
    (CopiesBeforeTheLoad, SIDE_BY_SIDE),
    (KeepsTheKeyInSelf, SIDE_BY_SIDE),
    (DropsWhatTwoHaveLoaded, "Two callers have loaded the key at the same time, and a later call"),
    (NoneIsNothing, "The origin's answer for this key is None"),
    (AnswersForNone, "get(key) has to return the value that load(key) returned"),
    (MarksTheKey, "A caller that comes while its key is being loaded does not get the value"),
    (SetsNoEvent, "A caller that comes while its key is being loaded is never answered"),
    (StaysLocked, STAYS_LOCKED),
    (OneFuture, STAYS_LOCKED),
    (KeepsErrors, "The error is kept"),
    (KeepsFailedTasks, "The error is kept"),
    (SwallowsErrors, MUST_REACH),
    (TriesAgain, MUST_REACH),
    (RaisesAnotherError, "Your code raised LookupError"),
    (NeverReleases, "Your code waits for something that never comes"),
    (NeverReleasesAfterAMiss, "Your code waits for something that never comes"),
    (NeverLeavesItsPlace, "Your code waits for something that never comes"),
    (ReleasesTwice, "Your code raised RuntimeError"),
    (PlainFunction, "get has to be an async function"),
    (ForgetsToAwait, "something that still has to be awaited"),
    (ReturnsTheTask, "something that still has to be awaited"),
    (KeepsTheCoroutine, "Your code raised RuntimeError: cannot reuse already awaited coroutine"),
    (AnswersForAnother, "get(key) has to return the value that load(key) returned"),
    (ReturnsAPair, "get(key) has to return the value that load(key) returned"),
    (7, "Give the check the class itself"),
    (ReturnsNothing, "get returns None, and its key has been loaded: is a return missing?"),
    (LoadsNothing, "get returns None, and has not loaded: is a return missing?"),
    (HasATypoInATask, "no attribute 'vales', at line"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake; nothing is printed to stderr."""
    assert_verdict("3.1", answer, words, capsys)
    gc.collect()
    assert not capsys.readouterr().err


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("3.1", ANSWERS, capsys)


def test_the_evidence_is_a_trace_of_the_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the sentence stand the calls that show the mistake, each with its answer, its time and its loads."""
    lab.check("3.1", ProfileCache)
    assert capsys.readouterr().out.partition("\n\n")[2].splitlines() == [
        "when     call       answer               after   loads of this key",
        "10.00 s  get(1044)  'user 1044, load 1'  50 ms   1",
        "10.01 s  get(20)    'user 20, load 1'    390 ms  1   <-- here",
    ]
    lab.check("3.1", StaysLocked)
    assert capsys.readouterr().out.partition("\n\n")[2].splitlines() == [
        "when    call     answer                               after  loads of this key",
        "0.00 s  get(13)  ConnectionError: the origin is down  50 ms  1",
        "1.00 s  get(13)  never comes                          -      1   <-- here",
    ]


class ThreadLockAcross(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.lock = threading.Lock()

    async def get(self, key: int) -> Any:
        with self.lock:
            return await super().get(key)


class Polls(NoLock):
    def __init__(self, load: Any) -> None:
        super().__init__(load)
        self.loading = False

    async def get(self, key: int) -> Any:
        while self.loading:
            await asyncio.sleep(0)
        self.loading = True
        value = await super().get(key)
        self.loading = False
        return value


@pytest.mark.long
@pytest.mark.parametrize("answer", [ThreadLockAcross, Polls])
def test_an_answer_that_blocks_the_loop_gets_a_sentence(
    answer: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread's lock across the load, and a loop that waits without a pause, end in the sandbox's sentence."""
    monkeypatch.setattr(checking, "run_sandboxed", partial(run_sandboxed, seconds=0.5))
    lab.check("3.1", answer)
    assert "Your code did not come back" in capsys.readouterr().out


def test_each_step_of_the_repair_gets_its_own_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """The class of the exercise, repaired one mistake at a time, gets a new verdict each time, at last Correct."""
    said = []
    for answer in (ProfileCache, HeldAcrossMisses, NoneIsNothing, StaysLocked, NoLock):
        lab.check("3.1", answer)
        said.append(capsys.readouterr().out.partition("\n\n")[0])
    assert len(set(said)) == len(said)
    assert said[-1].startswith("Correct.")
