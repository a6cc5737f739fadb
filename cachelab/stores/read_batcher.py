"""A batcher of reads: all callers that read from Redis in one turn of the event loop share one round trip.

Problem: when a hundred callers read from Redis at the same time, a hundred packets go there and a hundred come back.
    The packet costs more than the answer in it.
Idea: a batch, which is open until it is sent. The first caller opens it. Every caller that comes before it is sent adds
    its key, and callers of the same key share one answer. The batch is sent as soon as it has a connection, as a rule
    in the next turn of the loop: it does not wait for more callers.
Guarantee: a key is read from Redis after its caller has called, so a caller sees every write that was acknowledged
    before its call. Cancelling one caller harms no other. Each caller gets one answer or one error. No caller waits
    longer than one `socket_timeout` of the client, which covers everything: waiting for a free connection, connecting,
    and the answers. A batch whose callers have all had their error goes on with its connection, as a request does (see
    `cachelab.stores.redis_requests`). A connection on which answers are left unread is closed. All of this is so
    whether tasks start in the next turn of the loop or, as eager ones do, at once.
Not guaranteed: that the refusal of one key spares the others: an MGET that Redis refuses is the error of every caller
    in that batch, and they get the same error object, so do not change it. Room for large values: the values of a
    hundred keys must arrive within that one time-out. A whole time-out for each caller: one that joins late has what is
    left of the batch's. If the client has no time-out, a batch ends when Redis answers. On a cluster, where the
    client's pipeline finds the nodes, each value is read with a GET of its own, and time-outs and retries are the
    client's.
Cost: a task and one time-out for each batch, a future and a turn of the loop for each caller.
Source: DataLoader, https://github.com/graphql/dataloader; RESP, https://redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from redis.exceptions import ClusterCrossSlotError, ConnectionError as RedisConnectionError, ResponseError

from cachelab.stores.redis_requests import RedisRequests, set_error

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["Answer", "MAX_KEYS", "ReadBatcher"]

MAX_KEYS = 100  # in a batch: more would save little, and the first answer waits for the last one

Answer: TypeAlias = tuple[int, "bytes | None"]
"""What Redis replied to PTTL and, after that, to GET or MGET: the value is None for a key that holds no string."""

_Batch: TypeAlias = dict[str, list["asyncio.Future[Answer]"]]  # for each key's name, the callers that wait for it


class ReadBatcher:
    """Reads from one Redis, on one event loop. `len(batcher)` batches are open or have been sent and not yet answered.

    A batcher is true, even when it has no batches.
    """

    def __init__(self, redis: Redis | RedisCluster, requests: RedisRequests) -> None:
        self._open_batch: _Batch | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # a loop holds its tasks only weakly
        self._redis, self._requests = redis, requests
        self._uses_mget = True

    def __len__(self) -> int:
        return len(self._tasks)

    def __bool__(self) -> bool:
        return True

    def read(self, name: str) -> asyncio.Future[Answer]:
        """The remaining lifetime and the value of the key `name`. The future raises what the client raises."""
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

    def _close(self, batch: _Batch) -> None:
        if self._open_batch is batch:
            self._open_batch = None  # the next caller opens another

    async def _send(self, batch: _Batch) -> None:
        if asyncio.current_task() not in self._tasks:  # an eager task begins inside `read`, and others are to join it
            await asyncio.sleep(0)
        try:
            if self._requests.is_for_cluster:
                answers = await self._by_pipeline(batch)
            else:
                answers = await self._requests.request(
                    partial(self._by_connection, batch), partial(bool, batch), partial(self._fail, batch)
                )
            _deliver(batch, answers)
        except Exception as error:
            self._fail(batch, error)

    def _fail(self, batch: _Batch, error: Exception) -> None:
        self._close(batch)  # the error may have come before the batch was closed
        _deliver(batch, [error] * len(batch))

    async def _by_connection(self, batch: _Batch, connection: Any) -> Sequence[Answer | Exception]:
        self._close(batch)
        return await self._exchange(connection, list(batch))

    async def _exchange(self, connection: Any, names: list[str]) -> Sequence[Answer | Exception]:
        by_mget = self._uses_mget and len(names) > 1  # its one reply costs less than a reply to each GET
        await connection.send_packed_command(_packed_commands(names, by_mget=by_mget))
        replies: list[Any] = []
        for _ in range(len(names) + (1 if by_mget else len(names))):
            try:
                replies.append(await connection.read_response())
            except ResponseError as error:
                replies.append(error)
        lifetimes, values = replies[: len(names)], replies[len(names) :]
        if by_mget:
            (values,) = values
            if isinstance(values, ClusterCrossSlotError):  # a node of a cluster, and a client that does not know it
                self._uses_mget = False
                return await self._exchange(connection, names)
            if isinstance(values, ResponseError):
                return [values] * len(names)
        return list(map(_answer, lifetimes, values))

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
        if batch:  # the task was cancelled or interrupted, but the callers were not
            _deliver(batch, [RedisConnectionError("This read was cancelled on its way.")] * len(batch))


def _packed_commands(names: list[str], *, by_mget: bool) -> bytes:
    """PTTL for each key and then the reads of the values, in RESP: a value is always read after its lifetime."""
    keys = [b"$%d\r\n%b\r\n" % (len(key), key) for key in map(str.encode, names)]
    commands = [b"*2\r\n$4\r\nPTTL\r\n%b" % key for key in keys]
    if by_mget:
        commands += [b"*%d\r\n$4\r\nMGET\r\n" % (1 + len(keys)), *keys]
    else:
        commands += [b"*2\r\n$3\r\nGET\r\n%b" % key for key in keys]
    return b"".join(commands)


def _answer(lifetime: Any, value: Any) -> Answer | Exception:
    if isinstance(lifetime, Exception):
        return lifetime
    if isinstance(value, Exception):
        return (lifetime, None) if str(value).startswith("WRONGTYPE") else value
    return lifetime, value


def _deliver(batch: _Batch, answers: Sequence[Answer | Exception]) -> None:
    for waiters, answer in zip(batch.values(), answers, strict=False):  # no waiters are left after a time-out
        for waiter in waiters:
            if waiter.done():  # its caller was cancelled
                continue
            if isinstance(answer, Exception):
                set_error(waiter, answer)
            else:
                waiter.set_result(answer)
    batch.clear()  # the traceback of an error holds the batch: a reference cycle
