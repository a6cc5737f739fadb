"""The race enumerator: every interleaving of a few small actors over one key, one step an operation.

Problem: a race that needs two events in one wrong order shows once in a million requests, and never in a test.
Idea: let actors wait before each operation until it is their turn, and deal the turns in every possible order.
Guarantee: all orders of the actors' turns are tried, each exactly once; an actor that has ended, or that waits for
    another, passes its turn (so on a warm cache, where a reader ends early, several orders are the same run). The same
    actors give the same runs in the same order.
Not guaranteed: anything about how likely an order is. The shares are shares of orders, not probabilities.
Cost: the number of orders grows as a multinomial: 10 for 3 + 2 steps, 210 for 3 + 2 + 2, 2,520 for 3 + 3 + 2 + 2.
Source: Nishtala et al., NSDI'13, section 3.2.1 ("stale sets"); enumeration as in any model checker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from cachelab.entry import MISS, Entry, Miss
from cachelab.lab.sim.simulation import run

__all__ = ["Race", "Interleaving", "Step", "World", "race"]

T = TypeVar("T")
Actor: TypeAlias = Callable[["World"], Awaitable[object]]
SETTLE = 25  # turns of the loop after a step; enough for a value to travel through a few awaits
_actor: ContextVar[str] = ContextVar("_actor", default="")


@dataclass(frozen=True)
class Step:
    """One operation: who did what, and what the cache and the origin held after it (a version number, or None)."""

    actor: str
    did: str
    cached: int | None
    origin: int


@dataclass
class Interleaving:
    """One interleaving: the order of the turns and what came of it. `stale`: the cache ends with an old version."""

    order: tuple[str, ...]
    steps: list[Step]
    stale: bool
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Race:
    """All interleavings of the same actors."""

    interleavings: list[Interleaving]

    @property
    def stale(self) -> list[Interleaving]:
        """The interleavings after which the cache holds an old version."""
        return [run for run in self.interleavings if run.stale]

    @property
    def share(self) -> float:
        """The share of the interleavings that end stale, 0 to 1."""
        return len(self.stale) / len(self.interleavings)


class World:
    """One key, its versions 1, 2, 3 … at the origin, and a cache. Each `await` of a method is one step.

    The verbs are for strategies written by hand; `get`, `set`, `delete` and `load` are the sockets of a real `Cache`,
    `Cache(world, load=world.load, ttl=60)`, whose `delete` and `get` are then the actors' business.
    """

    def __init__(self, *, warm: bool) -> None:
        self.version = 1
        self.entry: Entry[Any] | Miss = Entry(1, float("inf")) if warm else MISS
        self.steps: list[Step] = []
        self.cache: Any = None
        self._turns: dict[str, asyncio.Future[None]] = {}

    async def look(self) -> int | None:
        """The version in the cache, or None."""
        await self._turn()
        return self._did(f"looks: {self._cached or 'nothing'}", self._cached)

    async def load(self, _key: object = None) -> int:
        """The version at the origin."""
        await self._turn()
        return self._did(f"loads {self.version}", self.version)

    async def fill(self, version: int) -> None:
        """Put this version into the cache."""
        await self._turn()
        self.entry = Entry(version, float("inf"))
        self._did(f"fills {version}", None)

    def fill_now(self, version: int) -> None:
        """Fill as a part of the step before it, for a store that does both in one operation."""
        self.entry = Entry(version, float("inf"))
        self._did(f"fills {version}", None)

    async def write(self) -> int:
        """Commit a new version at the origin and return it."""
        await self._turn()
        self.version += 1
        return self._did(f"writes {self.version}", self.version)

    async def get(self, _key: object) -> Entry[Any] | Miss:
        """The store's `get`: the entry or MISS."""
        await self._turn()
        return self._did(f"looks: {self._cached or 'nothing'}", self.entry)

    async def set(self, _key: object, entry: Entry[Any]) -> None:
        """The store's `set`."""
        await self._turn()
        self.entry = entry
        self._did(f"fills {entry.value}", None)

    async def delete(self, _key: object = None) -> None:
        """Forget what the cache holds; both a verb and the store's `delete`."""
        await self._turn()
        self.entry = MISS
        self._did("deletes", None)

    @property
    def _cached(self) -> int | None:
        return None if self.entry is MISS else self.entry.value

    def _did(self, what: str, answer: T) -> T:
        self.steps.append(Step(_actor.get(), what, self._cached, self.version))
        return answer

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._turns[_actor.get()] = turn
        await turn

    async def deal(self, actors: Mapping[str, Actor], order: tuple[str, ...]) -> Interleaving:
        """Interleaving the actors with their turns in this order."""
        tasks: dict[str, asyncio.Future[Any]] = {}
        for name, actor in actors.items():
            _actor.set(name)
            tasks[name] = asyncio.ensure_future(actor(self))
        await self._settle()
        for name in order:
            turn = self._turns.pop(name, None)
            if turn is not None and not turn.done():
                turn.set_result(None)
                await self._settle()
        unfinished = [name for name, task in tasks.items() if not task.done()]
        if unfinished:
            raise RuntimeError(f"{', '.join(unfinished)} took more steps than the turns it was given.")
        errors = {name: repr(task.exception()) for name, task in tasks.items() if task.exception()}
        return Interleaving(order, self.steps, self._cached not in (None, self.version), errors)

    async def _settle(self) -> None:
        for _ in range(SETTLE):
            await asyncio.sleep(0)


def race(
    actors: Mapping[str, Actor],
    *,
    turns: Mapping[str, int],
    warm: bool = False,
    cache: Callable[[World], Any] | None = None,
) -> Race:
    """Every interleaving of the actors, each a function of the `World`; `turns` says how many steps each may take.

    `warm` starts with version 1 in the cache. `cache(world)` builds what the actors find as `world.cache`.
    Raises RuntimeError if an actor needs more turns than it was given.
    """

    async def one(order: tuple[str, ...]) -> Interleaving:
        world = World(warm=warm)
        world.cache = cache(world) if cache else None
        return await world.deal(actors, order)

    return Race([run(one, order) for order in _orders(Counter(turns))])


def _orders(left: Counter[str]) -> Iterator[tuple[str, ...]]:
    if not any(left.values()):
        yield ()
    for name in left:
        if left[name]:
            left[name] -= 1
            for rest in _orders(left):
                yield (name, *rest)
            left[name] += 1
