"""Exercise 5.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from cachelab import Flight
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Shared:
    """The six lines of chapter 5: the class that the exercise shows."""

    def __init__(self) -> None:
        self.loads: dict[Any, asyncio.Future[Any]] = {}

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.loads:
            self.loads[key] = asyncio.create_task(load(key))
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
        if key not in self.loads:
            task = self.loads[key] = asyncio.create_task(load(key))
            task.add_done_callback(lambda done: self.clear(key, done))
        return await asyncio.shield(self.loads[key])

    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        if self.loads.get(key) is task:
            del self.loads[key]


class AFutureForEachCaller:
    """A load in a task of its own hands its answer to a list of futures."""

    def __init__(self) -> None:
        self.waiting: dict[Any, list[asyncio.Future[Any]]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: Any, load: Any) -> Any:
        mine = asyncio.get_running_loop().create_future()
        if key in self.waiting:
            self.waiting[key].append(mine)
        else:
            waiting = self.waiting[key] = [mine]
            task = asyncio.create_task(self.fly(key, load, waiting))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return await mine

    async def fly(self, key: Any, load: Any, waiting: list[asyncio.Future[Any]]) -> None:
        value = error = None
        try:
            value = await load(key)
        except BaseException as raised:
            error = raised
        if self.waiting.get(key) is waiting:
            del self.waiting[key]
        for future in waiting:
            if not future.done():
                if error is None:
                    future.set_result(value)
                else:
                    future.set_exception(error)

    async def delete(self, key: Any) -> None:
        self.waiting.pop(key, None)


class WaitsBesideTheTask(Survives):
    """`asyncio.wait` does not cancel what it waits for."""

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.loads:
            self.loads[key] = asyncio.create_task(self.load_and_clear(key, load))
        task = self.loads[key]
        await asyncio.wait([task])
        return task.result()

    async def load_and_clear(self, key: Any, load: Any) -> Any:
        try:
            return await load(key)
        finally:
            if self.loads.get(key) is asyncio.current_task():
                del self.loads[key]


class AnEvent:
    """The load is an object with an event, a value and an error."""

    class Load:
        def __init__(self) -> None:
            self.ended, self.value, self.error = asyncio.Event(), None, None

    def __init__(self) -> None:
        self.loads: dict[Any, Any] = {}
        self.tasks: dict[Any, Any] = {}

    async def get(self, key: Any, load: Any) -> Any:
        shared = self.loads.get(key)
        if shared is None:
            shared = self.loads[key] = self.Load()
            self.tasks[shared] = asyncio.create_task(self.fill(key, load, shared))
        await shared.ended.wait()
        if shared.error is not None:
            raise shared.error
        return shared.value

    async def fill(self, key: Any, load: Any, shared: Any) -> None:
        try:
            shared.value = await load(key)
        except BaseException as error:
            shared.error = error
        del self.tasks[shared]
        if self.loads.get(key) is shared:
            del self.loads[key]
        shared.ended.set()

    def delete(self, key: Any) -> None:
        self.loads.pop(key, None)


class NotWrittenAsAsync(Survives):
    """`get` is a plain function that returns something to await."""

    def get(self, key: Any, load: Any) -> Any:
        return super().get(key, load)


class OfThePackage:
    """Whoever knows the package may use it."""

    def __init__(self) -> None:
        self.flight = Flight()

    async def get(self, key: Any, load: Any) -> Any:
        return await self.flight.do(key, load)

    async def delete(self, key: Any) -> None:
        self.flight.forget(key)


class Polls(Survives):
    """It looks again and again."""

    async def get(self, key: Any, load: Any) -> Any:
        if key not in self.loads:
            self.loads[key] = asyncio.create_task(load(key))
            self.loads[key].add_done_callback(lambda done: self.clear(key, done))
        task = self.loads[key]
        while not task.done():
            await asyncio.sleep(0)
        return task.result()


class ClearsANewerLoad(Survives):
    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        self.loads.pop(key, None)


class NeverClears(Survives):
    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        pass


class Misspells(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        task = self.laods.get(key)  # type: ignore[attr-defined]
        return await asyncio.shield(task)


class MisspellsInACallback(Survives):
    def clear(self, key: Any, task: asyncio.Future[Any]) -> None:
        del self.laods[key]  # type: ignore[attr-defined]


class MisspellsInItsTask(WaitsBesideTheTask):
    """The task fails before it loads; those who wait for an event of it would wait for ever."""

    async def get(self, key: Any, load: Any) -> Any:
        loaded = asyncio.Event()
        self.loads[key] = asyncio.create_task(self.tell(key, load, loaded))
        await loaded.wait()

    async def tell(self, key: Any, load: Any, loaded: asyncio.Event) -> None:
        self.values[key] = await load(key)  # type: ignore[attr-defined]
        loaded.set()


class MisspellsWhenALoadFails(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        try:
            return await super().get(key, load)
        except RuntimeError:
            raise
        except Exception:
            self.laods.pop(key)  # type: ignore[attr-defined]
            raise


class NoReturn(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        await super().get(key, load)


class NoAwait(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        return super().get(key, load)


class NotAsync(Survives):
    def get(self, key: Any, load: Any) -> Any:
        return key


class OfAnotherKey(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        return await super().get("a", load)


class Blocks(Survives):
    """It waits for a thread's lock that it holds itself."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    async def get(self, key: Any, load: Any) -> Any:
        with self.lock:
            return await load(key)


class DeleteRaises(Survives):
    async def delete(self, key: Any) -> None:
        del self.loads[key]


class StaysWhenItIsCancelled(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        try:
            return await super().get(key, load)
        except asyncio.CancelledError:
            return await super().get(key, load)


class GivesNothingWhenItIsCancelled(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        task = self.loads.get(key)
        with suppress(asyncio.CancelledError):
            return await super().get(key, load)
        if task is not None and task.cancelled():
            raise ConnectionError
        return None


class LastOneOutCancels(Survives):
    def __init__(self) -> None:
        super().__init__()
        self.callers: Counter[Any] = Counter()

    async def get(self, key: Any, load: Any) -> Any:
        self.callers[key] += 1
        task = None
        try:
            waiting = super().get(key, load)
            future = asyncio.ensure_future(waiting)
            await asyncio.sleep(0)
            task = self.loads.get(key)
            return await future
        finally:
            self.callers[key] -= 1
            if not self.callers[key]:
                del self.callers[key]
                if task is not None:
                    task.cancel()


class TellsNobodyOfACancelledLoad(AFutureForEachCaller):
    async def fly(self, key: Any, load: Any, waiting: list[asyncio.Future[Any]]) -> None:
        with suppress(asyncio.CancelledError):
            value = error = None
            try:
                value = await load(key)
            except Exception as raised:
                error = raised
            for future in waiting:
                if not future.done():
                    if error is None:
                        future.set_result(value)
                    else:
                        future.set_exception(error)
        if self.waiting.get(key) is waiting:
            del self.waiting[key]


class TellsNobodyOfAFailedLoad(TellsNobodyOfACancelledLoad):
    async def fly(self, key: Any, load: Any, waiting: list[asyncio.Future[Any]]) -> None:
        with suppress(Exception):
            value = await load(key)
            del self.waiting[key]
            for future in waiting:
                if not future.done():
                    future.set_result(value)


class WrapsTheError(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        try:
            return await super().get(key, load)
        except Exception as error:
            raise RuntimeError("the load has failed") from error


class LoadsAgainForEachWaiter(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        is_first = key not in self.loads
        try:
            return await super().get(key, load)
        except Exception:
            if is_first:
                raise
            return await super().get(key, load)


class TakesNoneForNothing(Survives):
    async def get(self, key: Any, load: Any) -> Any:
        is_first = key not in self.loads
        value = await super().get(key, load)
        return await load(key) if value is None and not is_first else value


class LoadsInItsFirstCaller(Survives):
    """A follower whose load was cancelled begins another."""

    async def get(self, key: Any, load: Any) -> Any:
        while (running := self.loads.get(key)) is not None:
            await asyncio.wait([running])
            if not running.cancelled():
                return await running
        future = self.loads[key] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(await load(key))
        except Exception as error:
            future.set_exception(error)
        except asyncio.CancelledError:
            future.cancel()
            raise
        finally:
            if self.loads.get(key) is future:
                del self.loads[key]
        return await future


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
    (AFutureForEachCaller, "Correct."),
    (WaitsBesideTheTask, "Correct."),
    (AnEvent, "Correct."),
    (NotWrittenAsAsync, "Correct."),
    (OfThePackage, "Correct."),
    (Polls, "Correct."),
    (lambda: Survives(), "Correct."),
    (Shared, "Not yet. The first caller leaves"),
    (ShieldOnly, "A caller that leaves removes the load from the table"),
    (ClearsANewerLoad, "A caller that wakes up removes a newer load from the table"),
    (NeverClears, "The error stays in the table"),
    (SharesNothing, "no longer share a load"),
    (DeleteDoesNothing, "must not be given the old load's answer"),
    (DeleteCancels, "must not cancel the old load"),
    (FillsAnyway, "fills after the delete"),
    (NoDelete, "Keep delete(key)"),
    (dict, "Keep delete(key)"),
    (object, "a class with get(key, load) and delete(key)"),
    (Misspells, "raised AttributeError: 'Misspells' object has no attribute 'laods', at line "),
    (MisspellsInACallback, "raised AttributeError: 'MisspellsInACallback' object has no attribute 'laods', at line "),
    (MisspellsInItsTask, "raised AttributeError: 'MisspellsInItsTask' object has no attribute 'values', at line "),
    (MisspellsWhenALoadFails, "raised AttributeError: 'MisspellsWhenALoadFails' object has no attribute 'laods', at "),
    (NoReturn, "get returns None, and the load has returned a value: is a return missing?"),
    (NoAwait, "get returns a coroutine in place of the value: an await is missing."),
    (NotAsync, "get has to be async"),
    (OfAnotherKey, "what the load of its key has returned"),
    (Blocks, "did not come back: an endless loop, or a call that blocks. It was at line "),
    (DeleteRaises, "raised KeyError"),
    (StaysWhenItIsCancelled, "A caller that is cancelled has to leave at once"),
    (GivesNothingWhenItIsCancelled, "A caller that is cancelled has to leave at once"),
    (LastOneOutCancels, "The last caller leaves, and its load ends with it"),
    (TellsNobodyOfACancelledLoad, "A load can end with CancelledError, and then"),
    (TellsNobodyOfAFailedLoad, "The load has failed, and a caller still waits"),
    (WrapsTheError, "each waiter needs its error, as it was raised"),
    (LoadsAgainForEachWaiter, "They do not load again"),
    (TakesNoneForNothing, "None is an answer like any other"),
    (LoadsInItsFirstCaller, "needs a task of its own"),
    (Survives(), "the class itself, without parentheses"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=9)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("5.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("5.1", ANSWERS, capsys)
