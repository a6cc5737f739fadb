"""Tests in virtual time, and doubles of an origin and of stores in other processes."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, ParamSpec

from hypothesis import HealthCheck, settings

from cachelab.cache import Cache
from cachelab.entry import MISS, Entry, Miss
from cachelab.events import Counters, Fact, Record
from cachelab.lab.sim.simulation import run

P = ParamSpec("P")
Heard = list[Record | Fact]
"""What a listener has heard, in order: give a cache the list's `append` as its `listen`."""

PROPERTY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.differing_executors])
"""For property tests: the same examples in every run, with no limit of time for one of them, also in a base class."""


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test as a scenario: it starts at second 0 and its sleeps take no real time."""

    @functools.wraps(test)
    def scenario(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs))

    return scenario


def now() -> float:
    """Seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


async def until(second: float) -> None:
    """Sleep until this second of the loop's clock."""
    await asyncio.sleep(second - now())


def tally(cache: Counters) -> tuple[int, int, int, int]:
    """How many gets have ended with each outcome: hit, stale, miss, collapsed."""
    return cache.hits, cache.stale, cache.misses, cache.collapsed


def other_tasks() -> set[asyncio.Task[Any]]:
    """The tasks that have not ended, without the current one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def left_behind(cache: Cache[Any, Any]) -> int:
    """How much a cache keeps that it needs only during loads: its flight's calls and tasks, fences, unreadable keys."""
    flight, level = cache._flight, cache._level
    callers = getattr(flight, "_callers", ())  # of a cache without a flight
    return len(flight._calls) + len(flight._tasks) + len(callers) + len(level.standing) + len(level.unreadable)


def records(heard: Heard) -> list[tuple[str, str]]:
    """Outcome and result of each record, in order."""
    return [(event.outcome, event.result) for event in heard if isinstance(event, Record)]


def facts(heard: Heard) -> list[str]:
    """The kind of each fact, in order, without "loaded", which follows each "load" that succeeds."""
    return [event.kind for event in heard if isinstance(event, Fact) and event.kind != "loaded"]


class Origin:
    """A loader that reads `answer` when a load begins, and returns or raises it `load_time_s` seconds later.

    `calls`      how many loads have begun
    `ended`      how many of them have ended, without being cancelled
    `under_way`  how many of them have not ended
    """

    def __init__(self, answer: Any = "value", load_time_s: float = 1.0) -> None:
        self.answer = answer
        self.load_time_s = load_time_s
        self.calls = self.ended = self.under_way = 0

    async def __call__(self, key: object) -> Any:
        answer = self.answer
        self.calls += 1
        self.under_way += 1
        try:
            await asyncio.sleep(self.load_time_s)
        finally:
            self.under_way -= 1
        self.ended += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


class RemoteStore:
    """A store in another process: it has no `peek`, and each answer takes `latency_s` seconds."""

    def __init__(self, latency_s: float = 0.0) -> None:
        self.entries: dict[Hashable, Entry[Any]] = {}
        self.latency_s = latency_s

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        entry = self.entries.get(key)
        live = MISS if entry is None or entry.expires <= now() else entry
        await asyncio.sleep(self.latency_s)
        return live

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        await asyncio.sleep(self.latency_s)
        self.entries[key] = entry

    async def delete(self, key: Hashable) -> None:
        await asyncio.sleep(self.latency_s)
        self.entries.pop(key, None)


class BrokenStore(RemoteStore):
    """A remote store in which the operations named in `broken` raise ConnectionError, as long as they are in it."""

    def __init__(self, *broken: str, latency_s: float = 0.0) -> None:
        super().__init__(latency_s)
        self.broken = set(broken)

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        self.may_raise("get")
        return await super().get(key)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        self.may_raise("set")
        await super().set(key, entry)

    async def delete(self, key: Hashable) -> None:
        self.may_raise("delete")
        await super().delete(key)

    def may_raise(self, operation: str) -> None:
        """Raise if this operation is broken now."""
        if operation in self.broken:
            raise ConnectionError(f"{operation} is broken")
