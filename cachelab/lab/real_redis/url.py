"""The URL of a Redis: the address in it, the server that answers there, and a client with short time-outs."""

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

__all__ = ["RedisNotUsable", "URL_VARIABLE", "address_of", "identify_server", "make_client", "without_password"]

URL_VARIABLE = "CACHELAB_REDIS_URL"


class RedisNotUsable(Exception):
    """The Redis that was asked for cannot be used, or not in this way; the text says what to do."""


def make_client(
    url: str, timeout_s: float, *, is_cluster: bool = False, via: FaultyProxy | None = None, **options: Any
) -> Any:
    """A `redis.asyncio` client that answers or raises within about `timeout_s` seconds and never retries.

    With `via`, it connects to this proxy instead. An option in the URL (`?socket_timeout=1`) overrides all others.
    """
    settings: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    settings |= {"retry": Retry(NoBackoff(), 0)} | options
    if via is not None and (is_cluster or urlsplit(url).scheme == "rediss"):
        raise RedisNotUsable(
            "The proxy cannot stand before a cluster or an encrypted server: use a plain server, or a private one."
        )
    if is_cluster:
        return RedisCluster.from_url(url, **settings)
    settings |= {"timeout": timeout_s} | parse_url(url)
    if via is not None:
        settings |= {"host": via.host, "port": via.port, "connection_class": Connection}
        settings.pop("path", None)
    return Redis.from_pool(BlockingConnectionPool(**settings))


async def identify_server(url: str, timeout_s: float) -> tuple[str, bool]:
    """The version of the server, and whether it is part of a cluster. Raises `RedisNotUsable` if it cannot be used."""
    address, remedy = address_of(url), f"correct {URL_VARIABLE}, or unset it"
    client = make_client(url, max(timeout_s, 1.0), is_cluster=False)
    try:
        await client.ping()
        try:
            info = await client.info()
        except exceptions.ResponseError:  # this user may not call it
            info = {}
    except exceptions.AuthenticationError as error:
        raise RedisNotUsable(f"The Redis at {address} does not accept this user or password: {remedy}.") from error
    except exceptions.BusyLoadingError as error:
        raise RedisNotUsable(f"The Redis at {address} is still loading its data: try again in a moment.") from error
    except (exceptions.InvalidResponse, exceptions.ResponseError) as error:
        raise RedisNotUsable(
            f"What answers at {address} is not a Redis that accepts this connection: {remedy}."
        ) from error
    except (exceptions.RedisError, OSError) as error:
        raise RedisNotUsable(f"No Redis answers at {address}: start it there, {remedy}.") from error
    finally:
        await client.aclose()
    return f"version {info.get('redis_version', 'unknown')}", bool(info.get("cluster_enabled"))


def address_of(url: str) -> str:
    """The address in a URL, without user and password. Raises `RedisNotUsable` if it is not a URL of a Redis."""
    try:
        parse_url(url)
        parts = urlsplit(url)
        address = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
        if not (parts.path if parts.scheme == "unix" else parts.hostname):
            raise ValueError("no address")
        if parts.netloc and "@" in parts.path + parts.query + parts.fragment:
            raise ValueError("the password has ended too early")
    except ValueError:  # its text may quote the password
        example = "redis://localhost:6379, rediss://user:password@host:6380 or unix:///run/redis.sock"
        raise RedisNotUsable(
            f"{URL_VARIABLE} is not a URL of a Redis: write it like {example}, or unset it. In a password, write "
            "'#' as %23, '/' as %2F, '?' as %3F, '@' as %40 and '[' as %5B."
        ) from None
    return address


def without_password(url: str) -> str:
    """The scheme and the address of a URL, which may be shown."""
    return f"{urlsplit(url).scheme}://{address_of(url)}"
