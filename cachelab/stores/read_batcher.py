"""Reads that travel together: who asks Redis in one turn of the event loop shares one round batch with the others.

Problem: a hundred callers read from Redis at the same time, and a hundred packets go there and back. It is the packet,
    not the answer in it, that costs most.
Idea: a bus stop. Who finds no bus calls one; who comes before it leaves gets on, on the same seat if he asks for the
    same key. It leaves as soon as it has a connection, as a rule in the next turn of the loop: it waits for nobody.
Guarantee: the question is sent after its caller has asked it, so after each write that he has seen acknowledged. To
    cancel a caller harms no other. Each gets one answer or one error. Nobody waits longer than the client's
    `socket_timeout`, which is for all together: a free connection, connecting, and the answers. A connection with
    answers that nobody has read is closed.
Not guaranteed: that anything is tried again. That a refusal of one key spares the others: an MGET that Redis refuses is
    everybody's error on that batch, and the same object: do not change it. Room for large values: what a hundred keys
    hold must arrive within that one time-out. A time-out of one's own: who gets on late has what is left of it; and if
    the client has none, a batch ends when Redis answers. (On Python 3.11 a loop that was blocked may add another.) On a
    cluster, whose pipeline finds the nodes, each value has a GET, and time-outs and retries are the client's.
Cost: a batch takes a task and one time-out, a caller a future and a turn of the loop. What that costs is saved where a
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

__all__ = ["Answer", "ReadBatcher", "MAX_KEYS"]

MAX_KEYS = 100  # keys on a batch: more would save little, and the first answer waits for the last

Answer: TypeAlias = tuple[int, "bytes | None"]
"""What Redis replied to PTTL and, after that, to the question for the value: None for a key that holds none."""

_Batch: TypeAlias = dict[str, list["asyncio.Future[Answer]"]]


class ReadBatcher:
    """The way to one Redis for the reads on one event loop; `len(trips)` are on their way or about to leave."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._open_batch: _Batch | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # a loop holds its tasks only weakly
        self._redis = redis
        self._pool: Any = getattr(redis, "connection_pool", None)  # a cluster has one for each node
        self._uses_mget = True
        self._limit_s = None if self._pool is None else self._pool.make_connection().socket_timeout

    def __len__(self) -> int:
        return len(self._tasks)

    def read(self, name: str) -> asyncio.Future[Answer]:
        """The life and the value of the key `name`. The future raises what the client raises."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        batch = self._open_batch
        if batch is not None and len(batch) < MAX_KEYS:
            batch.setdefault(name, []).append(waiter)
        else:
            batch = self._open_batch = {name: [waiter]}
            task = loop.create_task(self._send(batch))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, batch))
        return waiter

    async def within_time_limit(self, command: Awaitable[object], share: float = 1.0) -> None:
        """Await a command of the client's that shares no batch, a write: one time-out, or a share of it, is for all."""
        limit_s = None if self._limit_s is None else share * self._limit_s
        try:
            async with asyncio.timeout(limit_s):
                await command
        except TimeoutError:
            raise _timeout_error(limit_s) from None

    def _close(self, batch: _Batch) -> None:
        if self._open_batch is batch:
            self._open_batch = None  # who comes from here on takes the next

    async def _send(self, batch: _Batch) -> None:
        try:
            _deliver(batch, await (self._by_pipeline(batch) if self._pool is None else self._by_connection(batch)))
        except Exception as error:
            self._close(batch)  # it may not have come to that
            _deliver(batch, [error] * len(batch))

    async def _by_connection(self, batch: _Batch) -> Sequence[Answer | Exception]:
        connection: Any = None
        try:
            async with asyncio.timeout(self._limit_s) as limit:
                connection = await self._connection()
                own_limit_s = connection.socket_timeout
                connection.socket_timeout = None  # one limit for the batch is cheaper than one for each step
                if limit.expired():  # on Python 3.11 a step before may have lost its signal
                    raise TimeoutError
                self._close(batch)
                return await self._exchange(connection, list(batch))
        except BaseException as error:
            if connection is not None:
                await connection.disconnect(nowait=True)  # or its next user would read what is left of these answers
            if isinstance(error, TimeoutError):
                raise _timeout_error(self._limit_s) from None
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

    async def _exchange(self, connection: Any, names: list[str]) -> Sequence[Answer | Exception]:
        keys = [b"$%d\r\n%b\r\n" % (len(key), key) for key in map(str.encode, names)]
        questions = [b"*2\r\n$4\r\nPTTL\r\n%b" % key for key in keys]  # a value is read after its life
        by_mget = self._uses_mget and len(keys) > 1  # its one reply costs less than a GET's for each
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
                self._uses_mget = False
                return await self._exchange(connection, names)
            if isinstance(values, ResponseError):
                return [values] * len(keys)
        return list(map(_answer, lives, values))

    async def _by_pipeline(self, batch: _Batch) -> Sequence[Answer | Exception]:
        self._close(batch)
        pipe = self._redis.pipeline(transaction=False)
        for name in batch:
            pipe.pttl(name)
            pipe.get(name)
        replies = await pipe.execute(raise_on_error=False)
        return list(map(_answer, replies[::2], replies[1::2]))

    def _end(self, batch: _Batch, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._close(batch)
        if batch:  # it was cancelled or interrupted, and its callers were not
            _deliver(batch, [RedisConnectionError("This read was cancelled on its way.")] * len(batch))


def _timeout_error(limit_s: float | None) -> RedisTimeoutError:
    return RedisTimeoutError(f"Redis gave no answer within {limit_s} seconds.")


def _deliver(batch: _Batch, answers: Sequence[Answer | Exception]) -> None:
    for waiters, answer in zip(batch.values(), answers, strict=True):
        for waiter in waiters:
            if waiter.done():  # its caller has left
                continue
            if isinstance(answer, Exception):
                waiter.set_exception(answer)
            else:
                waiter.set_result(answer)
    batch.clear()  # the error's traceback holds it: a circle


def _answer(life: Any, value: Any) -> Answer | Exception:
    if isinstance(life, Exception):
        return life
    if isinstance(value, Exception):
        return (life, None) if str(value).startswith("WRONGTYPE") else value
    return life, value
