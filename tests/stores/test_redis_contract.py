"""The contract of stores on a real server and on a real cluster, where a sleep is a leap in time.

Each has it twice: for the store with plain fills, and for the store that fills by leases.

`sleep(60)` of the contract takes 60 seconds off the lifetime of each key of ours, and puts the store's clock forward by
60 seconds. So the lifetimes are those that a real Redis keeps, and no test waits. Little real time passes, so moments
are compared in whole seconds, and an entry is last seen a second before its end.
"""

import asyncio
import functools
import math
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cachelab.clock import Clock
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support import contract
from tests.support.cluster import RealCluster, cluster_client, need_listening_clients, real_cluster
from tests.support.contract import StoreContract
from tests.support.servers import FilledByLeases, RoundedStore, real_server

_numbers = count()


class LeapingContract(StoreContract):
    """Each test of the contract on a real Redis, with a client and keys of its own."""

    redis: Any
    store_class: type[RoundedStore] = RoundedStore
    last_s = 59.0

    def client(self) -> Any:
        """A new client of the Redis that these tests share."""
        raise NotImplementedError

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RedisStore[Any]:
        return self.store_class(0, self.redis, namespace=self.namespace, clock=self.now)

    def begin(self) -> None:
        """Start a test at second 0."""
        self.redis, self.namespace = self.client(), f"leaping{next(_numbers)}"
        self.began, self.skipped = time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since the test began: those that have passed and those that were skipped."""
        return time.monotonic() - self.began + self.skipped

    async def sleep(self, seconds: float) -> None:
        """Move the store's clock and the lifetimes in Redis on by so many seconds."""
        self.skipped += seconds
        async for key in self.redis.scan_iter(f"{self.namespace}:*"):
            await self.redis.pexpire(key, await self.redis.pttl(key) - math.ceil(seconds * 1000))


def leaping(test: Callable[..., Any]) -> Callable[..., None]:
    """The test, without `in_virtual_time` if it has that, on a usual loop and with the sleep of its class."""

    @functools.wraps(test)
    def scenario(self: LeapingContract, *args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            self.begin()
            async with self.redis:
                await getattr(test, "__wrapped__", test)(self, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contract, "asyncio", SimpleNamespace(sleep=self.sleep))
            asyncio.run(main())

    return scenario


for _name, _test in (vars(StoreContract) | vars(LeapingContract)).items():
    if _name.startswith("test_"):
        setattr(LeapingContract, _name, leaping(_test))


class TestOnARealServer(LeapingContract):
    """One server for all of these tests."""

    path: Path

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls) -> Iterator[None]:
        with real_server() as (cls.path, _):
            yield

    def client(self) -> Any:
        return redis_client(f"unix://{self.path}", timeout_s=5.0)


class TestOnARealCluster(LeapingContract):
    """Three masters for all of these tests; the contract's few keys live on more than one."""

    cluster: RealCluster

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def nodes(cls) -> Iterator[None]:
        with real_cluster() as cls.cluster:
            yield

    def client(self) -> Any:
        return cluster_client(self.cluster.url)


class TestLeasesOnARealServer(TestOnARealServer):
    """Each entry is filled by a lease."""

    store_class = FilledByLeases


class TestLeasesOnARealCluster(TestOnARealCluster):
    """The lease is on the same node as its key."""

    store_class = FilledByLeases

    def client(self) -> Any:
        need_listening_clients()
        return super().client()
