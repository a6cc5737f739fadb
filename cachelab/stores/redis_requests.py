"""Requests to one Redis: each caller waits one time-out at most, and a connection outlives the caller's patience.

Problem: making a connection takes three or four round trips and a request one more. If one time-out covers them all and
    ends them all, a Redis that is merely far is never reached: each request throws away a connection half made.
Idea: a time-out ends the wait of the callers, and not the work on the connection. It is made to its end in the
    background, and the next request finds it in the pool. An answer that is late is read and thrown away.
Guarantee: a caller is told that it failed at the latest when the time-out has passed. A request that nobody wants any
    more is not sent; one that was sent has a whole time-out for its answer, and then its connection is closed. While a
    connection is finished in the background, no other request makes one: it waits for that one, or for any that is
    free. A connection that Redis closed while it was idle costs a new connection and one new try. Nothing is tried
    again after a time-out, nor on a connection that is new.
Not guaranteed: that a request which failed was not carried out. That the first requests to a Redis that is far succeed:
    they fail until their connection is made, which takes three or four round trips. If one of these takes longer than
    the time-out, no connection is ever made. On a cluster, all of this is the business of its client.
Cost: a timer for each request, and a task for each command. Where a connection is free, it is taken without the pool's
    queue (so redis-py's metrics of waiting do not show it), and a command is not in redis-py's metrics of commands.
Source: pools of database connections such as HikariCP, where a thread of the pool connects and the caller only waits,
    https://github.com/brettwooldridge/HikariCP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["RedisRequests", "checked_client", "set_error", "subscription"]

T = TypeVar("T")

MOST_STEPS = 10  # a connection is made in fewer steps, each of which has a time-out; with more something is wrong


def checked_client(redis: Any, *, listens: bool = False) -> None:
    """Raises TypeError for what is no client; ValueError for one that decodes, or that cannot listen where it must."""
    if isinstance(redis, type) or not hasattr(redis, "get_encoder"):  # a URL is not quoted: it may have a password
        found = type(redis).__name__
        raise TypeError(f"redis must be a client, as redis_client(url) builds it, not an object of type {found}.")
    if redis.get_encoder().decode_responses:
        raise ValueError("The client must return bytes: build it without decode_responses.")
    if listens and not hasattr(redis, "pubsub"):
        raise ValueError("To listen on a cluster takes redis-py 8 or newer.")


class RedisRequests:
    """Requests over the connections of one client, on one event loop."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis: Any = redis
        self._pool: Any = getattr(redis, "connection_pool", None)  # a cluster has a pool for each node
        self.limit_s: float | None = None if self._pool is None else self._pool.make_connection().socket_timeout
        self._tasks: set[asyncio.Task[None]] = set()  # a loop holds its tasks only weakly
        self._unfinished: set[_UnderWay] = set()  # those that make a connection after their callers have given up
        self._waiting: list[asyncio.Future[None]] = []  # requests that wait for one of these connections

    @property
    def is_for_cluster(self) -> bool:
        """Whether the client finds the node of each key: then its own commands are used, and its own time-outs."""
        return self._pool is None

    async def command(self, *parts: Any, share: float = 1.0) -> Any:
        """The reply to one command. After `share` of a time-out this raises redis-py's TimeoutError.

        If you are cancelled, a command that was not sent yet is not sent. Raises what the client raises.
        """
        if self._pool is None:
            return await self._redis.execute_command(*parts)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        task = loop.create_task(self._command(parts, [reply], share))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await reply

    async def _command(self, parts: tuple[Any, ...], waiting: list[asyncio.Future[Any]], share: float) -> None:
        async def exchange(connection: Any) -> Any:
            await connection.send_command(*parts)
            return await connection.read_response()

        def is_wanted() -> bool:
            return bool(waiting) and not waiting[0].done()

        def fail(error: Exception) -> None:
            if is_wanted():
                set_error(waiting[0], error)
            waiting.clear()  # the traceback of an error holds the list: a reference cycle

        try:
            reply = await self.request(exchange, is_wanted, fail, share=share)
            if is_wanted():
                waiting[0].set_result(reply)
        except Exception as error:
            fail(error)
        finally:
            fail(RedisConnectionError("This command was cancelled on its way."))  # if nothing else has ended it

    async def request(
        self,
        exchange: Callable[[Any], Awaitable[T]],
        is_wanted: Callable[[], bool],
        give_up: Callable[[Exception], None],
        *,
        share: float = 1.0,
    ) -> T:
        """What `exchange` returns when it is given a connection. Call it in a task of its own, which may outlive you.

        `exchange` sends something and reads all of the answer. It is awaited only if `is_wanted()`, and once more if
        the connection turns out to have been closed while it was idle. After `share` of a time-out, `give_up` is
        called with the error. Raises what the client raises, and CancelledError if the request ended unwanted.
        """
        under_way = _UnderWay(self, give_up, share)
        connection: Any = None
        try:
            connection = await self._connection(under_way)
            own_limit_s = connection.socket_timeout
            connection.socket_timeout = None  # one limit for the request is cheaper than one for each step
            under_way.sends(is_wanted)
            try:
                return await exchange(connection)
            except RedisConnectionError as error:
                # a subclass is a refusal, such as that of a Redis that is still loading its data
                if not under_way.was_open or type(error) is not RedisConnectionError or not is_wanted():
                    raise
            await connection.disconnect(nowait=True)
            connection.socket_timeout = own_limit_s
            under_way.connects()
            await connection.connect()
            connection.socket_timeout = None
            under_way.sends(is_wanted)
            return await exchange(connection)
        except _Unwanted:
            raise  # nothing was sent: the connection can be used
        except BaseException:
            under_way.ends()
            if connection is not None:
                await connection.disconnect(nowait=True)  # or its next user would read the rest of this answer
            raise
        finally:
            under_way.ends()
            if connection is not None:
                connection.socket_timeout = own_limit_s
                await self._pool.release(connection)
            self._wake()

    async def _connection(self, under_way: _UnderWay) -> Any:
        pool = self._pool
        while not (is_open := self._next_is_open()) and self._unfinished:
            self._waiting.append(ended := asyncio.get_running_loop().create_future())
            await ended
        under_way.was_open = is_open
        if getattr(pool, "_in_maintenance", False) or not pool.can_get_connection():
            return await pool.get_connection()  # which waits until one is free
        under_way.connects()
        if not hasattr(pool, "_in_maintenance"):  # redis-py 6 and 7
            return await pool.get_connection()
        connection = pool.get_available_connection()  # without the queue, which is a seventh of a lone read's cost
        try:
            await pool.ensure_connection(connection)
        except BaseException:
            await pool.release(connection)
            raise
        return connection

    def _next_is_open(self) -> bool:
        """Whether the next connection that the pool gives is open: it is if any of those that are free is."""
        free: list[Any] = self._pool._available_connections  # the last of them is given first
        if free and not free[-1].is_connected:
            free.sort(key=_is_open)
        return bool(free) and free[-1].is_connected

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            if not ended.done():
                ended.set_result(None)


@asynccontextmanager
async def subscription(redis: Redis | RedisCluster, channel: str) -> AsyncIterator[Any]:
    """A subscription to a channel, on a connection of its own. Its first message says that it is confirmed."""
    await redis.initialize()  # or the client of a cluster does not know yet which node to ask
    async with redis.pubsub() as subscribed:
        await subscribed.subscribe(channel)
        yield subscribed


def set_error(waiter: asyncio.Future[Any], error: Exception) -> None:
    """Give the error to whoever awaits the future. If nobody does, because it was just cancelled, that is no fault."""
    waiter.set_exception(error)
    waiter.exception()


def _is_open(connection: Any) -> bool:
    return bool(connection.is_connected)


class _Unwanted(asyncio.CancelledError):
    """Nobody waits for this request any more, and it was not sent."""


class _UnderWay:
    """One request: when its callers give up, and when its task has to end.

    `was_open`   whether its connection was there before: then Redis may have closed it meanwhile
    """

    def __init__(self, requests: RedisRequests, give_up: Callable[[Exception], None], share: float) -> None:
        self._unfinished, self._give_up, self._limit_s = requests._unfinished, give_up, requests.limit_s
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._is_connecting = self.was_open = False
        if self._limit_s is not None:
            self._patience_s = share * self._limit_s
            self._end = self._began = self._loop.time()
            self._timer = self._loop.call_at(self._began + self._patience_s, self._expire)

    def connects(self) -> None:
        """From now on a connection is made. It is finished even if the callers give up."""
        if self._limit_s is not None:
            self._is_connecting, self._end = True, self._began + MOST_STEPS * self._limit_s

    def sends(self, is_wanted: Callable[[], bool]) -> None:
        """From now on it is sent, and has a whole time-out for its answer."""
        if not is_wanted():
            raise _Unwanted
        if self._limit_s is not None:
            self._is_connecting, self._end = False, self._loop.time() + self._limit_s

    def ends(self) -> None:
        """The request has ended."""
        self._unfinished.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._give_up(RedisTimeoutError(f"Redis gave no answer within {self._patience_s} seconds."))
        if self._is_connecting:
            self._unfinished.add(self)
        if self._end > self._loop.time():
            self._timer = self._loop.call_at(self._end, self._stop)
        else:
            self._stop()

    def _stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
