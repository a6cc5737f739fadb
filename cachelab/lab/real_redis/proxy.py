"""Faults on the way to a real Redis: a proxy that refuses, hangs, cuts replies or delays them, switched while it runs.

    async with lab.FaultyProxy(redis.url) as proxy:
        client = redis.client(via=proxy)
        proxy.hang()
        ...
        proxy.heal()

It works on bytes and knows nothing of Redis. Real time only: in a simulation `lab.FakeRedis` has faults on a schedule.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["FaultyProxy", "ProxyError"]

CHUNK = 65_536  # bytes


class ProxyError(Exception):
    """The proxy cannot be started; the text says what to do."""


class FaultyProxy:
    """Listens on `host` and `port` of this machine and passes on to `target`: "redis://host:port" or "unix:///path".

    `accepted`   how many connections have come in
    """

    host = "127.0.0.1"

    def __init__(self, target: str | None, port: int = 0) -> None:
        parts = urlsplit(target or "")
        self._path = parts.path if parts.scheme == "unix" else None
        self._address = (parts.hostname, parts.port or 6379)
        if not (self._path or (parts.scheme == "redis" and parts.hostname)):
            raise ProxyError(
                "The proxy needs a target like redis://host:port or unix:///path (fakeredis has no address: use "
                "lab.FakeRedis, and its faults on a schedule)."
            )
        self.port = port
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._passing = asyncio.Event()
        self.heal()

    def heal(self) -> None:
        """Pass everything on; what hangs is delivered now, as on a network that is back."""
        self._refusing, self._cut_after, self._delay_s = False, -1, 0.0
        self._passing.set()

    def refuse(self) -> None:
        """Break what is connected, and every new connection at once."""
        self.heal()
        self._refusing = True
        for writers in self._open.values():
            _abort(writers)

    def hang(self) -> None:
        """Accept everything and pass nothing on, in either direction, until the next switch."""
        self.heal()
        self._passing.clear()

    def cut(self, after: int = 3) -> None:
        """Break a connection after the first `after` bytes of its next reply (which reaches the client in part)."""
        if after < 0:
            raise ValueError("A reply is cut after 0 bytes or more.")
        self.heal()
        self._cut_after = after

    def delay(self, seconds: float) -> None:
        """Pass each reply on so many seconds late."""
        if not seconds >= 0:
            raise ValueError("A delay takes 0 seconds or more.")
        self.heal()
        self._delay_s = seconds

    async def __aenter__(self) -> FaultyProxy:
        try:
            self._server = await asyncio.start_server(self._accept, self.host, self.port)
        except OSError as error:
            raise ProxyError(
                f"Port {self.port} is busy: leave out the port, and the proxy takes a free one."
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        writers = [writer]
        task = asyncio.create_task(self._pass_on(reader, writers))  # a stream's own complains if cancelled
        self._open[task] = writers
        task.add_done_callback(self._end)

    async def _pass_on(self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]) -> None:
        if self._refusing:
            return
        pumps: list[asyncio.Task[None]] = []
        try:
            if self._path is not None:
                from_redis, to_redis = await asyncio.open_unix_connection(self._path)
            else:
                from_redis, to_redis = await asyncio.open_connection(*self._address)
            pumps = [
                asyncio.create_task(self._requests(reader, to_redis)),
                asyncio.create_task(self._replies(from_redis, writers[0])),
            ]
            writers.append(to_redis)
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # nobody is behind the proxy: the connection breaks
        finally:
            _abort(writers)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def _end(self, task: asyncio.Task[None]) -> None:
        _abort(self._open.pop(task))  # also if it was cancelled before it began

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._passing.wait()
            writer.write(data)
            await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._passing.wait()
            if self._cut_after >= 0:
                writer.write(data[: self._cut_after])
                writer.write_eof()
                await asyncio.sleep(0.01)  # an abort at once could overtake the part that was written
                return
            writer.write(data)
            await writer.drain()


def _abort(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()
