"""A stampede in a fleet: many callers ask several nodes for one key that is not in Redis, and all of it is recorded.

    run = await lab.stampede(build)                     # `build(redis, load)` makes what a node does
    lab.plot_stampede({"my fleet": run}, "title")

Problem: what a fleet does for one key can be seen only if loads, answers and commands of all nodes have one clock.
Idea: simulated nodes over one simulated Redis, and an origin with one row, whose versions are 1, 2, 3 …. A load takes
    the version that is there when it begins, and then its time.
Guarantee: the same arguments give the same run. It ends as soon as all callers are answered. A caller that has no
    answer after `patience_s` seconds gets the error "no answer".
Not guaranteed: that a node which was killed has no tasks any more. They are tasks of the simulation; nothing that they
    send arrives, and their loads never end.
Cost: some milliseconds of real time for a hundred commands.
Source: the fleet of Nishtala et al., "Scaling Memcache at Facebook", NSDI'13, with one key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypedDict, Unpack

from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.lab.sim.fake_redis import FakeRedis, SentCommand
from cachelab.lab.sim.faults import Down, Slow
from cachelab.lab.sim.simulation import simulate

__all__ = ["Answer", "KEY", "Load", "OriginDown", "Stampede", "play_stampede", "stampede"]

KEY = "profile:42"
"""What all callers ask for."""
LATER_S = 1.0  # so long after the last answer one more caller asks

Get: TypeAlias = Callable[[str], Awaitable[Any]]
Build: TypeAlias = Callable[[Any, Callable[[Any], Awaitable[int]]], Any]


class OriginDown(ConnectionError):
    """The error of a load that fails because it was told to."""


class Answer(NamedTuple):
    """What a caller of a node got, and when it asked and was answered: a version, or the name of an error."""

    node: str
    asked: float
    answered: float
    version: int | None
    error: str = ""


@dataclass
class Load:
    """A load: its node, when it began and ended (None if it never did), and the version that it has read."""

    node: str
    began: float
    version: int
    ended: float | None = None


@dataclass
class Stampede:
    """What happened. All times are in seconds since the first caller asked.

    `nodes`      their names
    `answers`    an `Answer` for each caller, in the order of the answers
    `loads`      a `Load` for each load, in the order in which they began
    `commands`   what the nodes have sent to Redis
    `refused`    when a fill was refused, and that of which node: a script that its function sent returned 0. What the
                 store of a `Cache` sends is not looked into.
    `killed`     when a node was killed, and which one
    `deletes`    when a writer had committed the next version, and its delete had reached Redis, for each write
    `later`      the version that one more caller gets, a second after the last answer
    `errors`     what the callers got instead of an answer
    """

    nodes: list[str]
    answers: list[Answer] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    commands: list[SentCommand] = field(default_factory=list)
    refused: list[tuple[float, str]] = field(default_factory=list)
    killed: tuple[float, str] | None = None
    deletes: list[float] = field(default_factory=list)
    later: int | None = None
    errors: list[BaseException] = field(default_factory=list)

    @property
    def last_answer(self) -> float:
        """When the last caller of a node that lives was answered."""
        return max(answer.answered for answer in self.answers if answer.error != "killed")

    @property
    def longest_wait(self) -> float:
        """The longest that a caller of a node that lives has waited."""
        return max(answer.answered - answer.asked for answer in self.answers if answer.error != "killed")

    @property
    def old(self) -> list[Answer]:
        """The answers with a version that was deleted before their callers asked."""
        return [a for a in self.answers if a.version is not None and a.version <= self.deletes_before(a.asked)]

    def deletes_before(self, when: float) -> int:
        """How many versions were deleted until then."""
        return sum(deleted <= when for deleted in self.deletes)


class _Options(TypedDict, total=False):
    """The keywords of `stampede`, which describes them."""

    nodes: int
    callers: int
    every_s: float
    load_s: float | Sequence[float]
    fails: bool | Collection[int]
    flight: bool
    kill_s: float | None
    write_s: float | Sequence[float]
    delete: Callable[[Any], Awaitable[object]] | None
    latency_s: float
    faults: Sequence[Down | Slow]
    patience_s: float


class _Fleet:
    """The nodes, their Redis and their origin."""

    def __init__(
        self,
        build: Build,
        *,
        nodes: int = 8,
        load_s: float | Sequence[float] = 0.3,
        fails: bool | Collection[int] = False,
        flight: bool = True,
        latency_s: float = 0.001,
        faults: Sequence[Down | Slow] = (),
        patience_s: float = 30.0,
    ) -> None:
        self.load_s, self.fails, self.patience_s, self.version = load_s, fails, patience_s, 1
        self.redis = FakeRedis(*faults, latency_s=latency_s, timeout_s=None)
        self.run = Stampede([f"node {number}" for number in range(1, nodes + 1)])
        self._start = asyncio.get_running_loop().time()
        self.nodes = [_Node(self, name, build, with_flight=flight) for name in self.run.nodes]

    def now(self) -> float:
        """Seconds since the first caller asked, to a microsecond."""
        return round(asyncio.get_running_loop().time() - self._start, 6)

    async def load(self, node: str) -> int:
        """A load of this node. If the node is killed meanwhile, it never ends."""
        load = Load(node, self.now(), self.version)
        self.run.loads.append(load)
        number = len(self.run.loads)
        seconds = self.load_s if isinstance(self.load_s, int | float) else self.load_s[:number][-1]
        try:
            await asyncio.sleep(seconds)
            if node in self.redis.killed:
                await asyncio.Event().wait()
        finally:
            if node not in self.redis.killed:
                load.ended = self.now()
        if self.fails is True or (self.fails and number in self.fails):
            raise OriginDown("the origin is down")
        return load.version

    async def call(self, node: _Node, when: float) -> None:
        """One caller of this node."""
        await asyncio.sleep(when)
        if node.name in self.redis.killed:
            return
        caller = asyncio.ensure_future(node.ask())
        node.callers.add(caller)
        await asyncio.wait([caller], timeout=self.patience_s - when)
        version, error = None, ""
        if node.name in self.redis.killed:
            error = "killed"
        elif not caller.done():
            error = "no answer"
        else:
            try:
                version = int(caller.result())
            except BaseException as failure:
                error = type(failure).__name__
                self.run.errors.append(failure)
        caller.cancel()
        self.run.answers.append(Answer(node.name, when, self.now(), version, error))

    async def kill(self, when: float) -> None:
        """Kill the node that loads at this moment, the one that has begun first."""
        await asyncio.sleep(when)
        loading = [load.node for load in self.run.loads if load.ended is None]
        for node in self.nodes:
            if node.name in loading[:1]:
                self.run.killed = (self.now(), node.name)
                self.redis.kill(node.name)
                for caller in node.callers:
                    caller.cancel()

    async def write(self, when: float, delete: Callable[[Any], Awaitable[object]] | None) -> None:
        """Commit the next version at the origin, then delete."""
        await asyncio.sleep(when)
        self.version += 1
        client = self.redis.client()
        await (client.delete(KEY) if delete is None else delete(client))
        self.run.deletes.append(self.now())

    async def ask_later(self) -> int | None:
        """What one more caller gets, from a node that lives."""
        await asyncio.sleep(LATER_S)
        (node, *_) = (node for node in self.nodes if node.name not in self.redis.killed)
        try:
            return int(await asyncio.wait_for(node.ask(), self.patience_s))
        except Exception:
            return None


class _Node:
    """One process of the fleet."""

    def __init__(self, fleet: _Fleet, name: str, build: Build, *, with_flight: bool) -> None:
        self.name, self.callers = name, set[asyncio.Task[Any]]()
        client: Any = fleet.redis.client(name)
        execute_command = client.execute_command

        async def note_refusals(*parts: Any, **options: Any) -> Any:
            reply = await execute_command(*parts, **options)
            if parts[0] == "EVAL" and reply == 0:
                fleet.run.refused.append((fleet.now(), name))
            return reply

        client.execute_command = note_refusals
        made = build(client, lambda _key: fleet.load(name))
        self.flight = Flight() if with_flight and not isinstance(made, Cache) else None
        self._made = made
        self._get: Get = made.get if isinstance(made, Cache) else made

    async def ask(self) -> Any:
        """The answer to one caller."""
        return await (self._get(KEY) if self.flight is None else self.flight.do(KEY, self._get))

    async def close(self) -> None:
        """End what this node still does."""
        for part in (self.flight, self._made):
            if isinstance(part, Flight | Cache):
                await part.__aexit__(None, None, None)


async def stampede(build: Build, **options: Unpack[_Options]) -> Stampede:
    """Let 40 callers ask for one key in virtual time, one each millisecond, each at the next node, and return the run.

    `build`      makes what a node does, of a client of the simulated Redis and of the node's `load`: an async function
                 of the key, or a `Cache`
    `nodes`      how many nodes there are, by default 8; `callers`, by default 40; one comes every `every_s` seconds
    `load_s`     the seconds that a load takes, by default 0.3; or those of the first load, of the second, and so on
    `fails`      True: each load fails at its end; or the numbers of those that do
    `flight`     put a `Flight` in front of each node's function, by default True; a `Cache` has its own
    `kill_s`     at this second, kill the node that loads: its process is gone, and its callers with it
    `write_s`    at this second, or at each of them, commit the next version and then await `delete(client)`, by
                 default a DEL of the key
    `latency_s`  a round trip to Redis, by default 0.001; `faults` are those of `lab.FakeRedis`
    `patience_s` seconds from the start after which a caller goes without an answer, by default 30
    """
    return await simulate(partial(play_stampede, build, **options))


async def play_stampede(
    build: Build,
    *,
    callers: int = 40,
    every_s: float = 0.001,
    kill_s: float | None = None,
    write_s: float | Sequence[float] = (),
    delete: Callable[[Any], Awaitable[object]] | None = None,
    **options: Any,
) -> Stampede:
    """The same as a scenario, for `lab.simulate`."""
    fleet = _Fleet(build, **options)
    run = fleet.run
    what = [fleet.call(fleet.nodes[n % len(fleet.nodes)], round(n * every_s, 6)) for n in range(callers)]
    if kill_s is not None:
        what.append(fleet.kill(kill_s))
    what += [fleet.write(when, delete) for when in ([write_s] if isinstance(write_s, int | float) else write_s)]
    await asyncio.gather(*what)
    kept = replace(run, commands=list(fleet.redis.commands), loads=list(run.loads), refused=list(run.refused))
    kept.later = await fleet.ask_later()
    for node in fleet.nodes:
        await node.close()
    return kept
