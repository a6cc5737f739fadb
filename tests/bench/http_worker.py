"""The server of `bench_http`: one endpoint, `/WAY/7`, that gets a user in each of the ways that are compared.

    python -m tests.bench.http_worker REDIS_URL

It prints its port and the names of the ways, as JSON. It ends when its input closes. `/WAY/queries` answers how many
rows this way has read from the database, a local SQLite file, which answers within some microseconds.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import uvicorn
from cachetools import TTLCache
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cachelab import Cache, Flight, MemoryStore, RedisStore, redis_client
from cachelab.lab import Profile

Get: TypeAlias = Callable[[int], Awaitable[Any]]
__all__ = ["BOUND", "CONSTANT", "NO_CACHE", "OURS", "OURS_ON_REDIS", "PEERS", "USERS"]

CONSTANT, NO_CACHE = "the same user each time", "no cache"
OURS, OURS_ON_REDIS = "cachelab, memory", "cachelab, Redis"
PEERS = ["cachetools, by hand", "aiocache, memory", "cashews, memory"]
USERS, BOUND, TTL_S = 1_000, 10_000, 3_600


class Database:
    """The rows, and how many of them each way has read."""

    def __init__(self, path: Path) -> None:
        self.queries: Counter[str] = Counter()
        self._connection = sqlite3.connect(path)
        with self._connection:
            self._connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT)")
            rows = ((number, f"user_{number}", f"user_{number}@example.com") for number in range(1, USERS + 1))
            self._connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)

    def loader(self, way: str) -> Get:
        """A loader that counts its queries as those of this way."""

        async def load(user_id: int) -> Profile:
            self.queries[way] += 1
            return Profile(*self._connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone())

        return load

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _constant(_: Get) -> Get:
    user = Profile(7, "user_7", "user_7@example.com")

    async def get(user_id: int) -> Profile:
        return user

    return get


def _cachetools(load: Get) -> Get:
    kept: TTLCache[int, Profile] = TTLCache(BOUND, TTL_S)

    async def get(user_id: int) -> Profile:
        user = kept.get(user_id)
        if user is None:
            user = kept[user_id] = await load(user_id)
        return user

    return get


def _aiocache(load: Get) -> Get:
    from aiocache import SimpleMemoryCache, cached

    decorate: Any = cached(ttl=TTL_S, cache=SimpleMemoryCache, key_builder=lambda _, user_id: user_id)
    get: Get = decorate(load)
    return get


def _cashews(load: Get) -> Get:
    from cashews import Cache as Cashews

    cache = Cashews()
    cache.setup("mem://", size=BOUND)

    async def get(user_id: int) -> Any:
        return await load(user_id)

    decorate: Any = cache(ttl=TTL_S, key="{user_id}")
    cached: Get = decorate(get)
    return cached


@asynccontextmanager
async def _ways(database: Database, redis_url: str) -> AsyncIterator[dict[str, Get]]:
    """All ways that run here. A peer that is not installed is left out."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis_client(redis_url, timeout_s=10.0))
        shared = RedisStore(client, Profile, namespace="bench", version=1)
        stores: dict[str, Any] = {OURS: MemoryStore[Profile](BOUND), OURS_ON_REDIS: shared}
        ways = {CONSTANT: _constant(database.loader(CONSTANT)), NO_CACHE: database.loader(NO_CACHE)}
        for way, store in stores.items():
            load: Any = database.loader(way)
            cache: Cache[int, Any] = Cache(store, load, ttl=TTL_S, flight=Flight())
            ways[way] = (await stack.enter_async_context(cache)).get
        for way, make in zip(PEERS, (_cachetools, _aiocache, _cashews), strict=True):
            try:
                ways[way] = make(database.loader(way))
            except ModuleNotFoundError as error:
                print(f"{error.name} is not installed", file=sys.stderr)
        yield ways


def _application(database: Database, ways: dict[str, Get]) -> Starlette:
    gets = list(ways.values())
    names = list(ways)

    async def get_user(request: Request) -> Response:
        user = await gets[request.path_params["way"]](request.path_params["id"])
        return Response(msgspec.json.encode(user), media_type="application/json")

    async def get_queries(request: Request) -> Response:
        return PlainTextResponse(str(database.queries[names[request.path_params["way"]]]))

    return Starlette(routes=[Route("/{way:int}/queries", get_queries), Route("/{way:int}/{id:int}", get_user)])


async def main(redis_url: str) -> None:
    """Serve until the input closes."""
    with tempfile.TemporaryDirectory() as folder, closing(Database(Path(folder) / "users.db")) as database:
        async with _ways(database, redis_url) as ways:
            app = _application(database, ways)
            config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            print(json.dumps([server.servers[0].sockets[0].getsockname()[1], list(ways)]), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            server.should_exit = True
            await serving


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
