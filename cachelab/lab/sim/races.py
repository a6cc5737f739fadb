"""The race enumerator: every interleaving of a few small actors over one key, one step an operation.

Problem: a race that needs two events in one wrong order happens once in a million requests, and never in a test.
Idea: let each actor wait before each operation until it is its turn, and give the turns in every possible order.
Guarantee: every order of the actors' turns is tried exactly once. An actor that has ended, or that waits for another,
    passes its turn, so several orders can give the same steps: on a warm cache a reader ends early. The same actors
    give the same interleavings in the same order.
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
from typing import Any, TypeAlias

from cachelab.entry import MISS, Entry, Miss
from cachelab.flight import carry
from cachelab.lab.sim.simulation import run

__all__ = ["Interleaving", "Race", "Step", "World", "race", "run_in_order"]

Actor: TypeAlias = Callable[["World"], Awaitable[object]]
LOOP_TURNS = 25  # turns of the event loop after each step: enough for a value to pass through a few awaits
_actor: ContextVar[str] = carry(ContextVar("_actor", default=""))


@dataclass(frozen=True)
class Step:
    """One operation: which actor did what, and the versions in the cache (or None) and at the origin after it."""

    actor: str
    did: str
    cached: int | None
    origin: int


@dataclass
class Interleaving:
    """One order of the turns, and what came of it. It is `stale` if the cache ends with an old version.

    `errors` has the error of each actor that raised one, as a text.
    """

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
        return [interleaving for interleaving in self.interleavings if interleaving.stale]

    @property
    def share(self) -> float:
        """The share of the interleavings that end stale, 0 to 1."""
        return len(self.stale) / len(self.interleavings)


class World:
    """One key with its versions 1, 2, 3 … at the origin, and a cache. Each `await` of a method is one step.

    Strategies written by hand use the methods `look`, `load`, `fill`, `write` and `delete`. For a real cache the world
    is the store, with `get`, `set` and `delete`, and the origin: `Cache(world, load=world.load, ttl=60)`. The actors
    then call that cache, which they find as `world.cache`.
    """

    def __init__(self, *, warm: bool) -> None:
        self.version = 1
        self.entry: Entry[Any] | Miss = Entry(1, float("inf")) if warm else MISS
        self.steps: list[Step] = []
        self.cache: Any = None
        self._turns = _Turns()

    async def look(self) -> int | None:
        """The version in the cache, or None."""
        await self._turns.wait()
        self._record_step(f"looks: {self._cached or 'nothing'}")
        return self._cached

    async def load(self, _key: object = None) -> int:
        """The version at the origin."""
        await self._turns.wait()
        self._record_step(f"loads {self.version}")
        return self.version

    async def fill(self, version: int) -> None:
        """Put this version into the cache."""
        await self._turns.wait()
        self.fill_now(version)

    def fill_now(self, version: int) -> None:
        """Put this version into the cache within the step before, as a store does that compares and sets at once."""
        self.entry = Entry(version, float("inf"))
        self._record_step(f"fills {version}")

    async def write(self) -> int:
        """Commit a new version at the origin and return it."""
        await self._turns.wait()
        self.version += 1
        self._record_step(f"writes {self.version}")
        return self.version

    async def get(self, _key: object) -> Entry[Any] | Miss:
        """The store's `get`: the entry or MISS."""
        await self._turns.wait()
        self._record_step(f"looks: {self._cached or 'nothing'}")
        return self.entry

    async def set(self, _key: object, entry: Entry[Any]) -> None:
        """The store's `set`."""
        await self._turns.wait()
        self.entry = entry
        self._record_step(f"fills {entry.value}")

    async def delete(self, _key: object = None) -> None:
        """Empty the cache; also the store's `delete`."""
        await self._turns.wait()
        self.entry = MISS
        self._record_step("deletes")

    @property
    def _cached(self) -> int | None:
        return None if self.entry is MISS else self.entry.value

    def _record_step(self, did: str) -> None:
        self.steps.append(Step(_actor.get(), did, self._cached, self.version))


class _Turns:
    """Lets the actors of a world act one at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def wait(self) -> None:
        """Wait until the calling actor is given a turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[_actor.get()] = turn
        await turn

    async def give(self, actor: str) -> None:
        """Let this actor take one step. If it does not wait for a turn, it passes."""
        turn = self._waiting.pop(actor, None)
        if turn is not None and not turn.done():
            turn.set_result(None)
            await self.settle()

    async def settle(self) -> None:
        """Let every actor run until it waits for its turn, for another actor, or has ended."""
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)


async def run_in_order(world: World, actors: Mapping[str, Actor], order: tuple[str, ...]) -> Interleaving:
    """Run the actors on this world, with their turns in this order.

    Raises RuntimeError if an actor needs more turns than it has in the order.
    """
    tasks: dict[str, asyncio.Future[Any]] = {}
    for name, actor in actors.items():
        _actor.set(name)
        tasks[name] = asyncio.ensure_future(actor(world))
    await world._turns.settle()
    for name in order:
        await world._turns.give(name)
    unfinished = [name for name, task in tasks.items() if not task.done()]
    if unfinished:
        raise RuntimeError(f"{', '.join(unfinished)} took more steps than the turns it was given.")
    errors = {name: repr(task.exception()) for name, task in tasks.items() if task.exception()}
    return Interleaving(order, world.steps, world._cached not in (None, world.version), errors)


def race(
    actors: Mapping[str, Actor],
    *,
    turns: Mapping[str, int],
    warm: bool = False,
    cache: Callable[[World], Any] | None = None,
) -> Race:
    """Every interleaving of the actors. Each actor is a function of the `World`; `turns` is how many steps it may take.

    With `warm` the cache holds version 1 at the start. `cache(world)` builds what the actors find as `world.cache`.
    Raises RuntimeError if an actor needs more turns than it was given.
    """

    async def interleaving(order: tuple[str, ...]) -> Interleaving:
        world = World(warm=warm)
        world.cache = cache(world) if cache else None
        return await run_in_order(world, actors, order)

    return Race([run(interleaving, order) for order in _orders(Counter(turns))])


def _orders(turns: Counter[str]) -> Iterator[tuple[str, ...]]:
    """Every order in which these turns can be given."""
    if not any(turns.values()):
        yield ()
    for name in turns:
        if turns[name]:
            turns[name] -= 1
            for rest in _orders(turns):
                yield (name, *rest)
            turns[name] += 1
