"""The URL of a Redis: what it says, who answers there, and a client for it with sane time-outs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from cachelab.lab.real_redis.proxy import FaultyProxy

__all__ = ["NoRedis", "VARIABLE", "identify_server", "make_client", "address_of", "without_password"]

VARIABLE = "CACHELAB_REDIS_URL"


class NoRedis(Exception):
    """The Redis that was asked for cannot be used; the text says what to do."""


def make_client(
    url: str, timeout_s: float, *, is_cluster: bool = False, via: FaultyProxy | None = None, **options: Any
) -> Any:
    """A `redis.asyncio` client that answers or raises within about `timeout_s` seconds and never retries.

    `via` is a proxy that it connects to instead. What the URL sets for itself (`?socket_timeout=1`) holds.
    """
    settings: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    settings |= {"retry": Retry(NoBackoff(), 0)} | options
    if via is not None and (is_cluster or urlsplit(url).scheme == "rediss"):
        raise NoRedis(
            "The proxy cannot stand before a cluster or an encrypted server: use a plain one, or a private one."
        )
    if is_cluster:
        return RedisCluster.from_url(url, **settings)
    settings |= {"timeout": timeout_s} | parse_url(url)
    if via is not None:
        settings |= {"host": via.host, "port": via.port, "connection_class": Connection}
        settings.pop("path", None)
    return Redis.from_pool(BlockingConnectionPool(**settings))


async def identify_server(url: str, timeout_s: float) -> tuple[str, bool]:
    """The version of the server, and whether it is part of a cluster. Raises `NoRedis`, in words for people."""
    where, correct = address_of(url), f"correct {VARIABLE}, or unset it"
    client = make_client(url, max(timeout_s, 1.0), is_cluster=False)
    try:
        await client.ping()
        try:
            info = await client.info()
        except exceptions.ResponseError:  # it may be forbidden to us
            info = {}
    except exceptions.AuthenticationError as error:
        raise NoRedis(f"The Redis at {where} does not accept this user or password: {correct}.") from error
    except exceptions.BusyLoadingError as error:
        raise NoRedis(f"The Redis at {where} is still loading its data: try again in a moment.") from error
    except (exceptions.InvalidResponse, exceptions.ResponseError) as error:
        raise NoRedis(f"What answers at {where} is no Redis that lets us in: {correct}.") from error
    except (exceptions.RedisError, OSError) as error:
        raise NoRedis(f"No Redis answers at {where}: start it there, {correct}.") from error
    finally:
        await client.aclose()
    return f"version {info.get('redis_version', 'unknown')}", bool(info.get("cluster_enabled"))


def address_of(url: str) -> str:
    """The address in a URL without user and password. Raises `NoRedis` if it is no URL of a Redis."""
    try:
        parse_url(url)
        parts = urlsplit(url)
        where = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
        if not (parts.path if parts.scheme == "unix" else parts.hostname):
            raise ValueError("no address")
    except ValueError as error:
        example = "redis://localhost:6379, rediss://user:password@host:6380 or unix:///run/redis.sock"
        raise NoRedis(f"{VARIABLE} is no URL of a Redis: write it like {example}, or unset it.") from error
    return where


def without_password(url: str) -> str:
    """The scheme and the address of a URL, which anybody may see."""
    return f"{urlsplit(url).scheme}://{address_of(url)}"
