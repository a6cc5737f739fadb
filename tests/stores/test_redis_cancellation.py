"""Callers who leave at any moment, ten thousand of them: nobody is given the answer to another one's question."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cachelab import MISS, Cache, Entry, Flight
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.stores.redis_store import RedisStore, redis_client
from tests.support.fakes import now, other_tasks
from tests.support.servers import real_server

KEYS = range(40)
AT_ONCE = 20


async def cancel_many(path: Path, count: int, seed: int = 1) -> dict[str, Any]:
    """Callers through a proxy with small delays, until so many have been cancelled; some are quick enough."""
    chance = Random(seed)
    seen: dict[str, Any] = {"wrong": 0, "cancelled": 0, "answered": 0}
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def load(key: int) -> int:
        await asyncio.sleep(chance.random() / 1_000)
        return key

    async with (
        FaultyProxy(f"unix://{path}") as proxy,
        redis_client(f"redis://{proxy.host}:{proxy.port}", timeout_s=5.0, max_connections=8) as redis,
    ):
        store = RedisStore(redis, int, namespace=f"cancelled{count}", version=1)
        async with Cache(store, load, ttl=60.0, flight=Flight()) as cache:

            async def one(key: int) -> Any:
                entry = await store.get(key)
                return key if entry is MISS else entry.value

            async def many(key: int) -> Any:
                keys = [key, *chance.sample(KEYS, 3)]
                entries = await store.get_many(keys)
                return key if values(keys, entries) else None

            async def write(key: int) -> Any:
                await store.set(key, Entry(key, now() + chance.choice([0.01, 60.0])))
                return key

            async def raw(key: int) -> Any:
                name = f"raw:{key}".encode()
                await redis.set(name, name, px=60_000)
                return key if await redis.get(name) == name else None

            calls: list[Callable[[int], Awaitable[Any]]] = [one, one, many, cache.get, cache.get, write, raw]

            async def caller() -> None:
                key = chance.choice(KEYS)
                call = asyncio.ensure_future(chance.choice(calls)(key))
                await asyncio.wait([call], timeout=chance.expovariate(150))
                call.cancel()
                await asyncio.wait([call])
                if call.cancelled():
                    seen["cancelled"] += 1
                else:
                    seen["answered"] += 1
                    seen["wrong"] += call.result() != key

            while seen["cancelled"] < count or seen["answered"] <= count / 4:  # on a busy machine few are quick enough
                proxy.delay(chance.choice([0.0, 0.001, 0.003]))
                await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
            proxy.heal()
            await asyncio.sleep(0.05)  # what is on its way arrives
            pool: Any = redis.connection_pool
            idle = [each for each in pool._available_connections if each.is_connected]
            seen["unread"] = sum([await has_unread(each) for each in idle])
            assert await asyncio.gather(*(cache.get(key) for key in KEYS)) == list(KEYS)
            assert await asyncio.gather(*(raw(key) for key in KEYS)) == list(KEYS)
            seen["connections"] = len(idle)
            seen |= {"undecodable": store.undecodable, "store errors": cache.store_errors}
    seen["left"] = other_tasks()
    gc.collect()
    seen["reported"] = reported
    return seen


async def has_unread(connection: Any) -> bool:
    """Whether bytes have come in for which nobody has asked; redis-py has renamed the question."""
    return bool(await (getattr(connection, "can_read", None) or connection.can_read_destructive)())


def values(keys: list[int], entries: list[Any]) -> bool:
    """Whether each entry that is there is its own key's."""
    return all(entry is MISS or entry.value == key for key, entry in zip(keys, entries, strict=True))


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.long)])
def test_callers_who_leave_spoil_nobodys_answer(count: int) -> None:
    """No wrong answer, no bytes of an answer left in a connection, no error, no task, and the client works on."""
    with real_server() as (path, _):
        seen = asyncio.run(cancel_many(path, count))
    assert seen["connections"] > 0
    assert {what: seen[what] for what in ("wrong", "unread", "undecodable", "store errors", "left", "reported")} == {
        "wrong": 0,
        "unread": 0,
        "undecodable": 0,
        "store errors": 0,
        "left": set(),
        "reported": [],
    }
