"""Reads that travel together: who asks Redis in one turn of the event loop shares one round trip with the others.

Problem: a hundred callers read from Redis at the same time, and a hundred packets go there and back. It is the packet,
    not the answer in it, that costs most.
Idea: a bus stop. Who finds no bus calls one; who comes before it leaves gets on, on the same seat if he asks for the
    same key. It leaves as soon as it has a connection, as a rule in the next turn of the loop: it waits for nobody.
Guarantee: the question is sent after its caller has asked it, so after each write that he has seen acknowledged. To
    cancel a caller harms no other. Each gets one answer or one error. Nobody waits longer than the client's
    `socket_timeout`, which is for all together: a free connection, connecting, and the answers. A connection with
    answers that nobody has read is closed.
Not guaranteed: that anything is tried again. That a refusal of one key spares the others: an MGET that Redis refuses is
    everybody's error on that trip, and the same object: do not change it. Room for large values: what a hundred keys
    hold must arrive within that one time-out. A time-out of one's own: who gets on late has what is left of it; and if
    the client has none, a trip ends when Redis answers. (On Python 3.11 a loop that was blocked may add another.) On a
    cluster, whose pipeline finds the nodes, each value has a GET, and time-outs and retries are the client's.
Cost: a trip takes a task and one time-out, a caller a future and a turn of the loop. What that costs is saved where a
    connection is free: it is taken without the pool's queue (and is not in redis-py's metrics of waiting).
Source: DataLoader, https://github.com/graphql/dataloader; RESP, https://redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from redis.exceptions import (
    ClusterCrossSlotError,
    ConnectionError as RedisConnectionError,
    ResponseError,
    TimeoutError as RedisTimeoutError,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["Answer", "RoundTrips", "SEATS"]

SEATS = 100  # keys on a trip: more would save little, and the first answer waits for the last

Answer: TypeAlias = tuple[int, "bytes | None"]
"""What Redis replied to PTTL and, after that, to the question for the value: None for a key that holds none."""

_Trip: TypeAlias = dict[str, list["asyncio.Future[Answer]"]]


class RoundTrips:
    """The way to one Redis for the reads on one event loop; `len(trips)` are on their way or about to leave."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._boarding: _Trip | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # a loop holds its tasks only weakly
        self._redis = redis
        self._pool: Any = getattr(redis, "connection_pool", None)  # a cluster has one for each node
        self._by_mget = True
        self._limit_s = None if self._pool is None else self._pool.make_connection().socket_timeout

    def __len__(self) -> int:
        return len(self._tasks)

    def ask(self, name: str) -> asyncio.Future[Answer]:
        """The life and the value of the key `name`. The future raises what the client raises."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        trip = self._boarding
        if trip is not None and len(trip) < SEATS:
            trip.setdefault(name, []).append(waiter)
        else:
            trip = self._boarding = {name: [waiter]}
            task = loop.create_task(self._travel(trip))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, trip))
        return waiter

    async def alone(self, command: Awaitable[object], share: float = 1.0) -> None:
        """Await a command of the client's that shares no trip, a write: one time-out, or a share of it, is for all."""
        limit_s = None if self._limit_s is None else share * self._limit_s
        try:
            async with asyncio.timeout(limit_s):
                await command
        except TimeoutError:
            raise _too_late(limit_s) from None

    def _leave(self, trip: _Trip) -> None:
        if self._boarding is trip:
            self._boarding = None  # who comes from here on takes the next

    async def _travel(self, trip: _Trip) -> None:
        try:
            _arrive(trip, await (self._by_pipeline(trip) if self._pool is None else self._by_connection(trip)))
        except Exception as error:
            self._leave(trip)  # it may not have come to that
            _arrive(trip, [error] * len(trip))

    async def _by_connection(self, trip: _Trip) -> Sequence[Answer | Exception]:
        connection: Any = None
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                connection = await self._connection()
                own_limit_s = connection.socket_timeout
                connection.socket_timeout = None  # one limit for the trip is cheaper than one for each step
                if limit.expired():  # on Python 3.11 a step before may have lost its signal
                    raise TimeoutError
                self._leave(trip)
                return await self._talk(connection, list(trip))
        except BaseException as error:
            if connection is not None:
                await connection.disconnect(nowait=True)  # or its next user would read what is left of these answers
            if isinstance(error, TimeoutError):
                raise _too_late(self._limit_s) from None
            raise
        finally:
            if connection is not None:
                connection.socket_timeout = own_limit_s
                await self._pool.release(connection)

    async def _connection(self) -> Any:
        pool = self._pool
        if getattr(pool, "_in_maintenance", True) or not pool.can_get_connection():
            return await pool.get_connection()
        connection = pool.get_available_connection()  # where one is free, the queue is a seventh of a lone read's cost
        try:
            await pool.ensure_connection(connection)
        except BaseException:
            await pool.release(connection)
            raise
        return connection

    async def _talk(self, connection: Any, names: list[str]) -> Sequence[Answer | Exception]:
        keys = [b"$%d\r\n%b\r\n" % (len(key), key) for key in map(str.encode, names)]
        questions = [b"*2\r\n$4\r\nPTTL\r\n%b" % key for key in keys]  # a value is read after its life
        by_mget = self._by_mget and len(keys) > 1  # its one reply costs less than a GET's for each
        if by_mget:
            questions += [b"*%d\r\n$4\r\nMGET\r\n" % (1 + len(keys)), *keys]
        else:
            questions += [b"*2\r\n$3\r\nGET\r\n%b" % key for key in keys]
        await connection.send_packed_command(b"".join(questions))
        replies: list[Any] = []
        for _ in range(len(keys) + (1 if by_mget else len(keys))):
            try:
                replies.append(await connection.read_response())
            except ResponseError as error:
                replies.append(error)
        lives, values = replies[: len(keys)], replies[len(keys) :]
        if by_mget:
            (values,) = values
            if isinstance(values, ClusterCrossSlotError):  # a cluster's node, and a client that knows nothing of it
                self._by_mget = False
                return await self._talk(connection, names)
            if isinstance(values, ResponseError):
                return [values] * len(keys)
        return list(map(_answer, lives, values))

    async def _by_pipeline(self, trip: _Trip) -> Sequence[Answer | Exception]:
        self._leave(trip)
        pipe = self._redis.pipeline(transaction=False)
        for name in trip:
            pipe.pttl(name)
            pipe.get(name)
        replies = await pipe.execute(raise_on_error=False)
        return list(map(_answer, replies[::2], replies[1::2]))

    def _end(self, trip: _Trip, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._leave(trip)
        if trip:  # it was cancelled or interrupted, and its callers were not
            _arrive(trip, [RedisConnectionError("This read was cancelled on its way.")] * len(trip))


def _too_late(limit_s: float | None) -> RedisTimeoutError:
    return RedisTimeoutError(f"Redis gave no answer within {limit_s} seconds.")


def _arrive(trip: _Trip, answers: Sequence[Answer | Exception]) -> None:
    for waiters, answer in zip(trip.values(), answers, strict=True):
        for waiter in waiters:
            if waiter.done():  # its caller has left
                continue
            if isinstance(answer, Exception):
                waiter.set_exception(answer)
            else:
                waiter.set_result(answer)
    trip.clear()  # the error's traceback holds it: a circle


def _answer(life: Any, value: Any) -> Answer | Exception:
    if isinstance(life, Exception):
        return life
    if isinstance(value, Exception):
        return (life, None) if str(value).startswith("WRONGTYPE") else value
    return life, value
