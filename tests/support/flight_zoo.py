"""A zoo of flights that are broken in one point each, with the items of the exam that they must fail, and no others."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

__all__ = ["ASYNC_ZOO", "THREAD_ZOO", "Blocks", "Polls", "Right"]

Load = Callable[[Any], Any]


class Right:
    """A flight with no more than it needs; most of the others differ from it in one method."""

    def __init__(self) -> None:
        self.calls: dict[Any, asyncio.Task[Any]] = {}

    async def get(self, key: Any, load: Load) -> Any:
        return await self.wait(self.join(key, load))

    def join(self, key: Any, load: Load) -> asyncio.Task[Any]:
        if key not in self.calls:
            task = self.calls[key] = asyncio.create_task(load(key))
            task.add_done_callback(lambda task: self.landed(key, task))
        return self.calls[key]

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        return await asyncio.shield(task)

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        if self.calls.get(key) is task:
            del self.calls[key]

    def delete(self, key: Any) -> None:
        self.calls.pop(key, None)


class NoFlight(Right):
    """Everybody loads."""

    async def get(self, key: Any, load: Load) -> Any:
        return await load(key)


class RemembersErrors(Right):
    """A failed load stays in the table, and its key with it."""

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or task.exception() is None:
            super().landed(key, task)


class RetriesForEach(Right):
    """When the load fails, each waiter tries it himself, one after the other."""

    async def get(self, key: Any, load: Load) -> Any:
        leads = key not in self.calls
        try:
            return await super().get(key, load)
        except Exception:
            if leads:
                raise
            return await super().get(key, load)


class LoadsInItsFirstCaller(Right):
    """The load is a part of its first caller: his cancellation reaches the others."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[Any, asyncio.Future[Any]] = {}

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.answers:
            return await asyncio.shield(self.answers[key])
        answer = self.answers[key] = asyncio.get_running_loop().create_future()
        try:
            value = await load(key)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        except BaseException as error:
            answer.set_exception(error)
            raise
        else:
            answer.set_result(value)
            return value
        finally:
            if self.answers.get(key) is answer:
                del self.answers[key]

    def delete(self, key: Any) -> None:
        self.answers.pop(key, None)


class LoadsAgainWithoutItsFirstCaller(LoadsInItsFirstCaller):
    """When the first caller is cancelled, a follower loads again."""

    async def get(self, key: Any, load: Load) -> Any:
        while True:
            answer = self.answers.get(key)
            try:
                return await super().get(key, load)
            except asyncio.CancelledError:
                if answer is None or not answer.cancelled():
                    raise


class FollowersHoldTheTask(Right):
    """A follower awaits the task itself, so his cancellation cancels it for all."""

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.calls:
            return await self.calls[key]
        return await super().get(key, load)


class EverybodyHoldsTheTask(Right):
    """Everybody does."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        return await task


class LeaverTakesTheLoadAlong(Right):
    """The load is shielded, but whoever leaves clears the table: the next caller loads again."""

    async def get(self, key: Any, load: Load) -> Any:
        task = self.join(key, load)
        try:
            return await self.wait(task)
        finally:
            self.landed(key, task)


class RetriersClearEachOther(Right):
    """Whoever wakes up clears the table, whatever stands there: the retry of the one before him."""

    async def get(self, key: Any, load: Load) -> Any:
        task = self.join(key, load)
        try:
            return await self.wait(task)
        except Exception:
            self.calls.pop(key, None)
            raise


class NoneIsNoResult(Right):
    """Who gets None thinks that there is no answer yet, and loads."""

    async def get(self, key: Any, load: Load) -> Any:
        leads = key not in self.calls
        value = await super().get(key, load)
        return await load(key) if value is None and not leads else value


class NoneIsNotKept(Right):
    """A cache that takes None for a miss."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Any, Any] = {}
        self.fenced: WeakSet[asyncio.Task[Any]] = WeakSet()

    async def get(self, key: Any, load: Load) -> Any:
        if self.values.get(key) is None:
            flying = self.join(key, load)
            value = await self.wait(flying)
            if flying in self.fenced:
                return value
            self.values[key] = value
        return self.values[key]

    def delete(self, key: Any) -> None:
        if key in self.calls:
            self.fenced.add(self.calls[key])
        self.values.pop(key, None)
        super().delete(key)


class DeletesNothing(Right):
    """Who comes after a delete joins the load from before it."""

    def delete(self, key: Any) -> None:
        pass


class FillsLate(Right):
    """A cache whose old load fills after the delete."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Any, Any] = {}

    async def get(self, key: Any, load: Load) -> Any:
        if key not in self.values:
            self.values[key] = await super().get(key, load)
        return self.values[key]

    def delete(self, key: Any) -> None:
        super().delete(key)
        self.values.pop(key, None)


class ClearsTheNewer(Right):
    """The clean-up removes whatever flies under the key."""

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        self.calls.pop(key, None)


class ClearsTheNewerWhenItFails(Right):
    """Only the clean-up of a failed load does."""

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.calls.pop(key, None)
        super().landed(key, task)


class TrustsItsTable(Right):
    """The clean-up takes for granted that its load is still in the table."""

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.calls:
            return await self.wait(self.calls[key])
        task = self.calls[key] = asyncio.create_task(load(key))
        try:
            return await self.wait(task)
        finally:
            if task.done():
                if self.calls[key] is task:
                    del self.calls[key]
            else:
                task.add_done_callback(lambda task: self.landed(key, task))


class KeepsLocks(Right):
    """A lock for each key, for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[Any, asyncio.Lock] = {}

    async def get(self, key: Any, load: Load) -> Any:
        async with self.locks.setdefault(key, asyncio.Lock()):
            flying = self.join(key, load)
        return await self.wait(flying)


class CountsFailures(Right):
    """Counts the failures of each key, for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: Counter[Any] = Counter()

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        super().landed(key, task)
        if not task.cancelled() and task.exception() is not None:
            self.failures[key] += 1


class LockAcrossTheLoad(Right):
    """The classic: a lock for each key around look, load and fill."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[Any, asyncio.Lock] = {}
        self.values: dict[Any, Any] = {}

    async def get(self, key: Any, load: Load) -> Any:
        async with self.locks.setdefault(key, asyncio.Lock()):
            if key not in self.values:
                self.values[key] = await load(key)
            return self.values[key]

    def delete(self, key: Any) -> None:
        self.values.pop(key, None)


class TellsNobodyOfErrors(Right):
    """When the load fails, its followers wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[asyncio.Task[Any], asyncio.Future[Any]] = {}

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.calls:
            return await asyncio.shield(self.answers[self.calls[key]])
        flying = self.join(key, load)
        self.answers[flying] = asyncio.get_running_loop().create_future()
        return await self.wait(flying)

    def landed(self, key: Any, task: asyncio.Task[Any]) -> None:
        super().landed(key, task)
        answer = self.answers.pop(task)
        if not task.cancelled() and task.exception() is None:
            answer.set_result(task.result())


class Raises(Right):
    """It does not work at all."""

    async def get(self, key: Any, load: Load) -> Any:
        raise KeyError(key)


class AnswersNothing(Right):
    """The stub of an exercise."""

    async def get(self, key: Any, load: Load) -> Any: ...


class Blocks(Right):
    """A thread's lock, held across an `await`: the second caller stops the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    async def get(self, key: Any, load: Load) -> Any:
        with self.lock:
            return await load(key)


class Polls(Right):
    """Followers look again and again without a pause. Right, but not for virtual time."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        while not task.done():
            await asyncio.sleep(0)
        return task.result()


ASYNC_ZOO: dict[type[Right], set[int]] = {
    Right: set(),
    NoFlight: {1},
    RemembersErrors: {2, 8},
    RetriesForEach: {2},
    LoadsInItsFirstCaller: {3},
    LoadsAgainWithoutItsFirstCaller: {3},
    FollowersHoldTheTask: {4},
    EverybodyHoldsTheTask: {3, 4},
    LeaverTakesTheLoadAlong: {3, 4},
    RetriersClearEachOther: {7},
    NoneIsNoResult: {5},
    NoneIsNotKept: {5},
    DeletesNothing: {6},
    FillsLate: {6},
    ClearsTheNewer: {7},
    ClearsTheNewerWhenItFails: {7},
    TrustsItsTable: {6},
    KeepsLocks: {8},
    CountsFailures: {8},
    LockAcrossTheLoad: {2, 3, 6, 8},
    TellsNobodyOfErrors: {2, 8},
    Raises: {1, 2, 3, 4, 5, 6, 8},
    AnswersNothing: {1, 2, 3, 4, 5, 6, 8},
}
"""What each of them must fail. What it raises or where it hangs counts as failed, too."""


class ThreadNoFlight:
    """Everybody loads."""

    def get(self, key: Any, load: Load) -> Any:
        return load(key)

    def delete(self, key: Any) -> None:
        pass


class ThreadLock(ThreadNoFlight):
    """One lock around every load, and around the delete, which so waits for the load."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: dict[Any, Any] = {}

    def get(self, key: Any, load: Load) -> Any:
        with self.lock:
            if key not in self.values:
                self.values[key] = load(key)
            return self.values[key]

    def delete(self, key: Any) -> None:
        with self.lock:
            self.values.pop(key, None)


class ThreadTellsNobodyOfErrors(ThreadNoFlight):
    """When the load fails, its followers wait for ever."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: dict[Any, tuple[threading.Event, list[Any]]] = {}

    def get(self, key: Any, load: Load) -> Any:
        with self.lock:
            leads = key not in self.calls
            event, values = self.calls.setdefault(key, (threading.Event(), []))
        if leads:
            try:
                values.append(load(key))
                event.set()
            finally:
                with self.lock:
                    if self.calls.get(key, (None,))[0] is event:
                        del self.calls[key]
        event.wait()
        return values[0]

    def delete(self, key: Any) -> None:
        with self.lock:
            self.calls.pop(key, None)


class ThreadForgetsNothing(ThreadTellsNobodyOfErrors):
    """Right about errors, but who comes after a delete joins the load from before it."""

    def get(self, key: Any, load: Load) -> Any:
        def kept(key: Any) -> Any:
            try:
                return load(key), None
            except Exception as error:
                return None, error

        value, error = super().get(key, kept)
        if error is not None:
            raise error
        return value

    def delete(self, key: Any) -> None:
        pass


THREAD_ZOO: dict[type[ThreadNoFlight], set[int]] = {
    ThreadNoFlight: {1},
    ThreadLock: {2},
    ThreadTellsNobodyOfErrors: {2, 8},
    ThreadForgetsNothing: {6},
}
