"""The shared store: entries in Redis, which other processes read and write too.

Problem: each process has memory of its own, so each loads the same values from the origin, and a new process starts
    with a cold cache.
Idea: one `SET … PX` writes an entry with its remaining lifetime. One round trip of PTTL and GET or MGET reads it, and
    callers that read at the same time share that round trip (`cachelab.stores.read_batcher`). The lifetime that Redis
    reports becomes moments on this loop's clock again, so the clocks of two machines are never compared.
Guarantee: every key begins with `namespace:vN:` and has a lifetime in Redis; different keys never meet there. An entry
    expires here no later than in Redis, as a rule a millisecond earlier: its lifetime counts from before the command
    was sent, and a value that was written between PTTL and MGET lives no longer than it was written to live. Bytes that
    are no entry are a miss, counted in `undecodable`. A list or a hash in place of an entry is a miss, not counted. A
    call takes no longer than one `socket_timeout` of the client (`get_many`: one for each hundred keys), and a `set`
    that writes no longer than half of one. So a read and a fill add one and a half to a request at most. A connection
    that Redis closed while it was idle costs a new connection and no error. A key or a value of a type that the store
    cannot take is a TypeError, raised before it is sent; no error of the network is one.
Not guaranteed: that Redis keeps anything. That a lifetime is exact: it begins when the SET arrives, so it is longer by
    the time that the SET was on its way. A write may arrive late, even after it has failed or was cancelled. Errors of
    the client reach the caller; a `Cache` counts them. On a cluster each step of a command has a whole time-out, and a
    connection that was closed while it was idle fails a write or a delete.
Cost: a round trip of one command for each write. All reads in a batch take one round trip together, of a PTTL for each
    and one MGET. A single reader takes the processor time of a bare GET of redis-py; ten at once read at twice the rate
    of as many bare GETs, a hundred at five times (with hiredis, the parser in C; without it at four to five times).
Source: SET, PTTL, MGET and pipelining at https://redis.io/docs/latest/commands.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack, overload

from cachelab.clock import Clock, LoopClock
from cachelab.entry import MISS, Entry, Miss, checked_functions
from cachelab.events import Fact, FactKind, Listener, notify
from cachelab.stores.codec import Codec, Undecodable
from cachelab.stores.read_batcher import MAX_KEYS, Answer, ReadBatcher
from cachelab.stores.redis_key import escaped
from cachelab.stores.redis_requests import RedisRequests, checked_client

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["RedisStore", "redis_client"]

V = TypeVar("V")

FILL_TIMEOUT_SHARE = 0.5  # of the client's time-out: a caller that waits for a fill may have waited for a read before
MAX_LIFETIME_S = 100 * 365 * 86_400.0  # an entry that never expires gets a hundred years, so that every key has an end


class _Options(TypedDict, total=False):
    """The keywords of a `RedisStore` that have a default; they are described there."""

    max_bytes: int
    name: str
    listen: Listener | None
    clock: Clock | None


class RedisStore(Generic[V]):
    """Entries of one type in Redis or Redis Cluster.

    `redis`       a client that does not decode responses, as `redis_client` builds it
    `value_type`  what the bytes are decoded to: `User`. For a union write the type down: `RedisStore[User | None](...)`
    `namespace`   the first part of each key: letters, digits, `_`, `.` and `-`
    `version`     of the type; another version has other keys
    `max_bytes`   of an entry; a larger one is not kept, and is not decoded when it is found
    `name`, `listen`, `clock`  as in `MemoryStore`

    The store counts the bytes it found `undecodable`, and the entries it `refused` because they were too large.

    Raises ValueError for a namespace with other characters, or for a client that decodes; TypeError for what is no
    client.
    """

    @overload
    def __init__(
        self,
        redis: Redis | RedisCluster,
        value_type: type[V],
        *,
        namespace: str,
        version: int,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload  # a union is no `type`: the variable or the class has to say what V is
    def __init__(
        self, redis: Redis | RedisCluster, value_type: Any, *, namespace: str, version: int, **options: Unpack[_Options]
    ) -> None: ...
    def __init__(
        self,
        redis: Redis | RedisCluster,
        value_type: Any,
        *,
        namespace: str,
        version: int,
        max_bytes: int = 1_000_000,
        name: str = "redis",
        listen: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(namespace, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", namespace):
            raise ValueError(f"namespace must be letters, digits, '_', '.' and '-', not {namespace!r}.")
        checked_client(redis)
        checked_functions(listen=listen, clock=clock)
        self.name = name
        self.undecodable = self.refused = 0
        self._redis, self._requests = redis, RedisRequests(redis)
        self._batcher = ReadBatcher(redis, self._requests)
        self._prefix = f"{namespace}:v{version}:"
        self._codec = Codec(value_type, version=version, max_bytes=max_bytes)
        self._listen = listen
        self._clock = LoopClock(name, clock)

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """The entry if it has not expired, otherwise `MISS`.

        Raises what the client raises, and TypeError for a key of a type that has no name in Redis.
        """
        self._clock.check_loop()
        name, called_at = self.key(key), self._clock()
        return self._entry(key, name, called_at, await self._batcher.read(name))

    async def get_many(self, keys: Sequence[Hashable]) -> list[Entry[V] | Miss]:
        """As `get` for each key, in the order of the keys. Each hundred takes a round trip, one after the other.

        If one of the keys has no name in Redis, none is read.
        """
        self._clock.check_loop()
        names = [self.key(key) for key in keys]
        entries: list[Entry[V] | Miss] = []
        for first in range(0, len(names), MAX_KEYS):  # one batch after the other, so that each has a whole time-out
            part, called_at = slice(first, first + MAX_KEYS), self._clock()
            answers = await asyncio.gather(*map(self._batcher.read, names[part]))
            for key, name, answer in zip(keys[part], names[part], answers, strict=True):
                entries.append(self._entry(key, name, called_at, answer))
        return entries

    def _entry(self, key: Hashable, name: str, called_at: float, answer: Answer) -> Entry[V] | Miss:
        lifetime_ms, data = answer
        if lifetime_ms <= 1 or data is None:  # -2: no such key; -1: no end, so it is not ours; 1: its last millisecond
            return MISS
        try:
            envelope = self._codec.decode(name, data)
        except Undecodable as error:
            self.undecodable += 1
            self._notify(key, "store error", error)
            return MISS
        # If the value was there when Redis told the lifetime, that lifetime is the value's. If it was written later, it
        # was written after `called_at`, and lives for its `lifetime_s` from then on at least. The smaller of the two is
        # right in either case. Redis may round up by almost a millisecond.
        end = called_at + min((lifetime_ms - 1) / 1000, envelope.lifetime_s)
        # An entry that never expires has an end after all if Redis reports less than half of `MAX_LIFETIME_S`, here in
        # ms: another client has set a shorter lifetime.
        expires = inf if envelope.never_expires and lifetime_ms > 500 * MAX_LIFETIME_S else end
        fresh_until = end - envelope.stale_for_s if envelope.stale_for_s else expires
        refresh_from = end - envelope.refresh_window_s if envelope.refresh_window_s else fresh_until
        return Entry(envelope.value, expires, fresh_until, refresh_from, envelope.load_time_s)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """Keep the entry for its remaining lifetime, rounded down to milliseconds.

        The key is deleted instead if no lifetime remains, if the entry is too large, or if its value cannot be encoded.
        In the last case this raises TypeError, also if the delete fails. It also raises what the client raises, and
        TypeError for a key of a type that has no name in Redis.
        """
        self._clock.check_loop()
        name = self.key(key)
        try:
            packed = self._packed(key, name, entry)
        except TypeError as error:
            # the old value must not stay in its place
            (failure,) = await asyncio.gather(self.delete(key), return_exceptions=True)
            raise error from failure or error.__cause__
        if packed is None:
            await self.delete(key)
        else:
            data, lifetime_ms = packed
            await self._requests.command("SET", name, data, "PX", lifetime_ms, share=FILL_TIMEOUT_SHARE)

    def _packed(self, key: Hashable, name: str, entry: Entry[V]) -> tuple[bytes, int] | None:
        """What is sent for an entry: its bytes and its remaining lifetime in ms. None for one that cannot be kept.

        Raises TypeError for a value that cannot be encoded.
        """
        now = self._clock()
        end = min(entry.expires, now + MAX_LIFETIME_S)
        if not end - now >= 0.001:  # written this way, it is true for NaN too
            return None
        lifetime_ms = int((end - now) * 1000)
        durations = {
            "stale_for_s": end - entry.fresh_until,
            "refresh_window_s": end - entry.refresh_from,
            "load_time_s": entry.load_time_s,
        }
        bounded = {field: min(max(0.0, seconds), MAX_LIFETIME_S) for field, seconds in durations.items()}
        lifetime_s, never_expires = lifetime_ms / 1000, entry.expires == inf
        data = self._codec.encode(name, entry.value, lifetime_s=lifetime_s, never_expires=never_expires, **bounded)
        if len(data) > self._codec.max_bytes:
            self.refused += 1
            self._notify(key, "refused")
            return None
        return data, lifetime_ms

    async def delete(self, key: Hashable) -> None:
        """Forget the key. Nothing happens if it is not there.

        Raises what the client raises, and TypeError for a key of a type that has no name in Redis.
        """
        self._clock.check_loop()
        await self._requests.command("DEL", self.key(key))

    def key(self, key: Hashable) -> str:
        """The key's name in Redis: 42 is `namespace:vN:42`, ("eu", 42) is `namespace:vN:'eu':42`."""
        return self._prefix + escaped(key)

    def _notify(self, key: Hashable, kind: FactKind, error: Exception | None = None) -> None:
        if self._listen is not None:
            notify(self._listen, Fact(self.name, key, kind, error))


def redis_client(url: str, *, timeout_s: float = 0.1, max_connections: int = 50) -> Redis:
    """A client for the path of a cache, where a slow store must not be slower than no store.

    It tries nothing again: a retry only doubles the wait, and the origin can answer. Callers wait for a free
    connection; with redis-py's default pool they fail at once. A `RedisStore` waits `timeout_s` seconds for a
    connection, for connecting and for the answer together; the client by itself waits so long for each. So the round
    trip to Redis must be shorter than `timeout_s`, with room for its worst: then reads and deletes are answered in
    time, except the first, which fail while their connection is made. A fill is waited for half as long: if the round
    trip is longer than half of `timeout_s`, each fill counts as a store error, although it arrives. For a cluster,
    which must still follow keys that have moved, use RedisCluster
    `.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0))`.

    Raises ValueError for a malformed URL, without quoting it.
    """
    from redis.asyncio import BlockingConnectionPool, Redis  # not at the top, so that `import cachelab` stays quick
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=max_connections,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # its text may quote the password
        raise ValueError(
            "This is no URL of a Redis: write it like redis://user:password@host:6379, and in a password write '#' as "
            "%23, '/' as %2F, '?' as %3F, '@' as %40 and '[' as %5B."
        ) from None
    return Redis.from_pool(pool)
