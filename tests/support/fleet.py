"""A fleet: nodes with a leased cache over one Redis, an origin with versions, and a wrapper round a store."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from cachelab.bus import Bus
from cachelab.cache import Cache
from cachelab.entry import Entry, Lease, Miss
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lease import LeasedStore
from cachelab.stores.memory import MemoryStore
from cachelab.stores.redis_store import RedisStore
from tests.support.fakes import Heard, left_behind, now

__all__ = ["CHANNEL", "Forwarding", "Node", "Versions", "close", "commands", "make_fleet", "timed"]

T = TypeVar("T")
CHANNEL = "test:v1:bus"


class Versions:
    """An origin of one row, whose version is read when a load begins. A load takes `load_time_s` seconds.

    `calls`   how many loads have begun
    `broken`  whether loads fail when they end
    """

    def __init__(self, load_time_s: float = 0.3) -> None:
        self.version, self.calls, self.broken = 1, 0, False
        self.load_time_s = load_time_s

    async def __call__(self, key: object) -> int:
        self.calls += 1
        version = self.version
        await asyncio.sleep(self.load_time_s)
        if self.broken:
            raise ConnectionError("the origin is down")
        return version


class Forwarding:
    """A wrapper round a remote store, as a guard or a fault is one: it passes on each verb."""

    def __init__(self, inside: LeasedStore[Any]) -> None:
        self.inside = inside
        self.passed: Counter[str] = Counter()

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        self.passed["get"] += 1
        return await self.inside.get(key)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        self.passed["set"] += 1
        await self.inside.set(key, entry)

    async def delete(self, key: Hashable) -> None:
        self.passed["delete"] += 1
        await self.inside.delete(key)

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss) -> Entry[Any] | Lease[Any]:
        self.passed["claim"] += 1
        return await self.inside.claim(key, seen)


class Node:
    """One process: a cache over the leased store, a memory above it, and the bus, which listens only inside its block.

    `plain`  without leases
    `wrap`   what is put around the store
    `above`  what is put between the two levels
    """

    def __init__(
        self,
        client: Any,
        load: Any,
        *,
        name: str = "",
        plain: bool = False,
        wrap: Callable[[Any], Any] = lambda store: store,
        above: Callable[[Any], Any] = lambda l2: l2,
        ttl: float = 60.0,
        l1_ttl: float = 5.0,
        negative_ttl: float = 0.0,
        stale_for: float = 0.0,
        shared: bool = True,
        **options: Any,
    ) -> None:
        self.client, self.heard = client, Heard()
        make: Any = RedisStore if plain else LeasedStore
        self.store: Any = make(client, int, **{"namespace": "test", "version": 1} | options)
        freshness = Freshness(stale_for=stale_for) if stale_for else None
        flight = Flight() if shared else None
        self.l2: Cache[Any, Any] = Cache(
            wrap(self.store),
            load,
            ttl=ttl,
            negative_ttl=negative_ttl,
            flight=flight,
            freshness=freshness,
            name=name or "l2",
            listen=self.heard.append,
        )
        self.l1: Cache[Any, Any] = Cache(MemoryStore(100), above(self.l2), ttl=l1_ttl, flight=Flight(), name="l1")
        self.bus = Bus(client, CHANNEL, self.l2, self.l1)

    async def close(self) -> None:
        """End everything of this process."""
        await self.bus.__aexit__()
        await self.l1.aclose()
        await self.l2.aclose()
        if isinstance(self.store, LeasedStore):
            await self.store.aclose()

    def left(self) -> int:
        """How much this process keeps that it needs only while something is under way."""
        kept = left_behind(self.l1) + left_behind(self.l2) + len(self.store._requests._tasks)
        if isinstance(self.store, LeasedStore):
            kept += len(self.store._claims) + len(self.store._notices._expected)
        return kept


def make_fleet(redis: FakeRedis, load: Any, count: int, **options: Any) -> list[Node]:
    """So many nodes, each with a client of its own, whose commands are noted."""
    return [Node(redis.client(f"node {number}"), load, **options) for number in range(1, count + 1)]


async def close(nodes: list[Node]) -> None:
    """End all nodes. None of them has kept anything."""
    for node in nodes:
        await node.close()
    await asyncio.sleep(0.1)  # for the ends of tasks that were cancelled
    assert [node.left() for node in nodes] == [0] * len(nodes)


def commands(redis: FakeRedis) -> Counter[str]:
    """How many of each command the nodes have sent."""
    return Counter(sent.command for sent in redis.commands)


async def timed(call: Awaitable[T]) -> tuple[T, float]:
    """The answer, and how many seconds it took."""
    began = now()
    answer = await call
    return answer, now() - began
