"""A worker in virtual time: its lifespan, its requests, clients that give up, and what Starlette does with threads."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from cachelab import lab
from tests.support.fakes import in_virtual_time, now


class Service:
    """An application with endpoints of all kinds, which notes what happens in it."""

    def __init__(self, *, passing_on: bool = False) -> None:
        self.events: list[str] = []
        routes = [
            Route("/slow", self.slow),
            Route("/echo", self.echo, methods=["GET", "PUT"]),
            Route("/stream", self.stream),
            Route("/thread", self.thread),
            Route("/broken", self.broken),
        ]
        middleware = [Middleware(PassingOn)] if passing_on else []
        self.app = Starlette(routes=routes, middleware=middleware, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[dict[str, Any]]:
        """Takes a second to start."""
        await asyncio.sleep(1)
        self.events.append(f"started at {now()}")
        yield {"loop": asyncio.get_running_loop()}
        self.events.append(f"stopped at {now()}")

    async def slow(self, request: Request) -> Response:
        """Takes ten seconds."""
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        self.events.append(f"answered at {now()}, client gone: {await request.is_disconnected()}")
        return PlainTextResponse("done")

    async def echo(self, request: Request) -> Response:
        """Sends back what it received."""
        sent = await request.json() if request.method == "PUT" else None
        assert request.state.loop is asyncio.get_running_loop()
        return JSONResponse([sent, dict(request.query_params), request.headers.get("tenant")], headers={"X-Old": "yes"})

    async def stream(self, request: Request) -> Response:
        """Sends a part a second."""

        async def parts() -> AsyncIterator[str]:
            try:
                for part in "abc":
                    await asyncio.sleep(1)
                    yield part
            except asyncio.CancelledError:
                self.events.append("stream cancelled")
                raise

        return StreamingResponse(parts())

    def thread(self, request: Request) -> Response:
        """A `def` endpoint, which Starlette runs in a thread."""
        return PlainTextResponse(str(threading.current_thread() is threading.main_thread()))

    async def broken(self, request: Request) -> Response:
        """Raises."""
        raise ValueError("a mistake")


class PassingOn(BaseHTTPMiddleware):
    """Changes nothing. Starlette runs the application inside such a middleware in a task group."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Pass the request on."""
        return await call_next(request)


@pytest.mark.parametrize("passing_on", [False, True], ids=["plain", "BaseHTTPMiddleware"])
def test_all_kinds_of_endpoints_answer_in_virtual_time(passing_on: bool) -> None:
    """Async, `def` and streaming endpoints, with and without a middleware that uses a task group."""
    service = Service(passing_on=passing_on)

    async def scenario() -> None:
        async with lab.serving(service.app) as worker:
            echo = await worker.put("/echo?a=1", {"b": 2}, {"Tenant": "acme"})
            assert (echo.status, echo.json(), echo.headers["x-old"]) == (200, [{"b": 2}, {"a": "1"}, "acme"], "yes")
            assert (await worker.get("/thread")).body == b"True"
            began = now()
            assert (await worker.get("/stream")).body == b"abc"
            assert now() - began == 3.0
            assert (await worker.get("/nowhere")).status == 404

    lab.run(scenario)
    assert service.events == ["started at 1.0", "stopped at 4.0"]


@in_virtual_time
async def test_a_client_that_gives_up_does_not_cancel_the_handler() -> None:
    """The handler runs to its end and can learn that the client has gone. The worker stops only after it."""
    service = Service()
    async with lab.serving(service.app) as worker:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await worker.get("/slow")
    assert service.events == ["started at 1.0", "answered at 11.0, client gone: True", "stopped at 11.0"]


@in_virtual_time
async def test_a_client_that_gives_up_ends_a_stream() -> None:
    """Starlette cancels the generator of a StreamingResponse when it learns that the client has gone."""
    service = Service()
    async with lab.serving(service.app) as worker:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                await worker.get("/stream")
    assert service.events == ["started at 1.0", "stream cancelled", "stopped at 2.5"]


@in_virtual_time
async def test_a_mistake_of_the_application_is_an_answer_and_is_kept() -> None:
    """The client gets a 500, the worker goes on, and the error can be looked at."""
    async with lab.serving(Service().app) as worker:
        assert (await worker.get("/broken")).status == 500
        assert (await worker.get("/thread")).status == 200
        (error,) = worker.errors
        assert isinstance(error, ValueError)


@in_virtual_time
async def test_two_workers_have_a_lifespan_each() -> None:
    """They may stop in any order, and the second one still answers a `def` endpoint without a thread."""
    one, two = Service(), Service()
    first, second = lab.serving(one.app), lab.serving(two.app)
    await first.__aenter__()
    worker = await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert (await worker.get("/thread")).body == b"True"
    await second.__aexit__(None, None, None)
    assert (one.events[0], two.events[0]) == ("started at 1.0", "started at 2.0")


def test_in_real_time_threads_are_threads() -> None:
    """Outside virtual time a `def` endpoint runs in a thread, and afterwards anyio is as it was."""
    before = anyio.to_thread.run_sync

    async def scenario() -> bytes:
        async with lab.serving(Starlette(routes=[Route("/thread", Service().thread)])) as worker:
            return (await worker.get("/thread")).body

    assert asyncio.run(scenario()) == b"False"
    assert anyio.to_thread.run_sync is before


@pytest.mark.parametrize("when", ["start", "stop"])
def test_an_error_of_the_lifespan_is_raised(when: str) -> None:
    """It is the application's own error, whether it cannot start or cannot stop."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if when == "start":
            raise OSError("no database")
        yield
        raise OSError("no database")

    async def scenario() -> None:
        async with lab.serving(Starlette(lifespan=lifespan)):
            pass

    with pytest.raises(OSError, match="no database"):
        lab.run(scenario)


def test_an_application_without_a_lifespan_gets_a_sentence() -> None:
    """One that returns at once, or reports a failure and returns, cannot be served."""

    async def returns(scope: Any, receive: Any, send: Any) -> None:
        pass

    async def reports(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    async def scenario(app: Any) -> None:
        async with lab.serving(app):
            pass

    with pytest.raises(RuntimeError, match=r"^The application ended its lifespan before the startup was complete\.$"):
        lab.run(scenario, returns)
    with pytest.raises(RuntimeError, match=r"^The startup of the application failed: no disk$"):
        lab.run(scenario, reports)
