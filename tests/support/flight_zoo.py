"""Broken flights: each is wrong in one point, and must fail certain items of the exam and no others."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

__all__ = ["ASYNC_ZOO", "THREAD_ZOO", "Blocks", "CorrectFlight", "Polls"]

Load = Callable[[Any], Any]


class CorrectFlight:
    """A correct flight with no more than it needs. Most of the others differ from it in one method."""

    def __init__(self) -> None:
        self.loads: dict[Any, asyncio.Task[Any]] = {}

    async def get(self, key: Any, load: Load) -> Any:
        return await self.wait(self.join(key, load))

    def join(self, key: Any, load: Load) -> asyncio.Task[Any]:
        if key not in self.loads:
            task = self.loads[key] = asyncio.create_task(load(key))
            task.add_done_callback(lambda task: self.finish(key, task))
        return self.loads[key]

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        return await asyncio.shield(task)

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        if self.loads.get(key) is task:
            del self.loads[key]

    def delete(self, key: Any) -> None:
        self.loads.pop(key, None)


class NoFlight(CorrectFlight):
    """Each caller loads."""

    async def get(self, key: Any, load: Load) -> Any:
        return await load(key)


class RemembersErrors(CorrectFlight):
    """A failed load stays in the table, with its key."""

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        if task.cancelled() or task.exception() is None:
            super().finish(key, task)


class EachWaiterRetries(CorrectFlight):
    """When the load fails, the waiters try it themselves, one after the other."""

    async def get(self, key: Any, load: Load) -> Any:
        is_first = key not in self.loads
        try:
            return await super().get(key, load)
        except Exception:
            if is_first:
                raise
            return await super().get(key, load)


class LoadsInItsFirstCaller(CorrectFlight):
    """The load is a part of its first caller, whose cancellation reaches the others."""

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


class FollowersHoldTheTask(CorrectFlight):
    """A follower awaits the task itself, so that to cancel the follower cancels the load for all."""

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.loads:
            return await self.loads[key]
        return await super().get(key, load)


class CallersHoldTheTask(CorrectFlight):
    """Every caller awaits the task itself."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        return await task


class LastOneOutCancels(CorrectFlight):
    """When the last caller has left, the load is cancelled: the next caller begins another."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: Counter[asyncio.Task[Any]] = Counter()

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        self.callers[task] += 1
        try:
            return await super().wait(task)
        finally:
            self.callers[task] -= 1
            if not self.callers[task]:
                del self.callers[task]
                task.cancel()


class CallerStaysWhenItIsCancelled(CorrectFlight):
    """A caller that is cancelled goes on waiting for the load."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        try:
            return await super().wait(task)
        except asyncio.CancelledError:
            return await super().wait(task)


class CancelledCallerGetsNothing(CorrectFlight):
    """A caller that is cancelled is given None, as if nothing had happened."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        try:
            return await super().wait(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            return None


class CancelledLoadTellsNobody(CorrectFlight):
    """Its waiters wait for futures that stay open if the load raises CancelledError, which is no Exception."""

    def __init__(self) -> None:
        super().__init__()
        self.waiters: dict[asyncio.Task[Any], list[asyncio.Future[Any]]] = {}

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        mine = asyncio.get_running_loop().create_future()
        self.waiters.setdefault(task, []).append(mine)
        return await mine

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        super().finish(key, task)
        for mine in self.waiters.pop(task, []):
            if not mine.done() and not task.cancelled():
                error = task.exception()
                if error is None:
                    mine.set_result(task.result())
                else:
                    mine.set_exception(error)


class LeavingCallerClearsTheTable(CorrectFlight):
    """The load is shielded, but a caller that leaves clears the table: the next caller loads again."""

    async def get(self, key: Any, load: Load) -> Any:
        task = self.join(key, load)
        try:
            return await self.wait(task)
        finally:
            self.finish(key, task)


class RetryingCallersClearTheTable(CorrectFlight):
    """A caller that gets an error clears the table, even of the load that another caller's retry has just begun."""

    async def get(self, key: Any, load: Load) -> Any:
        task = self.join(key, load)
        try:
            return await self.wait(task)
        except Exception:
            self.loads.pop(key, None)
            raise


class NoneIsNoAnswer(CorrectFlight):
    """A caller that is given None takes it for no answer, and loads."""

    async def get(self, key: Any, load: Load) -> Any:
        is_first = key not in self.loads
        value = await super().get(key, load)
        return await load(key) if value is None and not is_first else value


class NoneIsNotKept(CorrectFlight):
    """A cache that takes a stored None for a miss."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Any, Any] = {}
        self.fenced: WeakSet[asyncio.Task[Any]] = WeakSet()

    async def get(self, key: Any, load: Load) -> Any:
        if self.values.get(key) is None:
            task = self.join(key, load)
            value = await self.wait(task)
            if task in self.fenced:
                return value
            self.values[key] = value
        return self.values[key]

    def delete(self, key: Any) -> None:
        if key in self.loads:
            self.fenced.add(self.loads[key])
        self.values.pop(key, None)
        super().delete(key)


class DeletesNothing(CorrectFlight):
    """A caller that comes after a delete joins the load from before it."""

    def delete(self, key: Any) -> None:
        pass


class FillsLate(CorrectFlight):
    """A cache whose old load fills after a delete."""

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


class ClearsTheNewerLoad(CorrectFlight):
    """The clean-up removes whatever load stands in the table under its key."""

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        self.loads.pop(key, None)


class ClearsTheNewerLoadWhenItFails(CorrectFlight):
    """Only the clean-up of a failed load does that."""

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.loads.pop(key, None)
        super().finish(key, task)


class TrustsItsTable(CorrectFlight):
    """The clean-up assumes that its load is still in the table."""

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.loads:
            return await self.wait(self.loads[key])
        task = self.loads[key] = asyncio.create_task(load(key))
        try:
            return await self.wait(task)
        finally:
            if task.done():
                if self.loads[key] is task:
                    del self.loads[key]
            else:
                task.add_done_callback(lambda task: self.finish(key, task))


class KeepsLocks(CorrectFlight):
    """It keeps a lock for each key for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.locks: dict[Any, asyncio.Lock] = {}

    async def get(self, key: Any, load: Load) -> Any:
        async with self.locks.setdefault(key, asyncio.Lock()):
            task = self.join(key, load)
        return await self.wait(task)


class CountsFailures(CorrectFlight):
    """It keeps the number of failures of each key for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: Counter[Any] = Counter()

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        super().finish(key, task)
        if not task.cancelled() and task.exception() is not None:
            self.failures[key] += 1


class LockAcrossTheLoad(CorrectFlight):
    """The classic: a lock for each key, held across look, load and fill."""

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


class FollowersNeverGetErrors(CorrectFlight):
    """When the load fails, its followers wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[asyncio.Task[Any], asyncio.Future[Any]] = {}

    async def get(self, key: Any, load: Load) -> Any:
        if key in self.loads:
            return await asyncio.shield(self.answers[self.loads[key]])
        task = self.join(key, load)
        self.answers[task] = asyncio.get_running_loop().create_future()
        return await self.wait(task)

    def finish(self, key: Any, task: asyncio.Task[Any]) -> None:
        super().finish(key, task)
        answer = self.answers.pop(task)
        if not task.cancelled() and task.exception() is None:
            answer.set_result(task.result())


class Raises(CorrectFlight):
    """It always raises."""

    async def get(self, key: Any, load: Load) -> Any:
        raise KeyError(key)


class ReturnsNothing(CorrectFlight):
    """It returns None at once, like the stub of an exercise."""

    async def get(self, key: Any, load: Load) -> Any: ...


class Blocks(CorrectFlight):
    """A thread's lock, held across an `await`: the second caller stops the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    async def get(self, key: Any, load: Load) -> Any:
        with self.lock:
            return await load(key)


class Polls(CorrectFlight):
    """Followers look at the task again and again without a pause. It is correct, but cannot run in virtual time."""

    async def wait(self, task: asyncio.Task[Any]) -> Any:
        while not task.done():
            await asyncio.sleep(0)
        return task.result()


ASYNC_ZOO: dict[type[CorrectFlight], set[int]] = {
    CorrectFlight: set(),
    NoFlight: {1},
    RemembersErrors: {2, 8},
    EachWaiterRetries: {2},
    LoadsInItsFirstCaller: {3},
    LoadsAgainWithoutItsFirstCaller: {3},
    FollowersHoldTheTask: {4},
    CallersHoldTheTask: {3, 4},
    LastOneOutCancels: {3},
    CallerStaysWhenItIsCancelled: {3, 4},
    CancelledCallerGetsNothing: {3, 4},
    CancelledLoadTellsNobody: {2},
    LeavingCallerClearsTheTable: {3, 4},
    RetryingCallersClearTheTable: {7},
    NoneIsNoAnswer: {5},
    NoneIsNotKept: {5},
    DeletesNothing: {6},
    FillsLate: {6},
    ClearsTheNewerLoad: {7},
    ClearsTheNewerLoadWhenItFails: {7},
    TrustsItsTable: {6},
    KeepsLocks: {8},
    CountsFailures: {8},
    LockAcrossTheLoad: {2, 3, 6, 8},
    FollowersNeverGetErrors: {2, 8},
    Raises: {1, 2, 3, 4, 5, 6, 8},
    ReturnsNothing: {1, 2, 3, 4, 5, 6, 8},
}
"""The items that each of them must fail. An item in which it raises or hangs counts as failed."""


class ThreadNoFlight:
    """Each caller loads."""

    def get(self, key: Any, load: Load) -> Any:
        return load(key)

    def delete(self, key: Any) -> None:
        pass


class ThreadLock(ThreadNoFlight):
    """One lock around every load and around the delete, which therefore waits for the load."""

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


class ThreadFollowersNeverGetErrors(ThreadNoFlight):
    """When the load fails, its followers wait for ever."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loads: dict[Any, tuple[threading.Event, list[Any]]] = {}

    def get(self, key: Any, load: Load) -> Any:
        with self.lock:
            is_first = key not in self.loads
            event, values = self.loads.setdefault(key, (threading.Event(), []))
        if is_first:
            try:
                values.append(load(key))
                event.set()
            finally:
                with self.lock:
                    if self.loads.get(key, (None,))[0] is event:
                        del self.loads[key]
        event.wait()
        return values[0]

    def delete(self, key: Any) -> None:
        with self.lock:
            self.loads.pop(key, None)


class ThreadForgetsNothing(ThreadFollowersNeverGetErrors):
    """It hands errors on, but a caller that comes after a delete joins the load from before it."""

    def get(self, key: Any, load: Load) -> Any:
        def load_or_error(key: Any) -> Any:
            try:
                return load(key), None
            except Exception as error:
                return None, error

        value, error = super().get(key, load_or_error)
        if error is not None:
            raise error
        return value

    def delete(self, key: Any) -> None:
        pass


THREAD_ZOO: dict[type[ThreadNoFlight], set[int]] = {
    ThreadNoFlight: {1},
    ThreadLock: {2},
    ThreadFollowersNeverGetErrors: {2, 8},
    ThreadForgetsNothing: {6},
}
