"""The proxy in front of a real Redis: it passes on, refuses, hangs, cuts and delays, and heals."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from traceback import format_exception
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError

from cachelab.lab.real_redis.private_server import PrivateServer
from cachelab.lab.real_redis.proxy import FaultyProxy, ProxyError
from cachelab.lab.real_redis.url import RedisNotUsable, make_client
from tests.support.servers import need_server


@asynccontextmanager
async def behind_a_proxy(timeout_s: float = 0.5) -> AsyncIterator[tuple[FaultyProxy, Any]]:
    """A proxy in front of a private server, and a client that connects through it."""
    server = await PrivateServer.start(need_server())
    url = f"unix://{server.path}"
    try:
        async with FaultyProxy(url) as proxy, make_client(url, timeout_s, via=proxy) as client:
            await client.set("k", "value")
            yield proxy, client
    finally:
        server.close()


def test_it_passes_everything_on() -> None:
    """Without a fault the client notices nothing, also with large replies and with a target on TCP (another proxy)."""

    async def scenario() -> None:
        async with behind_a_proxy(timeout_s=5) as (proxy, client):
            large = b"x" * 3_000_000
            await client.set("large", large)
            assert await client.get("large") == large
            target = f"redis://{proxy.host}:{proxy.port}"
            async with FaultyProxy(target) as second, make_client(target, 5, via=second) as far:
                assert await far.get("k") == b"value"

    asyncio.run(scenario())


def test_it_refuses() -> None:
    """While it refuses, connected and new clients get an error at once; afterwards they are served again."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.refuse()
            began = time.perf_counter()
            for _ in range(3):
                with pytest.raises(RedisConnectionError):
                    await client.get("k")
            assert time.perf_counter() - began < 0.5
            proxy.heal()
            assert await client.get("k") == b"value"

    asyncio.run(scenario())


def test_it_hangs() -> None:
    """While it hangs, only the client's own time-out ends a call."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.hang()
            began = time.perf_counter()
            for _ in range(2):  # on the open connection, then on a new one
                with pytest.raises(RedisTimeoutError):
                    await client.get("k")
            assert 0.9 < time.perf_counter() - began < 5
            proxy.heal()
            assert await client.get("k") == b"value"

    asyncio.run(scenario())


def test_it_delivers_what_it_held_back() -> None:
    """A caller that waits long enough gets the answer when the network works again."""

    async def scenario() -> None:
        async with behind_a_proxy(timeout_s=20) as (proxy, client):
            proxy.hang()
            call = asyncio.create_task(client.get("k"))
            await asyncio.sleep(0.1)
            assert not call.done()
            proxy.heal()
            assert await call == b"value"

    asyncio.run(scenario())


def test_it_cuts_replies() -> None:
    """A reply that is cut is an error, and never a shorter value."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            for after in (0, 3, 6):
                proxy.cut(after)
                with pytest.raises(RedisConnectionError):
                    await client.get("k")
                proxy.heal()
                assert await client.get("k") == b"value"

    asyncio.run(scenario())


def test_it_delays_replies() -> None:
    """A delayed reply is late, and a reply that is later than the client's time-out is an error."""

    async def scenario() -> None:
        async with behind_a_proxy() as (proxy, client):
            proxy.delay(0.1)
            began = time.perf_counter()
            assert await client.get("k") == b"value"
            assert time.perf_counter() - began >= 0.1
            proxy.delay(1.0)
            with pytest.raises(RedisTimeoutError):
                await client.get("k")

    asyncio.run(scenario())


def test_each_mistake_gets_a_sentence() -> None:
    """A port in use, a malformed target, and a server before which no proxy can stand are explained."""

    async def scenario() -> None:
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            with pytest.raises(ProxyError, match=r"cannot listen on port \d+, which may be in use: leave the port out"):
                await FaultyProxy("redis://localhost:1", port=busy.getsockname()[1]).__aenter__()
        for target in (
            None,
            "",
            "localhost:6379",
            "rediss://localhost",
            "redis://u:secret#s@h",
            "redis://u:secret[s@h",
        ):
            with pytest.raises(ProxyError, match="The proxy needs a target like redis://host:port") as raised:
                FaultyProxy(target)
            assert "secret" not in "".join(format_exception(raised.value))
        with pytest.raises(RedisNotUsable, match="The proxy cannot stand before a cluster or an encrypted server"):
            make_client("rediss://localhost", 0.1, via=FaultyProxy("redis://localhost"))

    asyncio.run(scenario())
