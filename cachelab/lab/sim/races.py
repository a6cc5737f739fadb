"""The race enumerator: every interleaving of a few small actors over one key, one step an operation.

Problem: a race that needs two events in one wrong order happens once in a million requests, and never in a test.
Idea: let each actor wait before each operation until it is its turn, and give the turns in every possible order: run
    one order, note where another actor could have had the turn, and run these orders, too.
Guarantee: every possible order of the actors' steps is tried exactly once. With a fixed number of turns, it is every
    order of the turns; an actor that has ended, or that waits for another, then passes its turn, so several orders can
    give the same steps. The same actors give the same interleavings in the same order.
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
MOST_STEPS = 30
"""How many steps an interleaving has at most if nobody says how many turns there are."""
LOOP_TURNS = 25  # turns of the event loop after each step: enough for a value to pass through a few awaits
_actor: ContextVar[str] = carry(ContextVar("_actor", default=""))


@dataclass(frozen=True)
class Step:
    """One operation: which actor did what, and the versions in the cache (or None) and at the origin after it.

    `began` is the number of the step, from 1, that came next when the actor asked for this one. Since then it was under
    way.
    """

    actor: str
    did: str
    cached: int | None
    origin: int
    began: int


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
    """All interleavings of the same actors. As a text it says how many of them end stale: "1 of 10"."""

    interleavings: list[Interleaving]

    def __str__(self) -> str:
        return f"{len(self.stale)} of {len(self.interleavings)}"

    @property
    def stale(self) -> list[Interleaving]:
        """The interleavings after which the cache holds an old version."""
        return [interleaving for interleaving in self.interleavings if interleaving.stale]


class World:
    """One key with its versions 1, 2, 3 … at the origin, and a cache. Each `await` of a method is one step.

    Strategies written by hand use the methods `look`, `load`, `fill`, `write`, `delete` and `pause`. For a real cache
    the world is the store, with `get`, `set` and `delete`, and the origin: `Cache(world, load=world.load, ttl=60)`. The
    actors then call that cache, which they find as `world.cache`.
    """

    def __init__(self, *, warm: bool) -> None:
        self.version = 1
        self.entry: Entry[Any] | Miss = Entry(1, float("inf")) if warm else MISS
        self.steps: list[Step] = []
        self.cache: Any = None
        self._turns = _Turns()
        self._loaded: dict[str, asyncio.Future[None]] = {}  # by actor, until it has filled what it loaded, or ends

    async def look(self) -> int | None:
        """The version in the cache, or None."""
        began = await self._turn()
        self._record_step(f"looks: {self._cached or 'nothing'}", began)
        return self._cached

    async def load(self, _key: object = None) -> int:
        """The version at the origin."""
        began = await self._turn()
        self._record_step(f"loads {self.version}", began)
        self._fill_ended(_actor.get())
        self._loaded[_actor.get()] = asyncio.get_running_loop().create_future()
        return self.version

    async def fill(self, version: int) -> None:
        """Put this version into the cache."""
        began = await self._turn()
        self._keep(version, began)

    def fill_now(self, version: int) -> None:
        """Put this version into the cache within the step before, as a store does that compares and sets at once."""
        self._keep(version, len(self.steps) + 1)

    async def write(self) -> int:
        """Commit a new version at the origin and return it."""
        began = await self._turn()
        self.version += 1
        self._record_step(f"writes {self.version}", began)
        return self.version

    async def pause(self) -> None:
        """A pause that is long enough: when it ends, what was loaded before it has been filled. It is no step."""
        if self._loaded:
            await asyncio.wait(list(self._loaded.values()))

    async def get(self, _key: object) -> Entry[Any] | Miss:
        """The store's `get`: the entry or MISS."""
        began = await self._turn()
        self._record_step(f"looks: {self._cached or 'nothing'}", began)
        return self.entry

    async def set(self, _key: object, entry: Entry[Any]) -> None:
        """The store's `set`."""
        began = await self._turn()
        self.entry = entry
        self._record_step(f"fills {entry.value}", began)
        self._fill_ended(_actor.get())

    async def delete(self, _key: object = None) -> None:
        """Empty the cache; also the store's `delete`."""
        began = await self._turn()
        self.entry = MISS
        self._record_step("deletes", began)

    @property
    def _cached(self) -> int | None:
        return None if self.entry is MISS else self.entry.value

    async def _turn(self) -> int:
        """Wait for a turn. Return the number of the step that came next when the waiting began."""
        began = len(self.steps) + 1
        await self._turns.wait()
        return began

    def _keep(self, version: int, began: int) -> None:
        self.entry = Entry(version, float("inf"))
        self._record_step(f"fills {version}", began)
        self._fill_ended(_actor.get())

    def _fill_ended(self, actor: str) -> None:
        """This actor has nothing more to fill. Whoever pauses for it may go on."""
        fill = self._loaded.pop(actor, None)
        if fill is not None:
            fill.set_result(None)

    def _record_step(self, did: str, began: int) -> None:
        self.steps.append(Step(_actor.get(), did, self._cached, self.version, began))


class _Turns:
    """Lets the actors of a world act one at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def wait(self) -> None:
        """Wait until the calling actor is given a turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[_actor.get()] = turn
        await turn

    def waiting(self) -> list[str]:
        """The actors that wait for a turn."""
        return list(self._waiting)

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
    tasks = await _begin(world, actors)
    for name in order:
        await world._turns.give(name)
    unfinished = [name for name, task in tasks.items() if not task.done()]
    if unfinished:
        raise RuntimeError(f"{', '.join(unfinished)} took more steps than the turns it was given.")
    return _result(world, order, tasks)


async def _run_from(
    world: World, actors: Mapping[str, Actor], prefix: tuple[str, ...]
) -> tuple[Interleaving, list[tuple[str, ...]]]:
    """Run the actors with their first turns as in `prefix`. From then on the first actor that waits takes its turn.

    Return also how the other orders begin that this one leaves for later.
    """
    tasks, order, others = await _begin(world, actors), list[str](), list[tuple[str, ...]]()
    while waiting := [name for name in actors if name in world._turns.waiting()]:
        if len(order) == MOST_STEPS:
            raise RuntimeError(f"{', '.join(waiting)}: more than {MOST_STEPS} steps. Say how many turns each may have.")
        if len(order) < len(prefix):
            name = prefix[len(order)]
        else:
            name, *later = waiting
            others += [(*order, other) for other in reversed(later)]
        order.append(name)
        await world._turns.give(name)
    unfinished = [name for name, task in tasks.items() if not task.done()]
    if unfinished:
        raise RuntimeError(f"{', '.join(unfinished)} waits for something that never happens.")
    return _result(world, tuple(order), tasks), others


async def _begin(world: World, actors: Mapping[str, Actor]) -> dict[str, asyncio.Future[Any]]:
    """Start all actors, and let each come to its first step."""
    tasks: dict[str, asyncio.Future[Any]] = {}
    for name, actor in actors.items():
        _actor.set(name)
        tasks[name] = asyncio.ensure_future(actor(world))
        tasks[name].add_done_callback(lambda _, name=name: world._fill_ended(name))  # type: ignore[misc]
    await world._turns.settle()
    return tasks


def _result(world: World, order: tuple[str, ...], tasks: Mapping[str, asyncio.Future[Any]]) -> Interleaving:
    errors = {name: repr(task.exception()) for name, task in tasks.items() if task.exception()}
    return Interleaving(order, world.steps, world._cached not in (None, world.version), errors)


def race(
    actors: Mapping[str, Actor],
    *,
    turns: Mapping[str, int] | None = None,
    warm: bool = False,
    cache: Callable[[World], Any] | None = None,
) -> Race:
    """Every interleaving of the actors. Each actor is a function of the `World`.

    `turns` is how many turns each has; every order of these is tried, and an actor that needs fewer passes. Without it,
    every possible order of the steps is tried. With `warm` the cache holds version 1 at the start. `cache(world)`
    builds what the actors find as `world.cache`. Raises RuntimeError if an actor does not come to its end.
    """

    def new_world() -> World:
        world = World(warm=warm)
        world.cache = cache(world) if cache else None
        return world

    async def in_order(order: tuple[str, ...]) -> Interleaving:
        return await run_in_order(new_world(), actors, order)

    async def from_prefix(prefix: tuple[str, ...]) -> tuple[Interleaving, list[tuple[str, ...]]]:
        return await _run_from(new_world(), actors, prefix)

    if turns is not None:
        return Race([run(in_order, order) for order in _orders(Counter(turns))])
    interleavings = list[Interleaving]()
    prefixes: list[tuple[str, ...]] = [()]
    while prefixes:
        interleaving, others = run(from_prefix, prefixes.pop())
        interleavings.append(interleaving)
        prefixes += others
    return Race(interleavings)


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
