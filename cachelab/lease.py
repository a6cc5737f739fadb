"""The lease: one load of a key in the whole fleet, and no old value that a slow load brings back.

Problem: each of N processes that miss at once asks the origin, since a flight ends at its process. And one of them may
    fill with a value that it read before another process wrote and deleted: no fence reaches that far.
Idea: the right to fill a key is a token in Redis, beside the value. The first process that misses makes the token and
    loads. The others wait until they are told, and then read what it has filled. A fill is accepted only with the token
    that is there, and a delete removes the token.
Guarantee: after a delete has reached Redis, no value that was loaded before it is filled. A token that is missing, for
    whatever reason, refuses the fill. There is one load per key, as long as loads succeed and take less than
    `lease_s`. If a process that loads is killed, the others wait until its lease ends, and one of them takes over. It
    takes over the token, too: so a lease that is shorter than the load costs loads, and no fill is refused for its age.
    No two machines' clocks are compared. With Redis gone, each process loads for itself, and its flight still protects
    the origin.
Not guaranteed: one load where there is nothing to share: after a load that failed, and for an absence that is not kept,
    the processes that waited load side by side. If several load side by side, the first fill is kept and the others are
    refused. That a value is filled if its load took longer than `lease_s + keep_s`. That a caller which joins a load of
    its own process sees the delete of another one: it may get the old value, which is not stored; the bus tells its
    process. That a lost notice, or a Redis that hangs, is noticed before the lease ends. Anything after a failover that
    has lost a write, with reads from a replica that lags, or about a `set` that is called directly.
Cost: a hit is as in `RedisStore`. A miss takes one round trip more. A process that has to wait sends two or three
    commands more. It listens to a channel while it waits and for a second after that, which takes one connection of its
    client: a pool of one is not enough.
Source: Nishtala et al., "Scaling Memcache at Facebook", NSDI'13, section 3.2.1; rueidisaside, which waits for a message
    instead of asking again and again, https://github.com/redis/rueidis/tree/main/rueidisaside.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, Unpack, overload

from redis.exceptions import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError

from cachelab.entry import MISS, Entry, Lease, Miss, checked_number
from cachelab.stores.redis_requests import checked_client, set_error, subscription
from cachelab.stores.redis_store import FILL_TIMEOUT_SHARE, MAX_LIFETIME_S, RedisStore, _Options

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

    _Client: TypeAlias = Redis | RedisCluster

__all__ = ["LeasedStore"]

V = TypeVar("V")

CLAIM = """-- claim
-- KEYS: the value, its lease.  ARGV: the lifetime of the entry that the caller has seen, a new token, lease, keep, and
-- 1 to load beside the process that holds the lease. All times are in milliseconds.
-- Returns {lifetime, bytes} of a newer entry, or how long the lease is still held by another process, or the token.
local lifetime = redis.call('PTTL', KEYS[1])
if lifetime > tonumber(ARGV[1]) then
  local value = redis.pcall('GET', KEYS[1])
  if type(value) == 'string' then return {lifetime, value} end
end
local held = redis.call('PTTL', KEYS[2]) - ARGV[4]
if held > 0 and ARGV[5] == '0' then
  redis.call('HSET', KEYS[2], 'awaited', 1)
  return held
end
redis.call('HSETNX', KEYS[2], 'token', ARGV[2])
if held <= 0 then redis.call('PEXPIRE', KEYS[2], ARGV[3] + ARGV[4]) end
return redis.call('HGET', KEYS[2], 'token')
"""
SETTLE = """-- settle
-- KEYS: the value, its lease.  ARGV: the token, the channel, the value's name, and then bytes and their lifetime, or
-- 'nothing' (there is no value to share) or 'absent' (nor may the old value stay).
-- Returns 1 if the token was there. Otherwise nothing is changed, but the processes that wait are told in any case:
-- what removed the token has also removed the note that some of them wait.
local granted = redis.call('HGET', KEYS[2], 'token') == ARGV[1]
local told = 'look'
if granted then
  local awaited = redis.call('HEXISTS', KEYS[2], 'awaited') == 1
  redis.call('DEL', KEYS[2])
  if ARGV[5] then redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) else told = 'load' end
  if ARGV[4] == 'absent' and not ARGV[5] then redis.call('DEL', KEYS[1]) end
  if not awaited then return 1 end
end
redis.call('PUBLISH', ARGV[2], told .. ' ' .. ARGV[3])
return granted and 1 or 0
"""
NOTHING, NOT_THERE = ("nothing",), ("absent",)  # what a lease is settled with, if it is no value
SLACK_MS = 100  # two readings of the same lifetime differ by the time that they were on their way
NO_ENTRY_MS = int(2 * MAX_LIFETIME_S * 1000)  # no entry lives longer than one that was "seen" with this lifetime
QUIET_S = 1.0  # a process listens this long after its last wait
MOST_NOTICES = 2  # after so many without a value a process loads for itself: somebody deletes again and again


class _AllOptions(_Options, total=False):
    """The keywords of a `LeasedStore` that have a default; they are described there."""

    lease_s: float
    keep_s: float


class LeasedStore(RedisStore[V]):
    """A `RedisStore` that grants leases: a `Cache` over it asks for one before it loads.

    `lease_s`  seconds for which the other processes wait for the one that loads. Then one of them loads as well.
    `keep_s`   seconds after that for which a slow load may still fill
    The other arguments are those of `RedisStore`.

    Beside each key that is being loaded is a second one, `{namespace:vN:key}:lease`. It shares the key's slot on a
    cluster. Close the store after its caches, with `aclose` or `async with`: that ends its listening.

    Raises ValueError for a lease that is not longer than 0, and on a cluster with a redis-py before 8, which cannot
    listen there.
    """

    @overload
    def __init__(
        self, redis: _Client, value_type: type[V], *, namespace: str, version: int, **options: Unpack[_AllOptions]
    ) -> None: ...
    @overload  # a union is no `type`: the variable or the class has to say what V is
    def __init__(
        self, redis: _Client, value_type: Any, *, namespace: str, version: int, **options: Unpack[_AllOptions]
    ) -> None: ...
    def __init__(
        self,
        redis: Any,
        value_type: Any,
        *,
        namespace: str,
        version: int,
        lease_s: float = 5.0,
        keep_s: float = 60.0,
        **options: Unpack[_Options],
    ) -> None:
        super().__init__(redis, value_type, namespace=namespace, version=version, **options)
        checked_client(redis, listens=True)
        if not 0.001 <= checked_number("lease_s", lease_s) <= MAX_LIFETIME_S:
            raise ValueError(f"lease_s must be a millisecond or more, and no endless time, not {lease_s!r}.")
        if not 0 <= checked_number("keep_s", keep_s) <= MAX_LIFETIME_S:
            raise ValueError(f"keep_s must be 0 or more seconds, and no endless time, not {keep_s!r}.")
        self._lease_ms, self._keep_ms = int(lease_s * 1000), int(keep_s * 1000)
        self._notices = _Notices(redis, f"{self._prefix}leases", self._requests.limit_s or QUIET_S)
        self._claims: set[asyncio.Task[Any]] = set()  # a loop holds its tasks only weakly

    async def claim(self, key: Hashable, seen: Entry[V] | Miss = MISS) -> Entry[V] | Lease[V]:
        """The lease to load `key`, or the entry that another process has filled, if it is newer than `seen`.

        While another process has the lease, this waits. Raises what the client raises, and TypeError for a key of a
        type that has no name in Redis.
        """
        self._clock.check_loop()
        name, token = self.key(key), secrets.token_hex(8)
        lifetime_s = 0.0 if seen is MISS else min(seen.expires - self._clock(), MAX_LIFETIME_S)
        older_ms = seen_ms = 1 if seen is MISS else int(lifetime_s * 1000) + SLACK_MS
        notices, alone = 0, False
        while True:
            with self._notices.expected(name) as notice:  # before the claim: a notice in between would be lost
                called_at = self._clock()
                answer = await self._ask(key, seen_ms, token, alone=alone)
                if isinstance(answer, bytes):
                    return _TokenLease(self, key, answer)
                if isinstance(answer, list):
                    entry = self._entry(key, name, called_at, (answer[0], answer[1]))
                    if entry is not MISS:
                        return entry
                    seen_ms = NO_ENTRY_MS  # bytes that are no entry do not count as filled
                elif not self._notices.are_heard:
                    await self._notices.listen()  # and ask again, since nothing was heard until now
                else:
                    await asyncio.wait([notice], timeout=answer / 1000)
                    seen_ms = older_ms  # what is there now may be newer
                    if notice.done():
                        notices += 1
                        alone = notices == MOST_NOTICES or notice.result() == b"load"
            if alone and seen is not MISS and self._clock() < seen.expires:
                return seen  # the process that refreshed it has failed; the next stale read tries again

    async def _ask(self, key: Hashable, seen_ms: int, token: str, *, alone: bool) -> Any:
        """The reply to `CLAIM`. If the caller is cancelled on the way, a lease that is granted to it is given back."""
        claim = asyncio.get_running_loop().create_task(
            self._eval(CLAIM, key, 1.0, seen_ms, token, self._lease_ms, self._keep_ms, int(alone))
        )
        self._claims.add(claim)
        claim.add_done_callback(self._claims.discard)
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            claim.add_done_callback(partial(self._give_back, key))
            raise

    def _give_back(self, key: Hashable, claim: asyncio.Task[Any]) -> None:
        if not claim.cancelled() and claim.exception() is None and isinstance(claim.result(), bytes):
            release = asyncio.get_running_loop().create_task(self._release(key, claim.result()))
            self._claims.add(release)
            release.add_done_callback(self._claims.discard)

    async def _release(self, key: Hashable, token: bytes) -> None:
        with suppress(Exception):  # then the lease ends by itself
            await self._settle(key, token, *NOTHING)

    async def _fill(self, key: Hashable, token: bytes, entry: Entry[V]) -> bool:
        """Keep the entry, as `set` does, if the token is there. Returns whether it was."""
        try:
            packed = self._packed(key, self.key(key), entry)
        except TypeError as error:
            # the old value must not stay in its place
            (failure,) = await asyncio.gather(self._settle(key, token, *NOT_THERE), return_exceptions=True)
            raise error from failure if isinstance(failure, Exception) else error.__cause__
        return await self._settle(key, token, *(packed or NOT_THERE))

    async def _settle(self, key: Hashable, token: bytes, *outcome: bytes | str | int) -> bool:
        """Give the lease back with what came of it. Returns whether the token was there: if not, nothing is changed."""
        channel = self._notices.channel
        return bool(await self._eval(SETTLE, key, FILL_TIMEOUT_SHARE, token, channel, self.key(key), *outcome))

    async def _eval(self, script: str, key: Hashable, share: float, *arguments: Any) -> Any:
        return await self._requests.command("EVAL", script, 2, *self._names(key), *arguments, share=share)

    async def delete(self, key: Hashable) -> None:
        """Forget the key, and refuse every fill of it by a load that has begun before. This is one command.

        Raises what the client raises, and TypeError for a key of a type that has no name in Redis.
        """
        self._clock.check_loop()
        await self._requests.command("DEL", *self._names(key))

    def _names(self, key: Hashable) -> tuple[str, str]:
        name = self.key(key)
        return name, f"{{{name}}}:lease"  # the whole name is the hash tag: it has no braces of its own

    async def aclose(self) -> None:
        """End the listening, and wait for what is on its way to Redis. From then on no claim waits for another process.

        A claim that would have to wait raises redis-py's ConnectionError.
        """
        await self._notices.aclose()
        while self._claims:
            await asyncio.wait(self._claims)

    async def __aenter__(self) -> LeasedStore[V]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _TokenLease(Generic[V]):
    """The right to fill one key, as long as its token is in Redis."""

    def __init__(self, store: LeasedStore[V], key: Hashable, token: bytes) -> None:
        self._store, self._key, self._token = store, key, token

    async def set(self, entry: Entry[V]) -> bool:
        return await self._store._fill(self._key, self._token, entry)

    async def drop(self) -> None:
        await self._store._settle(self._key, self._token, *NOT_THERE)

    async def release(self) -> None:
        await self._store._settle(self._key, self._token, *NOTHING)


class _Notices:
    """Messages that a lease has been settled, for the callers of this process that wait for it.

    `are_heard`  whether the channel is being listened to: from the first wait until a second after the last one
    """

    def __init__(self, redis: Any, channel: str, limit_s: float) -> None:
        self.channel = channel
        self.are_heard = False
        self._redis, self._limit_s = redis, limit_s
        self._expected: dict[bytes, list[asyncio.Future[bytes]]] = {}  # by the key's name: those that wait for a notice
        self._listener: asyncio.Task[None] | None = None
        self._confirmed: asyncio.Future[None]
        self._closed = False

    @contextmanager
    def expected(self, name: str) -> Iterator[asyncio.Future[bytes]]:
        """A future that a notice for `name` ends, within this block: with "look" for a value, or with "load"."""
        notice: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        waiting = self._expected.setdefault(name.encode(), [])
        waiting.append(notice)
        try:
            yield notice
        finally:
            waiting.remove(notice)
            if not waiting:
                del self._expected[name.encode()]

    async def listen(self) -> None:
        """Return when the notices are heard. Raises what the client raises, at the latest after its time-out."""
        if self._closed:
            raise RedisConnectionError("The store was closed: it waits for no other process.")
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._confirmed = loop.create_future()
            self._listener = loop.create_task(self._listen(self._confirmed))
        confirmed = self._confirmed
        await asyncio.wait([confirmed], timeout=self._limit_s)  # the connection is made to its end in the background
        if not confirmed.done():
            raise RedisTimeoutError(f"Redis confirmed no subscription within {self._limit_s} seconds.")
        confirmed.result()

    async def _listen(self, confirmed: asyncio.Future[None]) -> None:
        error: Exception = RedisConnectionError("The store was closed.")
        try:
            async with subscription(self._redis, self.channel) as messages:
                while self._expected or not self.are_heard:
                    message = await messages.get_message(timeout=QUIET_S)
                    if message is None:
                        if not self.are_heard:
                            raise RedisTimeoutError(f"Redis confirmed no subscription within {QUIET_S} seconds.")
                    elif message["type"] == "message":
                        told, _, name = message["data"].partition(b" ")
                        self._tell(self._expected.get(name, ()), told)
                    elif self.are_heard:  # the client has subscribed again: it may have missed a notice
                        self._tell_all()
                    else:
                        self.are_heard = True
                        confirmed.set_result(None)
        except Exception as failure:
            error = failure
        finally:
            self.are_heard, self._listener = False, None
            if not confirmed.done():
                set_error(confirmed, error)
            self._tell_all()  # they ask again, and listen again if they still have to wait

    def _tell_all(self) -> None:
        for waiting in self._expected.values():
            self._tell(waiting, b"look")

    def _tell(self, waiting: Iterable[asyncio.Future[bytes]], told: bytes) -> None:
        for notice in waiting:
            if not notice.done():
                notice.set_result(told)

    async def aclose(self) -> None:
        """Listen no longer."""
        self._closed = True
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
