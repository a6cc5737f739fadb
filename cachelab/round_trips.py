"""Reads that travel together: who asks Redis in one turn of the event loop shares one round trip with the others.

Problem: a hundred callers read a hundred keys from Redis at the same time, and a hundred packets go there and back.
    The packet, and not the answer in it, is what both sides work for.
Idea: a bus stop. Who comes first calls the bus; who comes before it leaves gets on. It leaves as soon as it has a
    connection, a turn of the loop later as a rule, so nobody waits for more passengers; with `SEATS` keys it is full.
Guarantee: a key is asked for after its caller has called, so after every write that was acknowledged to him before. A
    caller who is cancelled leaves the others alone. One answer, or one error, reaches each caller; a refusal of one
    key, that key's alone. Nobody waits longer than the client's `socket_timeout` in all, for a free connection, for
    the server and for the answers. A connection that was left in the middle of its answers is closed.
Not guaranteed: the client's retries: a read that fails has failed. On a cluster the time-outs and retries are the
    client's, and the nodes are asked side by side. All callers of a trip get the same error object: do not change it.
Cost: a task and one or two time-outs a trip, a future a key, and a turn of the loop.
Source: DataLoader, https://github.com/graphql/dataloader; pipelining, https://redis.io/docs/latest/develop/using-commands/pipelining.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["Answer", "RoundTrips", "SEATS"]

SEATS = 100  # keys a trip: more would save little, and the first answer waits for the last

Answer: TypeAlias = tuple[Any, Any]
"""What Redis replied to PTTL and to GET, in this order; an error reply is an exception."""

_Trip: TypeAlias = list[tuple[str, "asyncio.Future[Answer]"]]


class RoundTrips:
    """The way to one Redis, for the reads of one event loop; `len(trips)` are under way or about to leave."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._boarding: _Trip | None = None
        self._trips: set[asyncio.Task[list[Answer]]] = set()  # a loop holds its tasks only weakly
        self._redis = redis
        self._pool = getattr(redis, "connection_pool", None)  # a cluster has one for each node, and a pipeline for all
        self._limit_s = None if self._pool is None else self._pool.make_connection().socket_timeout

    def ask(self, name: str) -> asyncio.Future[Answer]:
        """The life and the value of the key `name`. The future raises what the client raises."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        if self._boarding is not None and len(self._boarding) < SEATS:
            self._boarding.append((name, waiter))
        else:
            trip = self._boarding = [(name, waiter)]
            task = loop.create_task(self._by_cluster(trip) if self._pool is None else self._by_connection(trip))
            self._trips.add(task)
            task.add_done_callback(partial(self._arrive, trip))
        return waiter

    def _leave(self, trip: _Trip) -> list[str]:
        if self._boarding is trip:
            self._boarding = None  # who comes from here on takes the next
        return [name for name, _ in trip]

    async def _by_connection(self, trip: _Trip) -> list[Answer]:
        end = None if self._limit_s is None else asyncio.get_running_loop().time() + self._limit_s
        connection: Any = None
        try:
            async with asyncio.timeout_at(end):
                connection = await self._pool.get_connection()
                names = self._leave(trip)
                commands = [(command, name) for name in names for command in ("PTTL", "GET")]
                await connection.send_packed_command(connection.pack_commands(commands))
            async with asyncio.timeout_at(end):  # a second, since on Python 3.11 a send may lose the first one's signal
                return [(await _reply(connection), await _reply(connection)) for _ in names]
        except TimeoutError:
            raise RedisTimeoutError(f"Redis gave no answer within {self._limit_s} seconds.") from None
        finally:
            if connection is not None:
                await self._pool.release(connection)

    async def _by_cluster(self, trip: _Trip) -> list[Answer]:
        pipe = self._redis.pipeline(transaction=False)
        for name in self._leave(trip):
            pipe.pttl(name)
            pipe.get(name)
        answers = await pipe.execute(raise_on_error=False)
        return list(zip(answers[::2], answers[1::2], strict=True))

    def _arrive(self, trip: _Trip, task: asyncio.Task[list[Answer]]) -> None:
        self._trips.discard(task)
        self._leave(trip)  # it may not have come to that
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or not isinstance(error, Exception | None):
            # its callers are neither cancelled nor interrupted themselves
            error = RedisConnectionError("The read was cancelled on its way.")
        for number, (_, waiter) in enumerate(trip):
            if waiter.done():  # its caller has left
                continue
            if error is None:
                waiter.set_result(task.result()[number])
            else:
                waiter.set_exception(error)
        trip.clear()  # the error's traceback holds it: a circle


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response(timeout=inf)  # there is one limit for the whole trip
    except ResponseError as error:
        return error
