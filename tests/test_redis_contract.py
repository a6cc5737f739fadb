"""The contract of stores on a real server and on a real cluster, whose time goes on in leaps.

`sleep(60)` of the contract takes 60 seconds off the life of each key of ours and puts the store's clock forward by 60.
So the lives are those that a real Redis keeps, and no test waits. The real time that passes besides is small: moments
are compared in whole seconds, and for the last instant of a life stands the last second.
"""

import asyncio
import functools
import math
import time
from collections.abc import Callable, Hashable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cachelab.clock import Clock
from cachelab.entry import MISS, Entry, Miss
from cachelab.redis_store import RedisStore, redis_client
from tests import contract
from tests.cluster import RealCluster, cluster_client, real_cluster
from tests.contract import StoreContract
from tests.servers import real_server

Plain = bool | int | str | tuple[()] | None
_numbers = count()


class WholeSeconds(RedisStore):
    """The store, for a contract that compares moments exactly."""

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        entry = await super().get(key)
        if entry is MISS:
            return MISS
        expires, fresh_until, due = (
            moment if moment == math.inf else round(moment) for moment in (entry.expires, entry.fresh_until, entry.due)
        )
        return Entry(entry.value, expires, fresh_until, due, entry.load_s)


class Leaping(StoreContract):
    """Each test of the contract in real time, with a client and keys of its own."""

    redis: Any

    def client(self) -> Any:
        """A new client of an empty or a shared Redis."""
        raise NotImplementedError

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RedisStore:
        return WholeSeconds(self.redis, Plain, namespace=self.namespace, version=1, clock=self.now)

    def begin(self) -> None:
        """Second 0."""
        self.redis, self.namespace = self.client(), f"leaping{next(_numbers)}"
        self.began, self.leapt = time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since the test began: those that have passed, and those that were leapt over."""
        return time.monotonic() - self.began + self.leapt

    async def sleep(self, seconds: float) -> None:
        """The store's clock and the lives in Redis go on by so many seconds."""
        self.leapt += seconds
        async for key in self.redis.scan_iter(f"{self.namespace}:*"):
            await self.redis.pexpire(key, await self.redis.pttl(key) - math.ceil(seconds * 1000))

    async def test_an_entry_is_there_just_before_it_expires(self) -> None:  # type: ignore[override]
        """A second before its end it is there."""
        store = self.make()
        await store.set(1, Entry("value", 60.0))
        await self.sleep(59.0)
        assert await store.get(1) is not MISS

    @pytest.mark.parametrize("second", [5.0, 10.0, 20.0, 59.0])
    async def test_an_entry_that_is_due_or_stale_is_still_there(self, second: float) -> None:  # type: ignore[override]
        """Until it expires `get` hands it out as it was set, with all its moments and the seconds its load took."""
        store = self.make()
        entry = Entry("value", 60.0, fresh_until=20.0, due=5.0, load_s=0.25)
        await store.set(1, entry)
        await self.sleep(second)
        got = await store.get(1)
        assert (got, got is not MISS and got.load_s) == (entry, 0.25)


def leaping(test: Callable[..., Any]) -> Callable[..., None]:
    """The test, or what `in_virtual_time` has wrapped, on a usual loop and with the sleep of its class."""

    @functools.wraps(test)
    def scenario(self: Leaping, *args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            self.begin()
            async with self.redis:
                await getattr(test, "__wrapped__", test)(self, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contract, "asyncio", SimpleNamespace(sleep=self.sleep))
            asyncio.run(main())

    return scenario


for _name, _test in (vars(StoreContract) | vars(Leaping)).items():
    if _name.startswith("test_"):
        setattr(Leaping, _name, leaping(_test))


class TestOnARealServer(Leaping):
    """One server for all of these tests."""

    path: Path

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls) -> Iterator[None]:
        with real_server() as (cls.path, _):
            yield

    def client(self) -> Any:
        return redis_client(f"unix://{self.path}", timeout_s=5.0)


class TestOnARealCluster(Leaping):
    """Three masters for all of these tests; the contract's few keys live on more than one."""

    cluster: RealCluster

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def nodes(cls) -> Iterator[None]:
        with real_cluster() as cls.cluster:
            yield

    def client(self) -> Any:
        return cluster_client(self.cluster.url)
