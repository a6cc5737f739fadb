"""The race enumerator for several nodes over one Redis: every order of their commands, loads and writes.

    lab.redis_race(
        {"A": lambda world: world.nodes["A"].get(1), "B": lambda world: world.nodes["B"].get(1), "writer": write},
        nodes={"A": build, "B": build},
    )

`build(client, load)` makes the cache of a node, from a client of the simulated Redis and a loader. An actor is a
function of the world, as in `cachelab.lab.sim.races`. Here nobody is given turns in advance: what waits to be sent are
the possibilities, and each of them is tried.

Problem: a race between processes needs their commands to reach Redis in one certain order.
Idea: hold back each packet of a node, each load and each write. Let one of them go at a time, in every possible order.
Guarantee: each order is tried exactly once. The same actors give the same orders.
Not guaranteed: orders in which a reply, or a message to a subscriber, is late: they arrive at once.
Cost: some milliseconds for each order. Two nodes that read, and one write with its delete, have thousands of orders.
Source: Nishtala et al., NSDI'13, section 3.2.1 ("stale sets"); stateless search as in a model checker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from random import Random
from typing import Any, NamedTuple, TypeAlias

from cachelab.cache import Cache
from cachelab.entry import MISS
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.races import Interleaving, Race, Step
from cachelab.lab.sim.simulation import run

__all__ = ["RedisWorld", "redis_race"]

KEY = 1
"""The key whose versions are written and read."""
Build: TypeAlias = Callable[[Any, Callable[[Any], Awaitable[int]]], Cache[Any, Any]]
Actor: TypeAlias = Callable[["RedisWorld"], Awaitable[object]]
Choose: TypeAlias = Callable[[int], int]
SETTLE_S = 0.001  # after each turn: everything that then happens at once has happened when it is over
PATIENCE_S = 100.0  # how long nobody may want a turn, before this counts as waiting for ever
VERBS = {"DEL": "deletes", "SUBSCRIBE": "listens", "PUBLISH": "publishes", "EVAL claim": "claims"}


class _Turn(NamedTuple):
    """Something that waits to happen: who does what, how it is let go, since which step, and how long it then takes."""

    actor: str
    did: str
    let_go: Callable[[], object]
    began: int
    seconds: float = SETTLE_S


class RedisWorld:
    """One key with its versions 1, 2, 3 … at the origin, one Redis, and the caches of several nodes.

    `nodes`     the cache of each node, by name
    `redis`     the simulated Redis
    `version`   the version at the origin
    `loads`     how many loads there were
    `steps`     what has happened, as a list of `Step`
    """

    def __init__(self, build: Mapping[str, Build]) -> None:
        self.version, self.loads = 1, 0
        self.steps: list[Step] = []
        self.redis = _TurnedRedis(self)
        self.nodes = {name: make(self.redis.client(name), self._loader(name)) for name, make in build.items()}
        make_first = next(iter(build.values()))
        self._window: Any = make_first(self.redis.client(), self._loader(""))._level.store  # it needs no turns
        self._waiting: list[_Turn] = []
        self._begun = 0  # how many steps have begun
        self._is_over = False

    def _loader(self, node: str) -> Callable[[Any], Awaitable[int]]:
        async def load(_key: object) -> int:
            await self._turn(node, "loads {}")
            self.loads += 1
            return self.version

        return load

    async def write(self, who: str = "writer") -> int:
        """Commit a new version at the origin, as one turn of `who`, and return it."""
        await self._turn(who, "writes {}", self._commit)
        return self.version

    async def sleep(self, seconds: float, who: str = "time") -> None:
        """Let so many seconds pass for everybody, as one turn of `who`: so a lease may run out at any moment."""
        await self._turn(who, f"{seconds:g} s pass", seconds=seconds)

    def _commit(self) -> None:
        self.version += 1

    async def _turn(
        self, who: str, did: str, act: Callable[[], None] = lambda: None, seconds: float = SETTLE_S
    ) -> None:
        let_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def go() -> None:
            act()
            if not let_go.done():
                let_go.set_result(None)

        self._waiting.append(_Turn(who, did, go, self._begun + 1, seconds))
        await let_go

    def hold_back(self, node: str, command: str, deliver: Callable[[], None]) -> None:
        """A packet of a node waits until it is let go."""
        if self._is_over:
            deliver()
        else:
            self._waiting.append(_Turn(node, command, deliver, self._begun + 1))

    async def play(self, actors: Mapping[str, Actor], choose: Choose) -> Interleaving:
        """Run the actors. `choose(count)` says which of so many that wait goes next."""
        tasks = {name: asyncio.ensure_future(actor(self)) for name, actor in actors.items()}
        order: list[str] = []
        waited_s = 0.0
        await asyncio.sleep(SETTLE_S)
        while self._waiting or not all(task.done() for task in tasks.values()):
            if not self._waiting:  # somebody waits for a lease to run out
                await asyncio.sleep(0.05)
                waited_s += 0.05
                if waited_s > PATIENCE_S:
                    raise RuntimeError(f"After {', '.join(order)} everybody waits, and nothing happens any more.")
                continue
            before = await self._contents()
            turn = self._waiting.pop(choose(len(self._waiting)))
            self._begun += 1
            turn.let_go()
            await asyncio.sleep(turn.seconds)
            order.append(turn.actor)
            self.steps.append(await self._step(turn, before))
            waited_s = 0.0
        errors = {name: repr(task.exception()) for name, task in tasks.items() if task.exception()}
        return Interleaving(tuple(order), self.steps, await self._cached() not in (None, self.version), errors)

    async def _cached(self) -> int | None:
        entry = await self._window.get(KEY)
        return None if entry is MISS else entry.value

    async def _contents(self) -> tuple[int | None, Any]:
        """The version in Redis, and the token beside it."""
        lease = getattr(self._window, "_names", lambda key: ("", "no lease"))(KEY)[1]
        return await self._cached(), await self._window._redis.hget(lease, "token")

    async def _step(self, turn: _Turn, before: tuple[int | None, Any]) -> Step:
        cached, token = await self._contents()
        did = VERBS.get(turn.did, turn.did.format(self.version))
        if turn.did in ("GET", "MGET"):
            did = f"looks: {before[0] or 'nothing'}"
        elif turn.did == "EVAL settle" and (before[1] is None or token is not None):
            did = "is refused"
        elif turn.did in ("SET", "EVAL settle"):
            did = "gives back" if cached is None else f"fills {cached}"
        return Step(turn.actor, did, cached, self.version, turn.began)

    async def close(self) -> None:
        """End the nodes. What they still send needs no turn."""
        self._is_over = True
        for cache in self.nodes.values():
            await cache.aclose()
            if hasattr(cache._level.store, "aclose"):
                await cache._level.store.aclose()


class _TurnedRedis(FakeRedis):
    """A Redis without latency, in front of which each packet waits for its turn."""

    def __init__(self, world: RedisWorld) -> None:
        super().__init__(latency_s=0.0, timeout_s=None)
        self._world = world

    def transmit(self, deliver: Callable[[], None], node: str, commands: list[str]) -> None:
        """Hold the packet back. A client without a name needs no turn."""
        if node:
            self._world.hold_back(node, commands[-1], deliver)
        else:
            deliver()


def redis_race(
    actors: Mapping[str, Actor],
    *,
    nodes: Mapping[str, Build],
    sample: int | None = None,
    seed: int = 1,
    at_end: Callable[[RedisWorld], Awaitable[object]] | None = None,
) -> Race:
    """Every order in which what these actors do can reach Redis and the origin; the key is 1, and its version is 1.

    `nodes`   for each node's name, a function of a client and a loader that makes the cache of the node
    `sample`  try only so many orders, drawn at random with `seed`
    `at_end`  is awaited at the end of each order, when the nodes are closed

    Raises RuntimeError if in some order everybody waits for ever.
    """

    async def one(choose: Choose) -> Interleaving:
        world = RedisWorld(nodes)
        interleaving = await world.play(actors, choose)
        await world.close()
        if at_end is not None:
            await at_end(world)
        return interleaving

    ways = _every_choice() if sample is None else _random_choices(sample, Random(f"{seed}/redis race"))
    return Race([run(one, choose) for choose in ways])


def _every_choice() -> Iterator[Choose]:
    """Functions that choose. Together they take every path: the last choice that has another possibility changes."""
    path: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []

        def choose(count: int, path: list[int] = path, taken: list[tuple[int, int]] = taken) -> int:
            choice = path[len(taken)] if len(taken) < len(path) else 0
            taken.append((choice, count))
            return choice

        yield choose
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        path = [choice for choice, _ in taken]
        path[-1] += 1


def _random_choices(count: int, chance: Random) -> Iterator[Choose]:
    for _ in range(count):
        yield chance.randrange
