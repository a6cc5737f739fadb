"""The service of chapter 15: user profiles over HTTP, behind a memory in each worker and a Redis that all share.

`create` is what a server calls, `uvicorn --factory`, or `lab.serving(create(...))` in virtual time. The notebook shows
all of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cachelab import ABSENT, Cache, Flight, Freshness, InvalidationFailed, MemoryStore, PrometheusMetrics, RedisStore
from cachelab.entry import Store
from cachelab.lab.web_app.profiles import Profile, ProfileDatabase

__all__ = ["OpenStore", "create", "deliver", "get_user", "open_plain_store", "put_user"]

OpenStore: TypeAlias = Callable[[Any, str], AbstractAsyncContextManager[Store[Profile]]]
"""Opens the store that all workers share, given a Redis and a namespace; `releases`, beside this, has another one."""


async def get_user(request: Request) -> Response:
    """The user as JSON, and for how long a browser may keep it."""
    entry = await request.state.users(request.path_params["id"])
    if entry.value is ABSENT:
        return Response(status_code=404)
    seconds = int(entry.fresh_for(asyncio.get_running_loop().time()))
    headers = {"Cache-Control": f"private, max-age={seconds}"}
    return Response(msgspec.json.encode(entry.value), media_type="application/json", headers=headers)


async def put_user(request: Request) -> Response:
    """Change the address, and tell the caches of this user. The answer says that it is committed."""
    user_id, sent = request.path_params["id"], await request.json()
    await request.state.db.update_user(user_id, sent["email"])
    await deliver(request.state.db, request.state.users, user_id)
    return Response(status_code=204)


async def deliver(db: ProfileDatabase, users: Cache[int, Profile], user_id: int | None = None) -> None:
    """Delete from the caches each user, or this one, of whom the outbox has a note.

    A note stays until its delete has succeeded. A database that is locked, or a Redis that is away, is no error here:
    the next round tries again.
    """
    with suppress(sqlite3.OperationalError):
        for note in db.notes(user_id):
            with suppress(InvalidationFailed):
                await users.delete(note.user_id)
                db.drop_note(note.number)


@asynccontextmanager
async def open_plain_store(redis: Any, namespace: str) -> AsyncIterator[Store[Profile]]:
    """The store of the notebook."""
    yield RedisStore(redis, Profile, namespace=namespace, version=1)


def create(
    open_db: Callable[[], ProfileDatabase],
    open_redis: Callable[[], Any],
    *,
    namespace: str = "user",
    open_store: OpenStore = open_plain_store,
) -> Starlette:
    """The application. It opens a database and a Redis when a worker starts, and not when it is built."""
    metrics = PrometheusMetrics()

    async def relay(db: ProfileDatabase, users: Cache[int, Profile]) -> None:
        while True:
            await asyncio.sleep(1)
            await deliver(db, users)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with open_redis() as redis, open_store(redis, namespace) as store:
            db, swr = open_db(), Freshness(stale_for=5)
            l2 = Cache(store, db.fetch_user, ttl=60, flight=Flight(), name="redis", listen=metrics)
            memory = MemoryStore[Profile](10_000)
            l1 = Cache(memory, l2, ttl=5, flight=Flight(), freshness=swr, name="memory", listen=metrics)
            async with l2, l1:
                task = asyncio.create_task(relay(db, l1))
                yield {"db": db, "users": l1}
                task.cancel()

    async def get_metrics(request: Request) -> Response:
        return Response(metrics.text(), headers={"Content-Type": metrics.content_type})

    routes = [Route("/users/{id:int}", get_user), Route("/users/{id:int}", put_user, methods=["PUT"])]
    return Starlette(routes=[*routes, Route("/metrics", get_metrics)], lifespan=lifespan)
