"""Callers that are cancelled at any moment: no other caller gets an answer that was not meant for it.

There are a hundred thousand of them in the soak tier.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from cachelab import MISS, Cache, Entry, Flight
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support.fakes import now, other_tasks
from tests.support.servers import real_server
from tests.support.tiers import tiers

KEYS = range(40)
AT_ONCE = 20


class Callers:
    """Callers of a store, of a cache over it and of its client, each of which is cancelled after a random time.

    Every call returns its own key if the answer was right. `seen` counts the calls that were cancelled, that were
    answered, and that had a wrong answer.
    """

    def __init__(self, redis: Redis, namespace: str, chance: Random) -> None:
        self.redis = redis
        self.chance = chance
        self.store = RedisStore(redis, int, namespace=namespace, version=1)
        self.cache: Cache[int, int] = Cache(self.store, self.load, ttl=60.0, flight=Flight())
        self.seen: Counter[str] = Counter()

    async def load(self, key: int) -> int:
        await asyncio.sleep(self.chance.random() / 1_000)
        return key

    async def read(self, key: int) -> Any:
        entry = await self.store.get(key)
        return key if entry is MISS else entry.value

    async def read_many(self, key: int) -> Any:
        keys = [key, *self.chance.sample(KEYS, 3)]
        entries = await self.store.get_many(keys)
        right = all(entry is MISS or entry.value == key for key, entry in zip(keys, entries, strict=True))
        return key if right else None

    async def write(self, key: int) -> Any:
        await self.store.set(key, Entry(key, now() + self.chance.choice([0.01, 60.0])))
        return key

    async def use_client(self, key: int) -> Any:
        name = f"raw:{key}".encode()
        await self.redis.set(name, name, px=60_000)
        return key if await self.redis.get(name) == name else None

    async def call_and_cancel(self) -> None:
        """One call. It is cancelled unless it is quick enough."""
        cached, read = self.cache.get, self.read
        calls: list[Callable[[int], Awaitable[Any]]]
        calls = [read, read, self.read_many, cached, cached, self.write, self.use_client]
        key = self.chance.choice(KEYS)
        call = asyncio.ensure_future(self.chance.choice(calls)(key))
        await asyncio.wait([call], timeout=self.chance.expovariate(150))
        call.cancel()
        await asyncio.wait([call])
        if call.cancelled():
            self.seen["cancelled"] += 1
        else:
            self.seen["answered"] += 1
            self.seen["wrong"] += call.result() != key


async def cancel_many(path: Path, count: int, seed: int = 1) -> dict[str, Any]:
    """Callers through a proxy with small delays, until so many have been cancelled: what was seen, and what is left."""
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with (
        FaultyProxy(f"unix://{path}") as proxy,
        redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=5.0, max_connections=8) as redis,
    ):
        callers = Callers(redis, f"cancelled{count}", Random(seed))
        seen = callers.seen
        async with callers.cache:
            # on a busy machine few are quick enough
            while seen["cancelled"] < count or seen["answered"] <= count / 4:
                proxy.delay(callers.chance.choice([0.0, 0.001, 0.003]))
                await asyncio.gather(*(callers.call_and_cancel() for _ in range(AT_ONCE)))
            proxy.heal()
            await asyncio.sleep(0.05)  # answers that are on their way arrive
            pool: Any = redis.connection_pool
            idle = [connection for connection in pool._available_connections if connection.is_connected]
            unread = sum([await has_unread(connection) for connection in idle])
            assert await asyncio.gather(*(callers.cache.get(key) for key in KEYS)) == list(KEYS)
            assert await asyncio.gather(*(callers.use_client(key) for key in KEYS)) == list(KEYS)
    left = other_tasks()
    gc.collect()
    return {
        "connections": len(idle),
        "wrong": seen["wrong"],
        "unread": unread,
        "undecodable": callers.store.undecodable,
        "store errors": callers.cache.store_errors,
        "left": left,
        "reported": reported,
    }


async def has_unread(connection: Any) -> bool:
    """Whether bytes have come in that were not read; redis-py has renamed the method that tells."""
    return bool(await (getattr(connection, "can_read", None) or connection.can_read_destructive)())


@pytest.mark.parametrize("count", tiers(100_000, quick=400, soak_timeout_s=1_800))
def test_cancelled_callers_affect_no_other_answer(count: int) -> None:
    """No wrong answer, no answer left unread on a connection, no error, no task, and the client works on."""
    with real_server() as (path, _):
        seen = asyncio.run(cancel_many(path, count))
    assert seen.pop("connections") > 0
    assert seen == {
        "wrong": 0,
        "unread": 0,
        "undecodable": 0,
        "store errors": 0,
        "left": set(),
        "reported": [],
    }
