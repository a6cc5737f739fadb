"""Every interleaving of two and three callers on a cache with a flight, one step a call of the store or the loader.

`explore` runs a scene again and again. Whenever several calls wait for their turn, each is let go first in one of the
runs, so all orders are tried, each once, also of steps that only some orders have.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import MISS, Cache, Entry, Flight, MemoryStore, Miss
from cachelab.freshness import Freshness
from cachelab.lab.sim.simulation import run
from tests.support.fakes import tally

FOREVER = float("inf")
Actor = Callable[["Scene"], Awaitable[None]]


class Scene:
    """One key and its versions 1, 2, 3 … at the origin; a cache over a store that is remote, or in this process.

    `floor`    the version that was committed before the last delete that has ended: nobody who asks later gets less
    `wrong`    a sentence for each answer that was too old
    """

    def __init__(self, *, remote: bool, stale: bool, failing: int, slow_replies: bool) -> None:
        self.version, self.floor, self.loads, self.failing = 1, 0, 0, failing
        self.remote, self.slow_replies = remote, slow_replies
        self.asked = 0
        self.wrong: list[str] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.first_reader: asyncio.Task[None] | None = None
        self.entry: Entry[int] | Miss = MISS
        self.memory: MemoryStore[Any] = MemoryStore(10)
        if stale:
            self.entry = Entry(1, FOREVER, fresh_until=0.0)
            self.memory.put(42, self.entry)
        self.cache: Cache[int, int] = Cache(
            self if remote else self.memory,
            self.load,
            ttl=1e9,
            flight=Flight(),
            freshness=Freshness(stale_for=1e9),
        )

    async def turn(self) -> None:
        """Wait to be let go."""
        self.waiting.append(asyncio.get_running_loop().create_future())
        await self.waiting[-1]

    async def load(self, _key: int) -> int:
        """The version at the origin, or an error from the load of that number."""
        self.loads += 1
        number = self.loads
        version = self.version
        await self.turn()
        if number == self.failing:
            raise ConnectionError
        return version

    async def get(self, _key: int) -> Entry[int] | Miss:
        """What the store held when its turn came; the reply has a turn of its own, if replies are slow."""
        await self.turn()
        entry = self.entry
        await self.reply()
        return entry

    async def set(self, _key: int, entry: Entry[int]) -> None:
        await self.turn()
        self.entry = entry
        await self.reply()

    async def delete(self, _key: int) -> None:
        await self.turn()
        self.entry = MISS
        await self.reply()

    async def reply(self) -> None:
        """Wait for another turn, if replies take one."""
        if self.slow_replies:
            await self.turn()

    @property
    def stored(self) -> int | None:
        """The version in the store."""
        entry = self.entry if self.remote else self.memory.find(42)
        return None if entry is MISS else entry.value

    async def play(self, actors: tuple[Actor, ...], choices: list[int]) -> list[int]:
        """Let the calls go in this order, from then on the first that waits; how many were waiting each time."""

        async def begin(actor: Actor) -> None:
            await self.turn()
            await actor(self)

        tasks = [asyncio.ensure_future(begin(actor)) for actor in actors]
        self.first_reader = tasks[0]
        widths: list[int] = []
        while True:
            await asyncio.sleep(1.0)  # in virtual time: until nobody can do any more
            self.waiting = [turn for turn in self.waiting if not turn.done()]
            if not self.waiting:
                break
            choice = choices[len(widths)] if len(widths) < len(choices) else 0
            widths.append(len(self.waiting))
            self.waiting.pop(choice).set_result(None)
        self.check(tasks)
        return widths

    def check(self, tasks: list[asyncio.Task[None]]) -> None:
        """All have ended, nobody got what was too old, the store holds nothing old, and no table holds anything."""
        assert [task.done() for task in tasks] == [True] * len(tasks), "a wake-up was lost"
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        assert self.wrong == []
        assert self.stored in (None, self.version), "a stale fill"
        assert (len(self.cache._flight), len(self.cache._flight._tasks), len(self.cache._fences)) == (0, 0, 0)
        assert sum(tally(self.cache)) == self.asked, "not one record for each get"


async def reader(scene: Scene) -> None:
    """Ask, and look whether the answer is one that may still be given."""
    floor = scene.floor
    scene.asked += 1
    try:
        version = await scene.cache.get(42)
    except ConnectionError:
        return
    if not isinstance(version, int) or version < floor:
        scene.wrong.append(f"{version} to a reader who asked after {floor} was committed and the cache was told")


async def writer(scene: Scene) -> None:
    """Commit a new version, and then tell the cache."""
    scene.version += 1
    version = scene.version
    if not scene.remote:
        await scene.turn()
    await scene.cache.delete(42)
    scene.floor = max(scene.floor, version)


async def canceller(scene: Scene) -> None:
    """Cancel the first reader, wherever he is."""
    assert scene.first_reader is not None
    scene.first_reader.cancel()


def explore(*actors: Actor, remote: bool, stale: bool = False, failing: int = 0, slow_replies: bool = False) -> int:
    """Play every interleaving; how many there are. `stale`: version 1 is in the store; `failing`: which load fails."""

    async def play(choices: list[int]) -> list[int]:
        scene = Scene(remote=remote, stale=stale, failing=failing, slow_replies=slow_replies)
        return await scene.play(actors, choices)

    runs, choices = 0, list[int]()
    while True:
        widths = run(play, choices)
        runs += 1
        choices += [0] * (len(widths) - len(choices))
        while choices and choices[-1] + 1 == widths[len(choices) - 1]:
            choices.pop()
        if not choices:
            return runs
        choices[-1] += 1


WHERE = pytest.mark.parametrize("remote", [False, True], ids=["here", "remote"])
WHAT = pytest.mark.parametrize("stale", [False, True], ids=["cold", "stale"])
FAILING = pytest.mark.parametrize("failing", [0, 1, 2], ids=["no load fails", "the first fails", "the second fails"])


@WHERE
@WHAT
@FAILING
@pytest.mark.parametrize("second", [reader, writer], ids=["reader", "writer"])
def test_no_order_of_two_goes_wrong(remote: bool, stale: bool, failing: int, second: Actor) -> None:
    """A reader and another, or a writer: no stale fill, no lost wake-up, nothing left in the tables."""
    assert explore(reader, second, remote=remote, stale=stale, failing=failing) > 1


THREE: dict[str, tuple[Actor, ...]] = {
    "three readers": (reader, reader, reader),
    "a writer": (reader, reader, writer),
    "two writers": (reader, writer, writer),
    "a caller who is cancelled": (reader, reader, canceller),
    "a caller who is cancelled and a writer": (reader, writer, canceller),
}


@WHERE
@WHAT
@FAILING
@pytest.mark.parametrize("actors", THREE.values(), ids=THREE)
def test_no_order_of_three_goes_wrong(remote: bool, stale: bool, failing: int, actors: tuple[Actor, ...]) -> None:
    """The same with three; on a remote store a delete can overtake a fill."""
    assert explore(*actors, remote=remote, stale=stale, failing=failing) > 5


SLOW = ["two writers", "a caller who is cancelled", "a caller who is cancelled and a writer"]


@pytest.mark.long
@WHAT
@FAILING
@pytest.mark.parametrize("name", SLOW)
def test_no_order_of_three_goes_wrong_with_slow_replies(name: str, stale: bool, failing: int) -> None:
    """The same with a step between what happens in the remote store and its reply: up to some ten thousand orders."""
    assert explore(*THREE[name], remote=True, stale=stale, failing=failing, slow_replies=True) > 30


@WHAT
@FAILING
def test_no_order_of_two_goes_wrong_with_slow_replies(stale: bool, failing: int) -> None:
    """The same with one reader and one writer."""
    assert explore(reader, writer, remote=True, stale=stale, failing=failing, slow_replies=True) > 30


@WHERE
def test_without_the_fence_some_orders_go_wrong(remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail."""
    monkeypatch.setattr("cachelab.level.Fences.break_all", lambda self, key: None)
    with pytest.raises(AssertionError, match="a stale fill"):
        explore(reader, writer, remote=remote)


@WHERE
def test_if_a_delete_forgot_no_flight_some_orders_go_wrong(remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who asked after the delete would join the load from before it."""
    monkeypatch.setattr("cachelab.flight.Flight.forget", lambda self, key: None)
    with pytest.raises(AssertionError, match="to a reader who asked after"):
        explore(reader, reader, writer, remote=remote)


def test_every_order_is_tried_once() -> None:
    """Three writers of two turns each, here: 6! / (2!·2!·2!) orders."""
    assert explore(writer, writer, writer, remote=False) == 90
