"""Exercise 12.1: an L1 over Redis that serves values whose age is above both TTLs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

L1_TTL_S, L2_TTL_S, LOAD_S = 30.0, 60.0, 0.05
SLACK_S = 0.02  # some round trips: a copy may begin its life as long after the load, or be given as long after its end
CAUTION_S = 1.6  # whoever asks for whole seconds may let a value go as long before its end
KEY, LENGTH_S = 7, 240.0
HEADER = ["at", "node", "answer came from", "its age"]
LINES = 6
"""How many reads of the trace are shown, the last of them being the wrong one."""


@dataclass
class _Read:
    """One read: when, by which node, what it sent to Redis, whether it loaded, and the age of the answer."""

    when: float
    node: str
    commands: list[str]
    is_load: bool
    age_s: float

    @property
    def is_from_l1(self) -> bool:
        """Whether it asked nobody."""
        return not (self.commands or self.is_load)

    def row(self) -> list[object]:
        """The read as a line of the trace."""
        source = "its L1" if self.is_from_l1 else "the origin" if self.is_load else "Redis"
        return [f"{self.when:.1f} s", self.node, source, f"{self.age_s:.1f} s"]


@dataclass
class _World:
    """One user in Redis and at the origin, and two nodes. `loaded` is when each version was loaded."""

    redis: FakeRedis
    clock: Callable[[], float]
    loaded: dict[str, float] = field(default_factory=dict)
    reads: list[_Read] = field(default_factory=list)

    async def load(self, key: int) -> str:
        """Another address with each load."""
        await asyncio.sleep(LOAD_S)
        version = f"user_{key}+{len(self.loaded) + 1}@example.com"
        self.loaded[version] = self.clock()
        return version

    async def read(self, node: str, cache: Any, key: int) -> _Read:
        """One read of a node, which is added to the trace."""
        when, loads, sent = self.clock(), len(self.loaded), len(self.redis.commands)
        value = await awaited("get", cache.get(key))
        if value not in self.loaded:
            words = "get returns the address as a str, as load has returned it."
            if isinstance(value, str):
                words = "get returns an address that nobody has loaded here: is its dict one that all objects share?"
            raise Wrong(words, f"await get({key}) → {value!r:.60}")
        commands = [command.command for command in self.redis.commands[sent:]]
        read = _Read(when, node, commands, len(self.loaded) > loads, self.clock() - self.loaded[value])
        self.reads.append(read)
        return read

    def trace(self) -> str:
        """The reads that L1 did not answer, and the last read of all, which is the wrong one."""
        *before, wrong = self.reads
        rows = [read.row() for read in [*(read for read in before if not read.is_from_l1), wrong][-LINES:]]
        return evidence_table(HEADER, rows, len(rows) - 1)


def _check_age(world: _World, read: _Read, asked_life: bool) -> None:
    """Nothing is served at an age above 60 s."""
    if read.age_s <= L2_TTL_S + SLACK_S:
        return
    if read.commands:
        words = "Redis still has this value more than 60 s after its load: it gets 60 s once, and no read renews them."
    elif read.age_s <= L2_TTL_S + 0.6 and asked_life:
        words = "An age a little above 60 s: TTL gives whole seconds, rounded. PTTL gives milliseconds."
    elif asked_life:
        words = "You ask Redis how long the value has left, and L1 still keeps it past that. PTTL gives milliseconds."
    else:
        words = "An age above 60 s: L1 starts a new life for a value that has lived in Redis. Its age has to travel."
    raise Wrong(words, world.trace())


def _check_l1(world: _World, read: _Read, copied_at: float, ends: float) -> None:
    """For 30 s, or for about what was left, L1 answers alone; after 30 s it asks again."""
    if read.when < min(copied_at + L1_TTL_S - SLACK_S, ends - CAUTION_S) and not read.is_from_l1:
        words = "L1 could still have had a copy that is young enough, and Redis was asked: L1 keeps a copy for 30 s."
        raise Wrong(words, world.trace())
    if read.when > copied_at + L1_TTL_S + SLACK_S and read.is_from_l1:
        words = "L1 keeps this copy for longer than its own 30 s: a copy ends at whichever of the two comes first."
        raise Wrong(words, world.trace())


def _check_load(world: _World) -> None:
    """Redis has kept the value for 60 s, or nearly so, before it was loaded again."""
    *_, before, last = sorted(world.loaded.values())
    if last - before < L2_TTL_S - CAUTION_S:
        words = f"Loaded again after {last - before:.0f} s: Redis has to keep a value for 60 s after its load."
        raise Wrong(words, world.trace())


async def _experiment(make: Any, offset_s: float, step_s: float) -> None:
    """Node 1 loads a value. After `offset_s` seconds node 2 begins to read it, every `step_s` seconds."""
    redis, clock = FakeRedis(latency_s=0.001), asyncio.get_running_loop().time
    world = _World(redis, clock)
    first, second = (make(redis.client(node, decode_responses=True), world.load, clock) for node in "12")
    if not hasattr(first, "get"):
        raise Wrong("Keep the name get: the check calls it.", f"{type(first).__name__} has no get")
    await world.read("1", first, KEY)
    for name in await (watcher := redis.client()).keys("*"):
        if await watcher.pttl(name) == -1:
            words = "The value is in Redis without a TTL: Redis has to forget it 60 s after its load."
            raise Wrong(words, f"{world.trace()}\nPTTL {name!r} → -1")
    await asyncio.sleep(offset_s)
    copied_at = ends = -math.inf
    asks_life = False
    while clock() < LENGTH_S:
        read = await world.read("2", second, KEY)
        asks_life = asks_life or bool({"TTL", "PTTL"} & set(read.commands))
        _check_age(world, read, asks_life)
        if read.is_load:
            _check_load(world)
        if copied_at > 0:
            _check_l1(world, read, copied_at, ends)
        if not read.is_from_l1:
            copied_at = clock()
            ends = copied_at - read.age_s + L2_TTL_S
        await asyncio.sleep(step_s)


def _examine(make: Any) -> str:
    """Let one node load, and another read what it finds in Redis, at different ages of the value."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    for offset_s, step_s in ((45.4, 0.3), (10.0, 2.3), (58.7, 0.9)):
        run_experiment(_experiment, make, offset_s, step_s)
    return "No entry is served at an age above 60 s, and each level answers for as long as it may."


EXERCISE = Exercise(
    _examine,
    [
        "A value has been in Redis for 45 s when node 2 reads it. How long does node 2 keep it? Which age has it then?",
        "A copy must not outlive the original. Redis knows how long that will still be there: PTTL, in milliseconds.",
        "Before PTTL: asked = self.clock(). Then PTTL, then GET. The copy ends at asked + min(30, left_ms / 1_000).",
    ],
)
