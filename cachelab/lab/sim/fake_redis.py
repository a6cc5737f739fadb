"""Redis in virtual time: one fakeredis server for several simulated nodes, with latency, time-outs and faults.

    redis = lab.FakeRedis(lab.Down(10, 20), latency_s=0.001, timeout_s=0.1)
    node_a, node_b = redis.client("A"), redis.client("B")

Build it inside the scenario. A command takes effect half a round trip after it was sent, even if its caller has given
up by then. The reply takes the other half. Connecting takes one round trip more. Keys expire on the virtual clock.

When an outage begins, every open connection breaks, also an idle one. Half a round trip later its client can know: a
subscriber gets redis-py's ConnectionError, and redis-py replaces an idle connection when it is next used. The keys are
there again after the outage. A subscription is not: redis-py subscribes again when its connection is used again.

What a client with a name sends is noted in `commands`, so that it can be counted and drawn.

Not simulated: commands that block on the server (BLPOP, XREAD BLOCK) raise NotImplementedError. TIME, streams and the
TTLs of single hash fields read the real clock inside fakeredis.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, NamedTuple, NoReturn, TypeVar
from weakref import WeakKeyDictionary

from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError

from cachelab.lab.sim.faults import Down, Slow

__all__ = ["FakeRedis", "Hanging", "Losing", "SentCommand", "virtual_server"]

F = TypeVar("F", "Down", "Hanging", "Losing", "Slow")


@dataclass(frozen=True)
class Hanging:
    """The server accepts commands and connections, and answers none, from `start` until before `end`."""

    start: float
    end: float


@dataclass(frozen=True)
class Losing:
    """A `share` of the messages to subscribers (0 to 1) is lost, from `start` until before `end`.

    Redis sends each message at most once. With `channel`, only that channel's messages are lost. With `breaks`, the
    subscribers' connections break at `end`: so their clients learn that something was lost, and subscribe again.
    """

    start: float
    end: float
    share: float = 1.0
    channel: str = ""
    breaks: bool = False


class SentCommand(NamedTuple):
    """A command that a client with a name has sent: the second of the loop's clock, the client's name, the command.

    The command is one word, such as "DEL". For a script whose first line is a comment that line is added: "EVAL claim".
    """

    when: float
    node: str
    command: str


class FakeRedis:
    """One Redis server for all nodes of a simulation.

    `latency_s` is the round trip in seconds, or a function that draws one. `timeout_s` is how long a client waits for
    a reply, and for a free connection; None means for ever. Clients retry nothing.

    The faults follow the loop's clock. When the server goes `Down`, open connections break, and until the end it
    refuses new ones. While it is `Hanging`, packets that arrive are lost. `Slow` lengthens the round trip. Which
    messages are lost while it is `Losing` depends on `seed` alone.

    `packets`, `connections`   how many packets (a pipeline is one) and connections have reached the server
    `commands`                 each command that a client with a name has sent, as a `SentCommand`
    `killed`                   the nodes that were killed, and when

    Raises ValueError for a fault unless 0 <= start < end, and for a share that is not from 0 to 1.
    """

    def __init__(
        self,
        *faults: Down | Hanging | Losing | Slow,
        latency_s: float | Callable[[], float] = 0.001,
        timeout_s: float | None = 0.1,
        seed: int = 1,
    ) -> None:
        for fault in faults:
            if not 0 <= fault.start < fault.end:
                raise ValueError(f"A fault needs 0 <= start < end, in seconds: {fault}.")
            if isinstance(fault, Losing) and not 0 <= fault.share <= 1:
                raise ValueError(f"The share of lost messages is between 0 and 1: {fault}.")
        self.packets = self.connections = 0
        self.commands: list[SentCommand] = []
        self.killed: dict[str, float] = {}
        self._random = Random(f"{seed}/losing")
        self._downs = [fault for fault in faults if isinstance(fault, Down)]
        self._hangs = [fault for fault in faults if isinstance(fault, Hanging)]
        self._losses = [fault for fault in faults if isinstance(fault, Losing)]
        self._slows = [fault for fault in faults if isinstance(fault, Slow)]
        self._latency_s, self._timeout_s = latency_s, timeout_s
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._server = virtual_server(self._now)
        self._links: dict[_Link, None] = {}  # the open connections, the oldest first
        for fault in faults:
            if isinstance(fault, Down) and fault.start >= loop.time():
                loop.call_at(fault.start, self._break_connections)
            if isinstance(fault, Losing) and fault.breaks and fault.end >= loop.time():
                loop.call_at(fault.end, self._break_subscribers)

    def client(self, node: str = "", *, max_connections: int = 50, **options: Any) -> Redis:
        """A `redis.asyncio` client for one node. If `node` is a name, its commands are noted.

        `options`, such as `decode_responses=True`, go to its connections.
        """
        pool = BlockingConnectionPool(
            connection_class=_Connection,
            max_connections=max_connections,
            timeout=self._timeout_s,
            network=self,
            node=node,
            server=self._server,
            client_class=Redis,
            version=self._server.version,
            server_type="redis",
            lua_modules=None,
            retry=Retry(NoBackoff(), 0),
            **({"socket_timeout": self._timeout_s, "socket_connect_timeout": self._timeout_s} | options),
        )
        return Redis.from_pool(pool)

    def kill(self, node: str) -> None:
        """From now on, nothing that this node sends arrives, and it gets no answer: its process was killed.

        Its tasks go on, since they are tasks of the simulation. End them as you end others, for example by closing its
        caches.
        """
        self.killed.setdefault(node, self._now())
        for link in [link for link in self._links if link.node == node]:
            link.hang_up()

    def half_trip(self) -> float:
        """How many seconds a packet takes in one direction, if it is sent now."""
        trip = self._latency_s() if callable(self._latency_s) else self._latency_s
        return (trip + sum([fault.extra_s for fault in self._active(self._slows)])) / 2

    def is_down(self) -> bool:
        """Whether the server refuses connections now."""
        return bool(self._active(self._downs))

    def is_hanging(self) -> bool:
        """Whether the server answers nothing now."""
        return bool(self._active(self._hangs))

    def _break_connections(self) -> None:
        links, self._links = self._links, {}
        for link in links:
            link.break_it()

    def _break_subscribers(self) -> None:
        for link in [link for link in self._links if link.subscribed]:
            del self._links[link]
            link.break_it()

    def loses_message(self, channel: str) -> bool:
        """Whether the next message to a subscriber is lost, if it is sent now."""
        return any(
            fault.channel in ("", channel) and self._random.random() < fault.share
            for fault in self._active(self._losses)
        )

    def transmit(self, deliver: Callable[[], None], node: str, commands: list[str]) -> None:
        """Let a packet of a node go on its way: `deliver` sends it. `commands` is empty for a client without a name."""
        if node not in self.killed:
            self.commands += [SentCommand(self._now(), node, command) for command in commands]
            deliver()

    def _active(self, faults: list[F]) -> list[F]:
        return [fault for fault in faults if fault.start <= self._now() < fault.end]


class _Connection(FakeAsyncRedisConnection):
    """A connection on which each direction takes time."""

    def __init__(self, *, network: FakeRedis, node: str, **options: Any) -> None:
        super().__init__(**options)
        self._network, self._node = network, node
        self._link: _Link | None = None

    async def _connect(self) -> None:
        async with asyncio.timeout(self.socket_connect_timeout):
            await asyncio.sleep(self._network.half_trip())
            if self._network.is_hanging() or self._node in self._network.killed:
                await asyncio.Event().wait()
            await asyncio.sleep(self._network.half_trip())
            if self._network.is_down():
                raise RedisConnectionError("Connection refused.")
            await super()._connect()
        self._link = _Link(self._network, self._node, self._sock)
        writer: Any = self._writer
        writer.writelines = self._link.write

    async def on_connect_check_health(self, *args: Any, **options: Any) -> None:
        """Do the handshake. It takes no time of its own: it is part of the connection's round trip."""
        link = self._link
        assert link is not None
        link.takes_time = False
        try:
            await super().on_connect_check_health(*args, **options)
        finally:
            link.takes_time = True

    async def read_response(self, *args: Any, timeout: float | None = None, **options: Any) -> Any:  # noqa: ASYNC109, as redis-py has it
        """The next reply, or None if none comes within `timeout`: then the connection stays, as a subscription must.

        Without `timeout`, after the socket's own, disconnect and raise redis-py's TimeoutError.
        """
        limit = self.socket_timeout if timeout is None else timeout
        try:
            async with nullcontext() if limit in (None, math.inf) else asyncio.timeout(limit):
                reply = await super().read_response(*args, **options)
        except TimeoutError as error:
            if timeout is not None:
                return None
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout reading from the server") from error
        if isinstance(reply, _Broken):
            await self.disconnect(nowait=True)
            raise reply.error
        return reply

    async def _read_response(self, **options: Any) -> Any:
        """The next reply. Where fakeredis awaits an event and then reads, this only reads: as many turns, less work."""
        if self._sock is None or not self.is_connected:
            return await super()._read_response(**options)
        return await self._sock.responses.get()

    async def can_read_destructive(self) -> bool:
        """Whether an idle connection has something to read, such as its end. Pools of redis-py before 8 ask this."""
        return bool(await self.can_read(0))

    async def disconnect(self, nowait: bool = False, *args: Any, **options: Any) -> None:
        """Close the connection. What was sent before still arrives."""
        link, self._link = self._link, None
        await super().disconnect(nowait, *args, **options)
        if link is not None:
            link.hang_up()


@dataclass(frozen=True)
class _Broken:
    """Stands in the place of a reply when the connection has broken."""

    error: Exception


class _Link:
    """The way between one connection and the server. In each direction, packets arrive in the order of sending.

    `node`         the name of its client
    `takes_time`   whether packets take time; those of the handshake do not
    `subscribed`   whether its client has subscribed to a channel here
    """

    def __init__(self, network: FakeRedis, node: str, sock: Any) -> None:
        self._network, self._sock, self._receive = network, sock, sock.put_response
        self.node, self.subscribed = node, False
        self._loop = asyncio.get_running_loop()
        self._last_arrival = {"request": 0.0, "reply": 0.0}
        self._is_broken = self._is_hung_up = False
        self.takes_time = True
        network.connections += 1
        network._links[self] = None
        sock.put_response = partial(self._send, "reply", self._receive)
        sock._blocking = _refuse_to_block

    def write(self, data: Iterable[Any]) -> None:
        """Send a packet to the server."""
        packet = b"".join(data)
        if self.takes_time:
            deliver = partial(self._send, "request", self._reach_server, packet)
            self._network.transmit(deliver, self.node, _commands_in(packet) if self.node else [])
        else:
            self._reach_server(packet)

    def forget(self) -> None:
        """The server gets no more packets from here, and forgets what this client subscribed to."""
        self._is_broken = True
        with self._network._server.lock:
            self._sock._cleanup(self._network._server)

    def break_it(self) -> None:
        """The server is gone. The client will learn of it."""
        self.forget()
        self._send("reply", self._receive, _Broken(RedisConnectionError("Connection closed by server.")))

    def hang_up(self) -> None:
        """The client has gone: the server forgets the connection when it has got the last packet."""
        self._network._links.pop(self, None)
        if self._is_hung_up:  # it was killed, and its tasks have gone on
            return
        self._is_hung_up = True
        self._loop.call_at(max(self._last_arrival["request"], self._loop.time()), self._sock.close)

    def _send(self, direction: str, arrive: Callable[..., None], content: Any) -> None:
        if direction == "reply" and self.node in self._network.killed:
            return
        if isinstance(content, list) and content[:1] in ([b"subscribe"], [b"message"]):
            self.subscribed = True
            if content[0] == b"message" and self._network.loses_message(content[1].decode()):
                return
        if not self.takes_time:
            arrive(content)
        else:
            arrival = max(self._last_arrival[direction], self._loop.time() + self._network.half_trip())
            self._last_arrival[direction] = arrival
            self._loop.call_at(arrival, arrive, content)

    def _reach_server(self, packet: bytes) -> None:
        if self._is_broken or self._network.is_hanging():
            return
        self._network.packets += self.takes_time
        try:
            self._sock.sendall(packet)
        except NotImplementedError as error:
            self._send("reply", self._receive, _Broken(error))


def _refuse_to_block(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("lab.FakeRedis has no commands that block on the server, such as BLPOP.")


def _commands_in(packet: bytes) -> list[str]:
    """The name of each command in a packet of a client."""
    names, rest = [], packet
    while rest:
        count, rest = _number(rest)
        parts = []
        for _ in range(count):
            size, rest = _number(rest)
            parts.append(rest[:size])
            rest = rest[size + 2 :]
        names.append(_name(parts))
    return names


def _name(parts: list[bytes]) -> str:
    word = parts[0].decode().upper()
    comment = parts[1].partition(b"\n")[0] if word == "EVAL" else b""
    return f"{word} {comment[2:].strip().decode()}".strip() if comment.startswith(b"--") else word


def _number(data: bytes) -> tuple[int, bytes]:
    """The number in a line of the protocol, such as `*3`, and what follows."""
    line, _, rest = data.partition(b"\r\n")
    return int(line[1:]), rest


def virtual_server(clock: Callable[[], float]) -> FakeServer:
    """A FakeServer on this clock. It sends a message to its subscribers in the order in which they subscribed."""
    server: Any = FakeServer()
    make = server.dbs.default_factory

    class Database(type(make())):  # type: ignore[misc]
        time = property(lambda _: clock(), lambda _, __: None)  # each command of fakeredis sets it to the real time

    server.dbs = defaultdict(lambda: Database(server.lock))
    for name in ("subscribers", "psubscribers", "ssubscribers"):
        setattr(server, name, defaultdict(_OrderedWeakSet))
    return server  # type: ignore[no-any-return]


class _OrderedWeakSet(WeakKeyDictionary[Any, None]):
    """A weak set in order of insertion. The order of fakeredis' own depends on addresses in memory."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)

    remove = discard
