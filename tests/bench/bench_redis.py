"""What reads from a real Redis cost: the processor time of a hit, the throughput of many callers, and of two levels.

All talk to one private server over a unix socket. The raw competitor is `redis.asyncio` GET on a client that
`redis_client` builds. It has as many connections as there are callers, and decodes nothing. aiocache gets the same
client, so that the comparison shows what a library adds to it. (On a client such as aiocache builds itself, without
time-outs and without a pool that waits, a hit costs what ours does.) cashews builds its own client.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeAlias

from redis.asyncio import Redis

from cachelab import Cache, Entry, Flight, MemoryStore, Miss, RedisStore, redis_client
from cachelab.clock import Clock
from cachelab.lab import zipf_trace
from tests.bench.timing import Round, interleaved, report
from tests.support.servers import real_server

Read: TypeAlias = Callable[[int], Awaitable[Any]]
__all__ = [
    "ALONE",
    "OURS",
    "PEERS",
    "RAW",
    "SHARED",
    "STORE",
    "TWO_LEVELS",
    "measure_hit",
    "measure_levels",
    "measure_reads",
]

RAW, OURS, STORE = "redis.asyncio GET", "cachelab", "cachelab, the store alone"
ONE_BY_ONE = "a pipeline a read"
PEERS = ["aiocache", "cashews"]
TWO_LEVELS, ALONE, SHARED = "memory over Redis", "Redis alone, a trip a read", "Redis alone, trips shared"
KEYS, TTL_S = 10_000, 3_600


@dataclass(frozen=True)
class Profile:
    """A small value, as a user service has."""

    id: int
    username: str
    email: str


def _profile(key: int) -> Profile:
    return Profile(key, f"user{key}", f"user{key}@example.com")


async def _load(key: int) -> Profile:
    return _profile(key)


class OneByOne(RedisStore[Any]):
    """The store as it would be if reads did not travel together: each is a pipeline of PTTL and GET."""

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        """The entry or `MISS`, by a round trip of its own."""
        self._clock.check_loop()
        name, asked = self.key(key), self._clock()
        pipe = self._redis.pipeline(transaction=False)
        pipe.pttl(name)
        pipe.get(name)
        life_ms, data = await pipe.execute()
        return self._entry(key, name, asked, (life_ms, data))


@asynccontextmanager
async def _filled(connections: int) -> AsyncIterator[tuple[Redis, Path]]:
    """A client with so many connections, and the socket of its server, which has all the profiles."""
    with real_server() as (path, _):
        async with redis_client(f"unix://{path}", timeout_s=30.0, max_connections=connections) as redis:
            await asyncio.gather(*map(_cache(redis).get, range(1, KEYS + 1)))
            yield redis, path


def _cache(redis: Redis, store: type[RedisStore[Any]] = RedisStore) -> Cache[int, Profile]:
    return Cache(store(redis, Profile, namespace="profile", version=1), _load, ttl=TTL_S)


def _rounds_of(read: Read, keys: Iterator[int], calls: int, callers: int, clock: Clock = time.perf_counter) -> Round:
    """So many callers, each of which reads the next key as soon as it has an answer."""

    async def one_round() -> float:
        remaining = islice(keys, calls)

        async def caller() -> None:
            for key in remaining:
                await read(key)

        start = clock()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return (clock() - start) / calls

    return one_round


async def _peers(path: Path, closing: AsyncExitStack) -> dict[str, Read]:
    """The Redis back ends of aiocache and cashews, with pickles. One that is missing or does not run is left out."""
    peers: dict[str, Read] = {}
    for peer, set_up in zip(PEERS, (_aiocache, _cashews), strict=True):
        try:
            peers[peer] = await set_up(path, closing)
            assert await peers[peer](1) == _profile(1)
        except Exception as error:
            peers.pop(peer, None)
            print(f"{peer} is left out: {error!r}")
    return peers


async def _aiocache(path: Path, closing: AsyncExitStack) -> Read:
    from aiocache import RedisCache
    from aiocache.serializers import PickleSerializer

    cache = RedisCache(serializer=PickleSerializer(), namespace="aiocache")
    cache.client = await closing.enter_async_context(redis_client(f"unix://{path}", timeout_s=30.0, max_connections=1))
    for key in range(1, KEYS + 1):
        await cache.set(str(key), _profile(key), ttl=TTL_S)
    return lambda key: cache.get(str(key))


async def _cashews(path: Path, closing: AsyncExitStack) -> Read:
    from cashews import Cache as Cashews, register_backend
    from cashews.backends.redis import Redis as BackEnd
    from cashews.picklers import PicklerType

    register_backend("unix", BackEnd, pass_uri=True, pickler=PicklerType.DEFAULT)  # as it registers "redis" itself
    cache = Cashews()
    cache.setup(f"unix://{path}")
    closing.push_async_callback(cache.close)
    await cache.set_many({f"cashews:{key}": _profile(key) for key in range(1, KEYS + 1)}, expire=TTL_S)
    return lambda key: cache.get(f"cashews:{key}")


async def measure_hit(rounds: int = 201, calls: int = 50) -> dict[str, float]:
    """The median processor time of this process for one hit, in seconds, with one caller at a time."""
    async with _filled(connections=1) as (redis, path), AsyncExitStack() as closing:
        ways: dict[str, Read] = {RAW: lambda key: redis.get(f"profile:v1:{key}"), OURS: _cache(redis).get}
        ways |= {ONE_BY_ONE: _cache(redis, OneByOne).get} | await _peers(path, closing)
        keys = cycle(range(1, KEYS + 1))
        return await interleaved(
            {name: _rounds_of(read, keys, calls, 1, time.process_time) for name, read in ways.items()}, rounds
        )


async def measure_reads(callers: int, rounds: int = 31, calls: int = 1_000) -> dict[str, float]:
    """The least seconds that a read of Zipf traffic took when so many callers read together."""
    async with _filled(connections=callers) as (redis, _):
        ways: dict[str, Read] = {RAW: lambda key: redis.get(f"profile:v1:{key}"), OURS: _cache(redis).get}
        for name, store in ((STORE, RedisStore), (ONE_BY_ONE, OneByOne)):
            ways[name] = store(redis, Profile, namespace="profile", version=1).get
        keys = cycle(zipf_trace(10 * calls, KEYS))
        reads = {name: _rounds_of(read, keys, calls, callers) for name, read in ways.items()}
        return await interleaved(reads, rounds, typical=min)


async def measure_levels(callers: int, rounds: int = 41, calls: int = 500) -> dict[str, float]:
    """The median seconds of a read of Zipf traffic: with a tenth of the keys in memory above Redis, and without."""
    async with _filled(connections=callers) as (redis, _):
        above: Cache[int, Profile] = Cache(MemoryStore(KEYS // 10), _cache(redis), ttl=TTL_S, flight=Flight())
        ways = {TWO_LEVELS: above.get, ALONE: _cache(redis, OneByOne).get, SHARED: _cache(redis).get}
        trace = zipf_trace((rounds + 6) * calls, KEYS)
        for key in trace[: 5 * calls]:
            await above.get(key)
        return await interleaved(
            {name: _rounds_of(read, iter(trace[5 * calls :]), calls, callers) for name, read in ways.items()}, rounds
        )


if __name__ == "__main__":
    print("Processor time of a hit, one caller")
    report(asyncio.run(measure_hit()), RAW)
    for count in (10, 100):
        print(f"\nA read, {count} callers")
        report(asyncio.run(measure_reads(count)), RAW)
    for count in (1, 32):
        print(f"\nA read of Zipf traffic, {count} callers")
        report(asyncio.run(measure_levels(count)), TWO_LEVELS)
