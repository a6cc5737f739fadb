"""The shared store: entries in Redis, which other processes read and write, too.

Problem: each process has a memory of its own, so each asks the origin for the same things, and a new one starts cold.
Idea: one `SET … PX` writes an entry with the life that remains; one round trip of PTTL and GET or MGET reads it, and
    those who read at the same time share it (`cachelab.stores.read_batcher`). The life that Redis reports is turned back into
    moments on this loop's clock, so that no two machines' clocks are compared.
Guarantee: every key begins with `namespace:vN:` and has a life in Redis; different keys never meet there. An entry is
    over here no later than in Redis, a millisecond earlier as a rule: its life counts from before the question was
    sent, and a value that was written between PTTL and MGET is given no more than the life it was written with. Bytes
    that are no entry are a miss, counted in `undecodable`; a list or a hash in their place is a plain one.
Not guaranteed: that Redis keeps anything. That a life is not lengthened on the way there: it begins when the SET
    arrives. A write may arrive late, also after it has failed or was cancelled. Errors of redis reach the caller; a
    `Cache` counts them. Nobody waits for more than one `socket_timeout` of the client, for a `set` half of one: a read
    and a fill add one and a half to a request at most. On a cluster each step of a command has a whole one.
Cost: a round trip of one command a write; for all reads that travel together one trip, of a PTTL each and one MGET. One
    reader alone takes the processor time of a bare GET of redis-py; ten at once read at twice the rate of as many bare
    GETs, a hundred at five times (with hiredis, the parser in C; without it at four to five times).
Source: SET, PTTL, MGET and pipelining at https://redis.io/docs/latest/commands; escaped keys as in URLs, RFC 3986.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cachelab.clock import Clock, LoopClock
from cachelab.entry import MISS, Entry, Miss
from cachelab.events import Fact, FactKind, Listener, notify
from cachelab.stores.codec import Codec, Undecodable
from cachelab.stores.read_batcher import MAX_KEYS, Answer, ReadBatcher

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["RedisStore", "escaped", "redis_client"]

FILL_SHARE = 0.5  # of a time-out: who waits for a fill may have waited for a read before
ENDLESS_S = 100 * 365 * 86_400.0  # seconds: what has no end gets a hundred years, since every key of ours has a life


class RedisStore:
    """Entries of one type in Redis or Redis Cluster.

    `redis`       a client that does not decode responses, as `redis_client` builds it
    `value_type`  what the bytes are decoded to, as `User` or `User | None`
    `namespace`   the first part of each key: letters, digits, `_`, `.` and `-`
    `version`     of the type; another version has other keys
    `max_bytes`   of an entry; a larger one is not kept, and not looked at when it is found
    `name`, `listen`, `clock`  as in `MemoryStore`
    `undecodable` counts the bytes that were no entry, `refused` the entries that were too large

    Raises ValueError for a namespace with other letters, or a client that decodes.
    """

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
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", namespace):
            raise ValueError(f"namespace must be letters, digits, '_', '.' and '-', not {namespace!r}.")
        if redis.get_encoder().decode_responses:
            raise ValueError("The client must return bytes: build it without decode_responses.")
        self.name = name
        self.undecodable = self.refused = 0
        self._redis = redis
        self._batcher = ReadBatcher(redis)
        self._prefix = f"{namespace}:v{version}:"
        self._codec = Codec(value_type, version=version, max_bytes=max_bytes)
        self._listen = listen
        self._clock = LoopClock(name, clock)

    async def get(self, key: Hashable) -> Entry[Any] | Miss:
        """The live entry, or `MISS`. Raises what the client raises, and TypeError for a key of another kind."""
        self._clock.check_loop()
        name, asked = self.key(key), self._clock()
        return self._entry(key, name, asked, await self._batcher.read(name))

    async def get_many(self, keys: Sequence[Hashable]) -> list[Entry[Any] | Miss]:
        """As `get` for each key, in their order: in a round trip for 100 keys, one after the other."""
        self._clock.check_loop()
        names = [self.key(key) for key in keys]
        entries: list[Entry[Any] | Miss] = []
        for first in range(0, len(names), MAX_KEYS):  # one trip after the other: each has its own time-out
            some, asked = slice(first, first + MAX_KEYS), self._clock()
            answers = await asyncio.gather(*map(self._batcher.read, names[some]))
            of_some = zip(keys[some], names[some], answers, strict=True)
            entries += [self._entry(key, key_name, asked, answer) for key, key_name, answer in of_some]
        return entries

    def _entry(self, key: Hashable, name: str, asked: float, answer: Answer) -> Entry[Any] | Miss:
        life_ms, data = answer
        if life_ms <= 1 or data is None:  # -2: not there; -1: without an end, so not ours; 1: in its last millisecond
            return MISS
        try:
            kept = self._codec.decode(name, data)
        except Undecodable as error:
            self.undecodable += 1
            self._notify(key, "store error", error)
            return MISS
        # If the value was there when Redis told the life, that is its life. If it was written after that, it was
        # written after `asked`, and lives for life_s from then on at least. The smaller is right in either case.
        end = asked + min((life_ms - 1) / 1000, kept.life_s)  # Redis may round up by almost a millisecond
        expires = inf if kept.endless and life_ms > 500 * ENDLESS_S else end  # unless somebody has cut its life short
        fresh_until = end - kept.stale_s if kept.stale_s else expires
        refresh_from = end - kept.refresh_s if kept.refresh_s else fresh_until
        return Entry(kept.value, expires, fresh_until, refresh_from, kept.load_time_s)

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        """Keep the entry for what remains of its life, rounded down to milliseconds; if that is none, `delete`.

        Raises what the client raises, and what msgspec raises for a value it cannot encode; that is deleted, too.
        """
        self._clock.check_loop()
        name, now = self.key(key), self._clock()
        end = min(entry.expires, now + ENDLESS_S)
        if not end - now >= 0.001:  # this is false for NaN, too
            await self.delete(key)
            return
        life_ms = int((end - now) * 1000)
        durations = {
            "stale_s": end - entry.fresh_until,
            "refresh_s": end - entry.refresh_from,
            "load_time_s": entry.load_time_s,
        }
        bounded = {what: min(max(0.0, seconds), ENDLESS_S) for what, seconds in durations.items()}
        endless = entry.expires == inf
        try:
            data = self._codec.encode(name, entry.value, life_s=life_ms / 1000, endless=endless, **bounded)
        except Exception:
            await self.delete(key)  # the old value must not stay in its place
            raise
        if len(data) > self._codec.max_bytes:
            await self.delete(key)
            self.refused += 1
            self._notify(key, "refused")
            return
        await self._batcher.within_time_limit(self._redis.set(name, data, px=life_ms), FILL_SHARE)

    async def delete(self, key: Hashable) -> None:
        """Forget the key; nothing happens if it is not there. Raises what the client raises."""
        self._clock.check_loop()
        await self._batcher.within_time_limit(self._redis.delete(self.key(key)))

    def key(self, key: Hashable) -> str:
        """The key's name in Redis: 42 is `namespace:vN:42`, ("eu", 42) is `namespace:vN:'eu':42`."""
        return self._prefix + escaped(key)

    def _notify(self, key: Hashable, kind: FactKind, error: Exception | None = None) -> None:
        if self._listen is not None:
            notify(self._listen, Fact(self.name, key, kind, error))


def escaped(key: Hashable) -> str:
    """A key as text: keys that are equal have the same one, keys that differ never have. Strings stand in quotes.

    A key is an int, a str, bytes, None, or a tuple of keys. Raises TypeError for anything else.
    """
    if isinstance(key, int):
        return str(int(key))  # True is 1, as in a dict
    if isinstance(key, str):
        return f"'{quote(key, safe='', errors='surrogatepass')}'"
    if isinstance(key, bytes):
        return f"b'{quote(key, safe='')}'"
    if key is None:
        return "None"
    if isinstance(key, tuple):
        parts = [f"({escaped(part)})" if isinstance(part, tuple) else escaped(part) for part in key]
        return ":".join(parts) + ":" * (len(parts) < 2)
    raise TypeError(f"A key is an int, a str, bytes, None or a tuple of these, not {type(key).__name__}.")


def redis_client(url: str, *, timeout_s: float = 0.1, max_connections: int = 50) -> Redis:
    """A client for the path of a cache: a store that is slow must not be slower than no store.

    Nothing is tried again: a retry only doubles the wait, and the load is there. Callers wait for a free connection;
    with the default pool they fail at once. A `RedisStore` waits `timeout_s` seconds for that, for connecting and for
    the answer together, the client by itself for each. For a cluster, where moved keys are still followed: RedisCluster
    `.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0))`.
    """
    from redis.asyncio import BlockingConnectionPool, Redis  # loads when first used: `import cachelab` stays quick
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)
