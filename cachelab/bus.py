"""The bus: a delete in one process is heard in all of them.

Problem: each process has a memory of its own above the shared store. A delete reaches the shared store and one of these
    memories. The others serve the old value until its TTL ends.
Idea: the process that deletes publishes the key afterwards. Every process listens, and invalidates what it holds or
    loads of that key.
Guarantee: a delete is one PUBLISH, whatever the number of caches. After a process has heard the message, no caller in
    it gets what was held or loading before. Each time the subscription is confirmed, first or again, everything is
    invalidated, since a message that was published before may not have been heard.
Not guaranteed: that a message arrives, since Redis sends each one at most once. A lost one costs staleness of at most
    the TTL of the memory above. That `delete` waits for the other processes: they hear of it a moment later.
Cost: a connection in each process, and for each write as many messages as there are processes. A process hears its own
    messages, too, which costs one more read of the shared store. A second without messages costs one PING.
Source: the backplane of FusionCache, https://github.com/ZiggyCreatures/FusionCache; Redis Pub/Sub,
    https://redis.io/docs/latest/develop/pubsub.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Any

from redis.exceptions import TimeoutError as RedisTimeoutError

from cachelab.events import InvalidationFailed
from cachelab.invalidation import Invalidation
from cachelab.stores.redis_key import escaped, unescaped
from cachelab.stores.redis_requests import RedisRequests, checked_client, subscription

__all__ = ["Bus"]

SILENCE_S = 1.0  # after so long without a message the connection is tested, and after as long again it is given up
RETRY_S = 0.1  # a broken connection is replaced after so long
MAX_CHARACTERS = 10_000  # of a key on the bus: what is longer is not read


class Bus(AbstractAsyncContextManager["Bus"]):
    """Connects the caches of this process with those of every other process that listens to `channel`.

    `redis`      a client that does not decode responses, as `redis_client` builds it
    `caches`     the caches of this process that hold the same keys, the lowest first: `Bus(redis, channel, l2, l1)`

    `async with` listens until the end of the block. It does not wait for Redis: while Redis is down, the caches work,
    and `delete` raises. `heard` counts the messages, `confirmed` the subscriptions, and `failed` what went wrong while
    listening: broken connections, and messages that are no key. The first failure is logged, as a warning of the logger
    "cachelab.bus".

    Raises TypeError for what is no cache, and ValueError for a client that decodes, or that cannot listen.
    """

    def __init__(self, redis: Any, channel: str, *caches: Invalidation) -> None:
        checked_client(redis, listens=True)
        if not isinstance(channel, str):
            raise TypeError(f"channel must be a string, not {channel!r}.")
        if not caches or not all(isinstance(cache, Invalidation) for cache in caches):
            raise TypeError("caches must be those of this process, the lowest first: Bus(redis, channel, l2, l1).")
        self.heard = self.confirmed = self.failed = 0
        self._redis, self._channel, self._caches = redis, channel, caches
        self._requests = RedisRequests(redis)
        self._listener: asyncio.Task[None] | None = None

    async def delete(self, key: Any) -> None:
        """Forget `key` at every level of every process. Call it after the origin's write has committed.

        Raises `InvalidationFailed` if a level or the channel could not be reached: call it again. A delete that is
        cancelled may not have been published: call it again, too. TypeError for a key that has no name in Redis, and
        ValueError for one whose name is longer than 10,000 characters.
        """
        message = escaped(key)
        if len(message) > MAX_CHARACTERS:
            raise ValueError(f"A key on the bus has at most {MAX_CHARACTERS:,} characters, not {len(message):,}.")
        await self._caches[-1].delete(key)  # which goes down first
        try:
            await self._requests.command("PUBLISH", self._channel, message)
        except Exception as error:
            raise InvalidationFailed(f"The other processes were not told to forget {key!r}; retry.") from error

    async def __aenter__(self) -> Bus:
        await self._invalidate_all()  # a store that cannot do this raises here
        if self._listener is None:
            self._listener = asyncio.get_running_loop().create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.wait([listener])

    async def _listen(self) -> None:
        while True:
            try:
                async with subscription(self._redis, self._channel) as messages:
                    await self._hear(messages)
            except Exception as error:
                self._fail(repr(error))
            await asyncio.sleep(RETRY_S)

    async def _hear(self, messages: Any) -> None:
        """Hear messages until the connection breaks, or gives no sign of life when it is asked for one."""
        is_tested = False
        while True:
            message = await messages.get_message(timeout=SILENCE_S)
            if message is None:
                if is_tested:
                    raise RedisTimeoutError(f"The connection has been silent for {2 * SILENCE_S} seconds.")
                await messages.ping()
            elif message["type"] == "subscribe":
                self.confirmed += 1
                await self._invalidate_all()
            elif message["type"] == "message":
                await self._invalidate(message["data"])
            is_tested = message is None

    async def _invalidate(self, message: bytes) -> None:
        self.heard += 1
        try:
            if len(message) > MAX_CHARACTERS:
                raise ValueError("The message is too long.")
            key = unescaped(message.decode())
        except ValueError:
            self._fail("a message was no key")
            return
        for cache in self._caches:  # the lowest first: a cache above it must not be filled again from what it holds
            await cache.invalidate(key)

    async def _invalidate_all(self) -> None:
        for cache in self._caches:
            await cache.invalidate_all()

    def _fail(self, what: str) -> None:
        self.failed += 1
        if self.failed == 1:
            text = "The bus on %s has failed: %s. It goes on, and its later failures are only counted."
            logging.getLogger("cachelab.bus").warning(text, self._channel, what)
