"""One Starlette endpoint over HTTP, with no cache and with several: requests a second, and queries of the database.

The server is a process with uvicorn (`http_worker`). The client has sixteen connections; on each it sends a request
when it has the last answer. The database is a local SQLite file, the quickest that there is. So this shows the least
that a cache can gain in requests a second: a request costs many times what a hit costs. What a cache saves are queries.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import cycle, islice
from typing import NamedTuple

from cachelab.lab import zipf_trace
from tests.bench.http_worker import CONSTANT, NO_CACHE, OURS, OURS_ON_REDIS, PEERS, USERS
from tests.bench.timing import Round, interleaved
from tests.support.notebooks import ROOT
from tests.support.servers import real_server

__all__ = ["CONSTANT", "NO_CACHE", "OURS", "OURS_ON_REDIS", "PEERS", "Result", "measure"]

CONNECTIONS = 16


class Result(NamedTuple):
    """What a way costs: the seconds of a request, and how many queries of the database there were for each request."""

    seconds: float
    queries: float


@contextmanager
def _server(redis_url: str) -> Iterator[tuple[int, list[str]]]:
    """The port of the server and the names of its ways. It ends with the block."""
    command = [sys.executable, "-m", "tests.bench.http_worker", redis_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port, ways = json.loads(process.stdout.readline())
            yield port, ways
        finally:
            process.stdin.close()


class Connection:
    """A connection that is kept: HTTP in as few steps as will do, so that the client costs little."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, path: str) -> bytes:
        """The body of an answer. Raises AssertionError for a status other than 200."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        return await self._reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[list[Connection]]:
    """Connections to the server."""
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.push_async_callback(writer.wait_closed)
            stack.callback(writer.close)
            connections.append(Connection(reader, writer))
        yield connections


def _rounds_of(way: int, connections: list[Connection], keys: Iterator[int], calls: int) -> Round:
    async def one_round() -> float:
        remaining = islice(keys, calls)

        async def visitor(connection: Connection) -> None:
            for key in remaining:
                await connection.get(f"/{way}/{key}")

        start = time.perf_counter()
        await asyncio.gather(*map(visitor, connections))
        return (time.perf_counter() - start) / calls

    return one_round


async def measure(rounds: int = 15, calls: int = 1_000) -> dict[str, Result]:
    """What each way costs, of Zipf traffic for a thousand users, beginning with empty caches."""
    with real_server() as (path, _), _server(f"unix://{path}") as (port, ways):
        async with _connected(port) as connections:
            trace = zipf_trace((rounds + 1) * calls, USERS)
            seconds = await interleaved(
                {way: _rounds_of(number, connections, cycle(trace), calls) for number, way in enumerate(ways)}, rounds
            )
            requests = (rounds + 1) * calls
            queries = [int(await connections[0].get(f"/{number}/queries")) for number in range(len(ways))]
    return {way: Result(seconds[way], queries[number] / requests) for number, way in enumerate(ways)}


def show(results: dict[str, Result]) -> None:
    """Print for each way its requests a second, against those without a cache, and its queries."""
    width = max(map(len, results))
    for way, (seconds, queries) in results.items():
        ratio = results[NO_CACHE].seconds / seconds
        print(f"{way:<{width}}  {1 / seconds:>7,.0f} requests/s  {ratio:>5.2f} x  {queries:>6.3f} queries a request")


if __name__ == "__main__":
    show(asyncio.run(measure()))
