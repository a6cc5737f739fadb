"""A process of `bench_lease`: it reads a key in one of the ways that are compared, with so many callers at once.

    python -m tests.bench.lease_worker SETTINGS

It reads a line for each order, the name of a way and a key, and answers with a line: its loads, the seconds of its last
answer, and the errors.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

from redis.asyncio import Redis

from cachelab import Cache, Flight, LeasedStore, RedisStore, redis_client
from cachelab.entry import Loader

Get: TypeAlias = Callable[[str], Awaitable[Any]]
__all__ = ["LEASE", "NO_LEASE", "OTHERS", "POLL_1", "POLL_50", "SETTINGS", "WAYS"]

NO_LEASE, LEASE = "no lease", "lease"
POLL_50, POLL_1, LOCK = "SET NX, poll 50 ms", "SET NX, poll 1 ms", "redis-py Lock"
AIOCACHE, CASHEWS = "aiocache", "cashews"
OTHERS = [POLL_50, POLL_1, LOCK, AIOCACHE, CASHEWS]
WAYS = [NO_LEASE, LEASE, *OTHERS]
SETTINGS = {
    NO_LEASE: "RedisStore, Flight()",
    LEASE: "LeasedStore (lease_s=5), Flight()",
    POLL_50: "SET key token NX PX 5000, GET each 50 ms, Flight()",
    POLL_1: "SET key token NX PX 5000, GET each 1 ms, Flight()",
    LOCK: "redis.lock(name, timeout=5), which asks each 100 ms, Flight()",
    AIOCACHE: "@cached_stampede(lease=2, ttl=60, cache=RedisCache), without a flight",
    CASHEWS: '@cache(ttl="1m", key="{key}", lock=True), without a flight',
}
TTL_S, LEASE_S = 60, 5


def _shared(get: Get) -> Get:
    """The callers of this process share one call, as those of our own caches do."""
    flight = Flight()
    return lambda key: flight.do(key, get)


def _polling(client: Redis, load: Get, seconds: float) -> Get:
    """The lock that each article shows: whoever sets the key loads, and the others look again and again."""

    async def get(key: str) -> Any:
        while True:
            value = await client.get(key)
            if value is not None:
                return value
            if await client.set(f"{key}:lock", "token", nx=True, px=LEASE_S * 1000):
                loaded = await load(key)
                await client.set(key, loaded, ex=TTL_S)
                await client.delete(f"{key}:lock")
                return loaded
            await asyncio.sleep(seconds)

    return _shared(get)


def _locking(client: Redis, load: Get) -> Get:
    async def get(key: str) -> Any:
        value = await client.get(key)
        if value is None:
            async with client.lock(f"{key}:lock", timeout=LEASE_S):
                value = await client.get(key)
                if value is None:
                    value = await load(key)
                    await client.set(key, value, ex=TTL_S)
        return value

    return _shared(get)


def _aiocache(port: int, load: Get, _: AsyncExitStack) -> Get:
    from aiocache import RedisCache, cached_stampede

    decorate: Any = cached_stampede(
        lease=2, ttl=TTL_S, cache=RedisCache, endpoint="127.0.0.1", port=port, key_builder=lambda _, key: key
    )
    cached: Get = decorate(load)
    return cached


def _cashews(port: int, load: Get, closing: AsyncExitStack) -> Get:
    from cashews import Cache as Cashews

    cache = Cashews()
    cache.setup(f"redis://127.0.0.1:{port}")
    closing.push_async_callback(cache.close)

    async def get(key: str) -> Any:
        return await load(key)

    decorate: Any = cache(ttl="1m", key="{key}", lock=True)
    cached: Get = decorate(get)
    return cached


@contextlib.asynccontextmanager
async def _ways(port: int, load: Loader[str, Any]) -> AsyncIterator[dict[str, Get]]:
    """All ways that run here. A peer that is missing, or does not run with this redis-py, is left out."""
    async with AsyncExitStack() as closing:
        url = f"redis://127.0.0.1:{port}"
        client = await closing.enter_async_context(redis_client(url, timeout_s=10.0, max_connections=60))
        ways: dict[str, Get] = {}
        for name, make in ((NO_LEASE, RedisStore), (LEASE, LeasedStore)):
            store: Any = make(client, int, namespace=make.__name__, version=1)
            if make is LeasedStore:
                await closing.enter_async_context(store)
            cache: Cache[str, Any] = await closing.enter_async_context(Cache(store, load, ttl=TTL_S, flight=Flight()))
            ways[name] = cache.get
        ways |= {POLL_50: _polling(client, load, 0.05), POLL_1: _polling(client, load, 0.001)}
        ways[LOCK] = _locking(client, load)
        for name, set_up in ((AIOCACHE, _aiocache), (CASHEWS, _cashews)):
            try:
                ways[name] = set_up(port, load, closing)
                await ways[name](f"{name}:warm")
            except Exception as error:
                ways.pop(name, None)
                print(f"{name} is left out: {error!r}", file=sys.stderr)
        yield ways


async def main(port: int, load_s: float, callers: int) -> None:
    """Answer orders until the end of the input."""
    loads = 0

    async def load(key: str) -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0 if key.endswith(":warm") else load_s)
        return 1

    loop = asyncio.get_running_loop()
    async with _ways(port, load) as ways:
        for name, way in ways.items():
            await way(f"{name}:warm")
        print(json.dumps(sorted(ways)), flush=True)
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            name, key = json.loads(line)
            before, began = loads, time.perf_counter()
            answers = await asyncio.gather(
                *(ways[name](f"{name}:{key}") for _ in range(callers)), return_exceptions=True
            )
            errors = sum(isinstance(answer, BaseException) for answer in answers)
            print(json.dumps([loads - before, time.perf_counter() - began, errors]), flush=True)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
