"""Faults on the way to a real Redis: a proxy that refuses, hangs, cuts replies or delays them, and then heals.

    async with lab.FaultyProxy(redis.url) as proxy:
        client = redis.client(via=proxy)
        proxy.hang()
        ...
        proxy.heal()

It passes bytes on and knows nothing of Redis. It works in real time only; in a simulation, `lab.FakeRedis` has faults
on a schedule.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

__all__ = ["FaultyProxy", "ProxyError"]

CHUNK = 65_536  # bytes


class ProxyError(Exception):
    """The proxy cannot be started; the text says what to do."""


class FaultyProxy:
    """A proxy on `host` and `port` of this machine, in front of `target`: "redis://host:port" or "unix:///path".

    `accepted`   how many connections it has accepted
    """

    host = "127.0.0.1"

    def __init__(self, target: str | None, port: int = 0) -> None:
        try:
            parts = urlsplit(target or "")
            self._path = parts.path if parts.scheme == "unix" else None
            self._address = (parts.hostname, parts.port or 6379)
            if not (self._path or (parts.scheme == "redis" and parts.hostname)):
                raise ValueError("no address")
        except ValueError:  # its text may quote a password
            raise ProxyError(
                "The proxy needs a target like redis://host:port or unix:///path. (fakeredis has no address: use "
                "lab.FakeRedis, which has faults on a schedule.)"
            ) from None
        self.port = port
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._may_pass = asyncio.Event()
        self.heal()

    def heal(self) -> None:
        """Pass everything on again. What was held back is delivered now, as on a network that works again."""
        self._is_refusing, self._cut_after, self._delay_s = False, -1, 0.0
        self._may_pass.set()

    def refuse(self) -> None:
        """Break all connections, and every new connection at once."""
        self.heal()
        self._is_refusing = True
        for writers in self._connections.values():
            _abort(writers)

    def hang(self) -> None:
        """Accept connections and pass nothing on, in either direction, until another of these methods is called."""
        self.heal()
        self._may_pass.clear()

    def cut(self, after: int = 3) -> None:
        """Break each connection after the first `after` bytes of its next reply: the client gets a part of it."""
        if after < 0:
            raise ValueError(f"A reply can be cut after 0 bytes or more, not after {after!r}.")
        self.heal()
        self._cut_after = after

    def delay(self, seconds: float) -> None:
        """Pass each reply on `seconds` later."""
        if not seconds >= 0:
            raise ValueError(f"A delay takes 0 seconds or more, not {seconds!r}.")
        self.heal()
        self._delay_s = seconds

    async def __aenter__(self) -> FaultyProxy:
        try:
            self._server = await asyncio.start_server(self._accept, self.host, self.port)
        except OSError as error:
            raise ProxyError(
                f"The proxy cannot listen on port {self.port}, which may be in use: leave the port out, and it takes a "
                "free one."
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        writers = [writer]
        # if this method were a coroutine, asyncio would report an error when its task is cancelled
        task = asyncio.create_task(self._serve(reader, writers))
        self._connections[task] = writers
        task.add_done_callback(self._close)

    async def _serve(self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]) -> None:
        if self._is_refusing:
            return
        directions: list[asyncio.Task[None]] = []
        try:
            if self._path is not None:
                from_redis, to_redis = await asyncio.open_unix_connection(self._path)
            else:
                from_redis, to_redis = await asyncio.open_connection(*self._address)
            directions = [
                asyncio.create_task(self._pass_requests(reader, to_redis)),
                asyncio.create_task(self._pass_replies(from_redis, writers[0])),
            ]
            writers.append(to_redis)
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass  # nothing listens behind the proxy: the connection breaks
        finally:
            _abort(writers)
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    def _close(self, task: asyncio.Task[None]) -> None:
        _abort(self._connections.pop(task))  # also if the task was cancelled before it began

    async def _pass_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._may_pass.wait()
            writer.write(data)
            await writer.drain()

    async def _pass_replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._may_pass.wait()
            if self._cut_after >= 0:
                writer.write(data[: self._cut_after])
                writer.write_eof()
                await asyncio.sleep(0.01)  # an immediate abort could overtake the part that was written
                return
            writer.write(data)
            await writer.drain()


def _abort(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()
