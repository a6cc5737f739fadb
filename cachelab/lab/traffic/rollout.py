"""A rolling deploy: nodes that go from one release to the next, each at its own moment, over one shared Redis.

Problem: what a deploy does to cached data depends on which release fills, which one reads and which one deletes. In the
    middle of a deploy it may be either, on each request.
Idea: each node has two caches, one of each release. A read or a delete uses the one whose turn it is now.
Guarantee: the same traffic and the same moments give the same answers. The old release begins with what its cache would
    hold in the middle of such traffic, so that no run has to begin with a cold cache.
Not guaranteed: what a process does besides. A node changes in an instant, and loses no request; what the old release
    has begun it ends.
Cost: some 300 µs of real time for a request, most of it for the simulated Redis.
Source: a key that is requested r times a second is loaded, lives for the TTL T, and is missed 1/r seconds later on
    average. So it is there for T of T + 1/r seconds, that is with the probability rT / (1 + rT).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import cycle
from random import Random
from typing import Any, NamedTuple, TypeAlias

from cachelab.cache import Cache
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult
from cachelab.lab.traffic.workload import Workload

__all__ = ["Answer", "Deployed", "Rollout", "Site", "roll_out", "warm_up"]

CONNECTIONS, SERVICE_S = 2, 0.1


class Site(NamedTuple):
    """What a release needs to build the cache of a node: the shared Redis, the database, and the TTL in seconds."""

    redis: FakeRedis
    db: SlowDatabase
    ttl: float


Release: TypeAlias = Callable[[Site], Cache[int, Any]]


class Answer(NamedTuple):
    """What a read returned: after how many seconds, whether from the new release, for which key, and the value."""

    when: float
    is_new: bool
    key: int
    value: Any


class Deployed(NamedTuple):
    """A deploy under traffic: the result of the replay, and the answers of all reads."""

    run: ReplayResult
    answers: list[Answer]


class Rollout:
    """A fleet whose node number i runs `old[i]` until the moment `at[i]`, and `new[i]` from then on.

    `at`       seconds from the moment at which this object was built; `math.inf` for a node that is never deployed
    `nodes`    an async function of the key for each node: what `lab.replay` takes
    `answers`  an `Answer` for each read that has returned, in order

    Raises ValueError unless there are as many old caches as new ones and moments.
    """

    def __init__(self, old: Sequence[Cache[int, Any]], new: Sequence[Cache[int, Any]], at: Sequence[float]) -> None:
        if not 0 < len(old) == len(new) == len(at):
            counts = f"{len(old)}, {len(new)} and {len(at)}"
            raise ValueError(f"Each node has an old cache, a new one and a moment, but there are {counts} of them.")
        self.answers: list[Answer] = []
        self.nodes: list[Callable[[int], Awaitable[Any]]] = [partial(self._read, node) for node in range(len(at))]
        self._old, self._new, self._at = list(old), list(new), list(at)
        self._turns = cycle(range(len(at)))
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()

    async def delete(self, key: int) -> None:
        """Delete a key as a write does: on the node whose turn it is, in the release that it runs now."""
        await self._running(next(self._turns)).delete(key)

    async def _read(self, node: int, key: int) -> Any:
        cache = self._running(node)
        value = await cache.get(key)
        self.answers.append(Answer(self._loop.time() - self._start, cache is self._new[node], key, value))
        return value

    def _running(self, node: int) -> Cache[int, Any]:
        is_new = self._loop.time() - self._start >= self._at[node]
        return (self._new if is_new else self._old)[node]


async def warm_up(get: Callable[[int], Awaitable[Any]], workload: Workload, *, ttl: float) -> None:
    """Take `ttl` seconds, and leave what a cache with this TTL holds in the middle of the workload's reads.

    `get` is called once for each of these keys, at a random moment. Writes are left out of the reckoning. Another seed
    of the workload draws other keys and other moments.
    """
    draw, start = Random(f"{workload.seed}/warm"), asyncio.get_running_loop().time()

    async def load(key: int, when: float) -> None:
        await asyncio.sleep(start + when - asyncio.get_running_loop().time())
        await get(key)

    loads = []
    for key, popularity in enumerate(workload.popularity(), 1):
        requests = popularity * workload.rate * ttl  # of this key within a TTL
        is_there, when = draw.random() * (1 + requests) < requests, draw.random() * ttl
        if is_there:
            loads.append(load(key, when))
    await asyncio.gather(*loads)
    await asyncio.sleep(max(0.0, start + ttl - asyncio.get_running_loop().time()))


async def roll_out(
    old: Release,
    new: Release,
    at: Sequence[float],
    workload: Workload,
    *,
    ttl: float = 30.0,
    script: Callable[[Site], Awaitable[None]] | None = None,
) -> Deployed:
    """Deploy the release `new` over `old` under this traffic: the node number i changes at the second `at[i]`.

    Each key of the workload is a user of the database, which answers two queries at a time in 0.1 s each. The site is
    warm when the traffic begins. Nodes take turns at writing. A `script` begins with the traffic and gets the site; its
    queries are in the result, too. Call it in a scenario.
    """
    db = SlowDatabase(users=workload.keys, connections=CONNECTIONS, service_s=SERVICE_S)
    site = Site(FakeRedis(), db, ttl)
    await warm_up(old(site).get, workload, ttl=ttl)
    fleet = Rollout([old(site) for _ in at], [new(site) for _ in at], at)

    async def write(user_id: int) -> None:
        await db.update_user(user_id)
        await fleet.delete(user_id)

    traffic = replay(workload, fleet.nodes, db=db, write=write)
    run = await traffic if script is None else (await asyncio.gather(traffic, script(site)))[0]
    return Deployed(run, fleet.answers)
