"""Run an ASGI application without a socket, in virtual time too: a worker of a service, and a client that asks it.

    async def scenario():
        async with lab.serving(create()) as worker:
            answer = await worker.get("/users/7")
            assert answer.status == 200

The worker behaves as uvicorn does. It runs the application's lifespan, once, in a task of its own, so what is built
there lives on the worker's event loop. Each request is a task of the application: a client that gives up does not
cancel it, and the application can only learn of it (`http.disconnect`). At the end the worker waits for the requests
under way, and then for the end of the lifespan. Starlette runs a `def` endpoint in a thread; there are none in virtual
time, so there it runs at once.

`httpx.ASGITransport` differs in all of this: it runs no lifespan, and a client that gives up cancels the handler.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from typing import Any, NamedTuple, TypeAlias

import anyio.to_thread

from cachelab.lab.sim.virtual_loop import VirtualLoop

__all__ = ["Answer", "Worker", "serving"]

Application: TypeAlias = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]
ASGI = {"version": "3.0", "spec_version": "2.3"}  # as uvicorn has it


class Answer(NamedTuple):
    """The answer to a request: its status, its headers with their names in lower case, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON. Raises ValueError if it is none."""
        return json.loads(self.body)


class Worker:
    """One process of a service. `serving` makes it.

    `errors`   what the application has raised, in this order; the client got an answer with status 500 for each
    """

    def __init__(self, app: Application) -> None:
        self.errors: list[BaseException] = []
        self._app = app
        self._state: dict[str, Any] = {}  # what the lifespan yields: each request gets a copy
        self._handlers: set[asyncio.Task[None]] = set()

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to GET. `path` may end with a query: "/users?page=2"."""
        return await self.request("GET", path, headers=headers)

    async def put(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to PUT. The body is sent as JSON."""
        return await self.request("PUT", path, json.dumps(body).encode(), headers)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to any request, when its body is complete. If this is cancelled, the application goes on."""
        exchange = _Exchange(body)
        handler = asyncio.create_task(self._handle(_scope(method, path, headers or {}, self._state), exchange))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        try:
            await asyncio.shield(handler)
        finally:
            exchange.client_has_gone.set()
        return Answer(exchange.status, exchange.headers, exchange.body)

    async def _handle(self, scope: dict[str, Any], exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except (Exception, asyncio.CancelledError) as error:  # the server answers for the application, and goes on
            self.errors.append(error)
            exchange.status = 500

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        """The lifespan of the application is open within this block."""
        loop = asyncio.get_running_loop()
        orders: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        reports: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": ASGI, "state": self._state}
        lifespan = loop.create_task(self._app(scope, orders.get, reports.put))
        try:
            await _carry_out("startup", lifespan, orders, reports)
            try:
                yield
            finally:
                while self._handlers:
                    await asyncio.wait(self._handlers)
                await _carry_out("shutdown", lifespan, orders, reports)
            await lifespan
        finally:
            lifespan.cancel()


class _Exchange:
    """One request and its answer, as the application sees them: what it receives, and what it sends."""

    def __init__(self, body: bytes) -> None:
        self.status, self.headers, self.body = 500, dict[str, str](), b""
        self.client_has_gone = asyncio.Event()
        self._request: list[dict[str, Any]] = [{"type": "http.request", "body": body}]

    async def receive(self) -> dict[str, Any]:
        if self._request and not self.client_has_gone.is_set():
            return self._request.pop()
        await self.client_has_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): text.decode() for name, text in message.get("headers", ())}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


@asynccontextmanager
async def serving(app: Application) -> AsyncIterator[Worker]:
    """Start a worker for an ASGI application, and stop it at the end of the block. Two blocks are two workers.

    Raises what the application raises when it starts or stops. The end of the block waits for the requests under way.
    """
    worker = Worker(app)
    with _no_threads_in_virtual_time():
        async with worker._running():
            yield worker


async def _carry_out(
    order: str, lifespan: asyncio.Task[None], orders: asyncio.Queue[Any], reports: asyncio.Queue[Any]
) -> None:
    """Order the lifespan to start up or to shut down, and wait until it has. Raises its error."""
    orders.put_nowait({"type": f"lifespan.{order}"})
    report = asyncio.ensure_future(reports.get())
    await asyncio.wait([lifespan, report], return_when=asyncio.FIRST_COMPLETED)
    if not report.done():
        report.cancel()
        await lifespan  # raises its error
        raise RuntimeError(f"The application ended its lifespan before the {order} was complete.")
    if report.result()["type"] == f"lifespan.{order}.failed":
        await lifespan
        raise RuntimeError(f"The {order} of the application failed: {report.result().get('message', '')}")


def _scope(method: str, path: str, headers: Mapping[str, str], state: dict[str, Any]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
        "server": ("service", 80),
        "client": ("client", 1),
        "state": state.copy(),
    }


_threads: Any = anyio.to_thread
_run_in_a_thread = anyio.to_thread.run_sync
_servings = 0


async def _run_at_once(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Stands in for `anyio.to_thread.run_sync`. In real time it runs the function in a thread, as ever."""
    if isinstance(asyncio.get_running_loop(), VirtualLoop):
        return copy_context().run(function, *args)  # a thread gets a copy of the context, too
    return await _run_in_a_thread(function, *args, **options)


@contextmanager
def _no_threads_in_virtual_time() -> Iterator[None]:
    """Within this block, what would run in a thread of anyio runs at once. Several such blocks may overlap."""
    global _servings
    _servings += 1
    _threads.run_sync = _run_at_once
    try:
        yield
    finally:
        _servings -= 1
        if not _servings:
            _threads.run_sync = _run_in_a_thread
