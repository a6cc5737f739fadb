"""A random schedule of a whole fleet in virtual time: four nodes with two levels, leases and a bus.

Readers and writers on every node, some of them cancelled; slow, failing and vanishing rows; a node that leaves in the
middle; and, if it is told so, a Redis that is away, or hangs, for a while.
"""

import asyncio
from collections import Counter
from random import Random
from typing import Any

from cachelab import ABSENT, MISS, CacheError, InvalidationFailed, RedisStore
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.lab.sim.faults import Down, OriginError
from cachelab.lab.sim.simulation import run
from tests.support.fakes import now, other_tasks
from tests.support.fleet import Node

__all__ = ["KEYS", "L1_TTL_S", "Schedule", "WRONG", "many_schedules"]

NODES, KEYS, READERS, WRITERS, END_S = 4, range(4), 80, 8, 6.0
LATENCY_S, TIMEOUT_S, L1_TTL_S, SLOW_S = 0.03, 0.5, 1.0, 1.0
HEALTHY_S = LATENCY_S + 0.001
"""So long after a delete has returned, no node gives what is older: the message is there."""
FAULTY_S = L1_TTL_S + SLOW_S + TIMEOUT_S
"""The same where messages may be lost: the life of the memory, a load, and a fill that is waited for."""
WRONG = ("too old", "stale", "left", "lost", "reported")
"""What is seen only if something is wrong."""


class Rows:
    """The origin: what each row has been, version by version. Some loads are slow, and some fail."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.history: dict[int, list[Any]] = {key: [0] for key in KEYS}

    async def load(self, key: int) -> Any:
        """The row as it is when the load begins."""
        row, luck = self.history[key][-1], self.chance.random()
        await asyncio.sleep(SLOW_S if luck < 0.03 else 0.3 * luck)
        if luck > 0.9:
            raise ConnectionError
        return row

    def commit(self, key: int) -> int:
        """A new version, or the end of the row. Returns its number."""
        history = self.history[key]
        history.append(ABSENT if self.chance.random() < 0.2 else len(history))
        return len(history) - 1


class Schedule:
    """One schedule, and what was seen in it.

    `keys`  from which a reader chooses; a key that is not in `KEYS` does not exist
    """

    keys: tuple[int, ...] = (0, 0, 0, 1, 2, 3)

    def __init__(self, seed: int, *, faulty: bool) -> None:
        self.chance = Random(f"{seed}/fleet")
        begin = 1.0 + 2.0 * self.chance.random()
        faults: list[Any] = [self.chance.choice([Down, Hanging])(begin, begin + 0.4)] if faulty else []
        latency = Random(f"{seed}/latency")
        self.redis = FakeRedis(*faults, latency_s=lambda: LATENCY_S * latency.random(), timeout_s=TIMEOUT_S)
        self.bound_s = FAULTY_S if faulty else HEALTHY_S
        self.rows, self.seen = Rows(self.chance), Counter[str]()
        self.crowds = [5.0 * self.chance.random() for _ in range(4)]
        self.deleted: list[tuple[float, int, int, int]] = []  # when, by which node, which key and version
        self.nodes = [self.node(number) for number in range(NODES)]
        self.gone: set[int] = set()

    def node(self, number: int, load: Any = None, **guards: Any) -> Node:
        """Its flight, its TTL for absences and its leases differ from those of others. `guards` are `Node`'s."""
        return Node(
            self.redis.client(),
            load or self.rows.load,
            ttl=1.5,
            l1_ttl=L1_TTL_S,
            negative_ttl=0.5 * (number % 2),
            stale_for=5.0,
            shared=number > 0,
            lease_s=0.4,
            keep_s=2.0,
            **guards,
        )

    def moment(self) -> float:
        """When something happens. There are crowded half seconds, or nothing would meet."""
        return self.chance.choice(self.crowds) + 0.6 * self.chance.random()

    def floor(self, node: int, key: int) -> int:
        """The version that a reader on this node must be given at least, if it asks now."""
        told = [
            version
            for when, writer, written, version in self.deleted
            if written == key and (writer == node or now() >= when + self.bound_s)
        ]
        return max(told, default=0)

    async def read(self) -> None:
        """One get on some node. The origin, a guard and the end of a node may refuse it."""
        node, key = self.chance.randrange(NODES), self.chance.choice(self.keys)
        await asyncio.sleep(self.moment())
        floor = self.floor(node, key)
        try:
            answer = await self.nodes[node].l1.get(key)
        except (CacheError, ConnectionError, OriginError, RuntimeError, TimeoutError):
            self.seen["refused"] += 1
            return
        if node not in self.gone:  # a node that has left hears of no delete any more
            self.seen["answers"] += 1
            self.seen["too old"] += answer not in self.rows.history.get(key, [ABSENT])[floor:]

    async def write(self) -> None:
        """Commit, and delete until that has worked. Some tries are cancelled."""
        node, key = self.chance.randrange(NODES - 1), self.chance.choice([0, 0, 1, 2, 3])
        await asyncio.sleep(self.moment())
        version = self.rows.commit(key)
        while True:
            try:
                async with asyncio.timeout(0.05 * self.chance.random() if self.chance.random() < 0.3 else None):
                    await self.nodes[node].bus.delete(key)
                break
            except (InvalidationFailed, TimeoutError):
                self.seen["deletes again"] += 1
                await asyncio.sleep(0.03)
        self.deleted.append((now(), node, key, version))

    async def leave(self) -> None:
        """The last node leaves."""
        await asyncio.sleep(5.0 * self.chance.random())
        self.gone.add(NODES - 1)
        await self.nodes[-1].close()

    async def play(self) -> Counter[str]:
        """Run it. Returns what was seen, and what is wrong."""
        loop: Any = asyncio.get_running_loop()
        loop.call_exception_handler = lambda _: self.seen.update(["reported"])
        for node in self.nodes:
            await node.bus.__aenter__()
        await asyncio.sleep(0.2)
        readers = [asyncio.create_task(self.read()) for _ in range(READERS)]
        writers = [asyncio.create_task(self.write()) for _ in range(WRITERS)]
        for reader in self.chance.sample(readers, READERS // 4):
            loop.call_later(END_S * self.chance.random(), reader.cancel)
        leaving = [asyncio.create_task(self.leave())] if self.chance.random() < 0.3 else []
        await asyncio.wait([*writers, *leaving])
        await asyncio.sleep(max(self.bound_s, END_S - now()))
        await self.look()
        await asyncio.wait(readers)
        await asyncio.sleep(3.0)  # for leases whose end could not be told to Redis
        for node in self.nodes:
            await node.close()
        await asyncio.sleep(1.0)  # for connections that are being made
        self.seen["left"] += self.left() + len(other_tasks())
        self.seen["left"] += len([name async for name in self.redis.client().scan_iter(match="*:lease")])
        self.seen["lost"] += sum(not task.cancelled() and task.exception() is not None for task in [*readers, *writers])
        return self.seen

    def left(self) -> int:
        """How much is kept that is needed only while something is under way."""
        return sum(node.left() for node in self.nodes)

    async def look(self) -> None:
        """Nothing old may be kept in a memory, nor in Redis."""
        plain: RedisStore[int] = RedisStore(self.redis.client(), int, namespace="test", version=1)
        for key, history in self.rows.history.items():
            kept = [await plain.get(key)]
            kept += [
                node.l1._level.store.find(key) for number, node in enumerate(self.nodes) if number not in self.gone
            ]
            for entry in kept:
                if entry is not MISS:
                    self.seen["kept"] += 1
                    self.seen["stale"] += entry.value != history[-1]


def many_schedules(seeds: range, *, faulty: bool, kind: type[Schedule] = Schedule) -> Counter[str]:
    """The sums over so many schedules."""

    async def one(seed: int) -> Counter[str]:
        return await kind(seed, faulty=faulty).play()

    total: Counter[str] = Counter()
    for seed in seeds:
        total.update(run(one, seed))
    return total
