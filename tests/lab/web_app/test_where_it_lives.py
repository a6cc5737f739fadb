"""Where a service makes its cache: for each request, when the module is imported, or in the lifespan."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.from_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cachelab import Cache, Flight, MemoryStore, lab
from tests.support.fakes import Origin

Users = Cache[Any, Any]


def make_users(origin: Origin) -> Users:
    """The cache of the service."""
    return Cache(MemoryStore(10), origin, ttl=60, flight=Flight(), name="users")


def service(find_users: Callable[[Request], Users], **options: Any) -> Starlette:
    """An application whose handlers get the cache by `find_users`: one is async, the other one runs in a thread."""

    async def get_user(request: Request) -> Response:
        return PlainTextResponse(str(await find_users(request).get(request.path_params["id"])))

    def get_in_a_thread(request: Request) -> Response:
        return PlainTextResponse(anyio.from_thread.run(find_users(request).get, request.path_params["id"]))

    routes = [Route("/users/{id:int}", get_user), Route("/threads/{id:int}", get_in_a_thread)]
    return Starlette(routes=routes, **options)


def with_lifespan(origin: Origin) -> Starlette:
    """An application that makes its cache when the worker starts, and closes it when the worker stops."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with make_users(origin) as users:
            yield {"users": users}

    return service(lambda request: request.state.users, lifespan=lifespan)


async def statuses(*apps: Starlette, path: str = "/users/7", requests: int = 100) -> tuple[set[int], list[Any]]:
    """The different statuses of the answers of a worker for each application, and the errors behind them."""
    found, errors = set[int](), list[Any]()
    for app in apps:
        async with lab.serving(app) as worker:
            found |= {answer.status for answer in await asyncio.gather(*(worker.get(path) for _ in range(requests)))}
            errors += worker.errors
    return found, errors


def test_a_cache_of_each_request_is_empty() -> None:
    """As one that a dependency makes for each request: a hundred requests are a hundred loads."""
    origin = Origin()
    assert lab.run(statuses, service(lambda request: make_users(origin))) == ({200}, [])
    assert origin.calls == 100


def test_a_cache_of_the_lifespan_loads_once_in_each_worker() -> None:
    """Also in the next test, whose event loop is another one."""
    origin = Origin()
    for _ in range(2):
        assert lab.run(statuses, with_lifespan(origin), with_lifespan(origin)) == ({200}, [])
    assert origin.calls == 4


def test_a_cache_of_the_module_belongs_to_the_first_test() -> None:
    """The first test passes. The second one has another event loop: it finds what was kept, and a miss is an error."""
    origin = Origin(load_time_s=0.01)
    users = make_users(origin)
    app = service(lambda request: users)
    assert asyncio.run(statuses(app)) == ({200}, [])
    assert asyncio.run(statuses(app)) == ({200}, [])
    assert origin.calls == 1
    found, errors = asyncio.run(statuses(app, path="/users/8"))
    assert found == {500}
    assert str(errors[0]) == "users belongs to another event loop: build it inside the loop that uses it."


def test_a_cache_of_the_module_belongs_to_the_first_simulation() -> None:
    """In virtual time each request of the second test is an error."""
    users = make_users(Origin())
    app = service(lambda request: users)
    assert lab.run(statuses, app) == ({200}, [])
    found, errors = lab.run(statuses, app)
    assert found == {500}
    assert str(errors[0]).startswith("This simulation has ended: build caches and stores inside the scenario")


def test_forty_def_endpoints_share_one_load() -> None:
    """In real threads, which ask the cache on the loop of the worker."""
    origin = Origin(load_time_s=0.2)
    assert asyncio.run(statuses(with_lifespan(origin), path="/threads/7", requests=40)) == ({200}, [])
    assert origin.calls == 1
