"""Every interleaving of two or three callers on a cache with a flight. A step is a call of the store or the loader.

`explore` plays an interleaving again and again. Whenever several calls wait for their turn, each of them goes first in
some of the runs. So all orders are tried, each once, even those of steps that only some orders have.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import MISS, Cache, Entry, Flight, MemoryStore, Miss
from cachelab.freshness import Freshness
from cachelab.lab.sim.simulation import run
from tests.support.fakes import left_behind, tally

FOREVER = float("inf")
Actor = Callable[["Interleaving"], Awaitable[None]]


class Interleaving:
    """One run: a key with the versions 1, 2, 3 … at the origin, and a cache over a store here or in another process.

    `remote`        whether the store is in another process; then this object is that store
    `stale`         whether version 1 is in the store at the beginning, as a stale entry
    `failing`       the number of the load that fails; 0 for none
    `slow_replies`  whether a reply of the remote store is a step of its own

    `floor`         the version that was committed before the last delete that has ended: later readers get no older one
    `gets`          how many calls of `get` have begun
    `wrong`         a sentence for each answer that was too old
    """

    def __init__(self, *, remote: bool, stale: bool, failing: int, slow_replies: bool) -> None:
        self.version, self.floor, self.loads, self.failing = 1, 0, 0, failing
        self.remote, self.slow_replies = remote, slow_replies
        self.gets = 0
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
        """Wait for this call's turn."""
        self.waiting.append(asyncio.get_running_loop().create_future())
        await self.waiting[-1]

    async def load(self, _key: int) -> int:
        """The version at the origin; the load with the number `failing` raises instead."""
        self.loads += 1
        number = self.loads
        version = self.version
        await self.turn()
        if number == self.failing:
            raise ConnectionError
        return version

    async def get(self, _key: int) -> Entry[int] | Miss:
        """What the store holds when the turn comes. If replies are slow, the reply waits for another turn."""
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
        """Wait for another turn if replies are slow."""
        if self.slow_replies:
            await self.turn()

    @property
    def stored(self) -> int | None:
        """The version in the store."""
        entry = self.entry if self.remote else self.memory.find(42)
        return None if entry is MISS else entry.value

    async def play(self, actors: tuple[Actor, ...], choices: list[int]) -> list[int]:
        """Give the turns in the order of `choices`, then always to the first that waits: how many waited each time."""

        async def begin(actor: Actor) -> None:
            await self.turn()
            await actor(self)

        tasks = [asyncio.ensure_future(begin(actor)) for actor in actors]
        self.first_reader = tasks[0]
        widths: list[int] = []
        while True:
            await asyncio.sleep(1.0)  # in virtual time: until no call can go on without a turn
            self.waiting = [turn for turn in self.waiting if not turn.done()]
            if not self.waiting:
                break
            choice = choices[len(widths)] if len(widths) < len(choices) else 0
            widths.append(len(self.waiting))
            self.waiting.pop(choice).set_result(None)
        self.check(tasks)
        return widths

    def check(self, tasks: list[asyncio.Task[None]]) -> None:
        """All calls have ended, no answer was too old, the store holds no old version, and all tables are empty."""
        assert [task.done() for task in tasks] == [True] * len(tasks), "a wake-up was lost"
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        assert self.wrong == []
        assert self.stored in (None, self.version), "a stale fill"
        assert left_behind(self.cache) == 0
        assert sum(tally(self.cache)) == self.gets, "the outcomes are not as many as the gets"


async def reader(interleaving: Interleaving) -> None:
    """Get the key, and note an answer that is too old."""
    floor = interleaving.floor
    interleaving.gets += 1
    try:
        version = await interleaving.cache.get(42)
    except ConnectionError:
        return
    if not isinstance(version, int) or version < floor:
        interleaving.wrong.append(f"{version} for a reader that began after the delete for {floor}")


async def writer(interleaving: Interleaving) -> None:
    """Commit a new version, and then delete the key from the cache."""
    interleaving.version += 1
    version = interleaving.version
    if not interleaving.remote:
        await interleaving.turn()
    await interleaving.cache.delete(42)
    interleaving.floor = max(interleaving.floor, version)


async def canceller(interleaving: Interleaving) -> None:
    """Cancel the first reader, wherever it is."""
    assert interleaving.first_reader is not None
    interleaving.first_reader.cancel()


def explore(*actors: Actor, remote: bool, stale: bool = False, failing: int = 0, slow_replies: bool = False) -> int:
    """Play every interleaving of these actors, check each, and return how many there are."""

    async def play(choices: list[int]) -> list[int]:
        interleaving = Interleaving(remote=remote, stale=stale, failing=failing, slow_replies=slow_replies)
        return await interleaving.play(actors, choices)

    count, choices = 0, list[int]()
    while True:
        widths = run(play, choices)
        count += 1
        choices += [0] * (len(widths) - len(choices))
        while choices and choices[-1] + 1 == widths[len(choices) - 1]:
            choices.pop()
        if not choices:
            return count
        choices[-1] += 1


WHERE = pytest.mark.parametrize("remote", [False, True], ids=["here", "remote"])
WHAT = pytest.mark.parametrize("stale", [False, True], ids=["cold", "stale"])
FAILING = pytest.mark.parametrize("failing", [0, 1, 2], ids=["no load fails", "the first fails", "the second fails"])


@WHERE
@WHAT
@FAILING
@pytest.mark.parametrize("second", [reader, writer], ids=["reader", "writer"])
def test_no_order_of_two_goes_wrong(remote: bool, stale: bool, failing: int, second: Actor) -> None:
    """A reader with another reader or a writer: no stale fill, no lost wake-up, nothing left in the tables."""
    assert explore(reader, second, remote=remote, stale=stale, failing=failing) > 1


THREE: dict[str, tuple[Actor, ...]] = {
    "three readers": (reader, reader, reader),
    "a writer": (reader, reader, writer),
    "two writers": (reader, writer, writer),
    "a cancellation": (reader, reader, canceller),
    "a cancellation and a writer": (reader, writer, canceller),
}


@WHERE
@WHAT
@FAILING
@pytest.mark.parametrize("actors", THREE.values(), ids=THREE)
def test_no_order_of_three_goes_wrong(remote: bool, stale: bool, failing: int, actors: tuple[Actor, ...]) -> None:
    """The same with three actors. On a remote store a delete can overtake a fill."""
    assert explore(*actors, remote=remote, stale=stale, failing=failing) > 5


SLOW = ["two writers", "a cancellation", "a cancellation and a writer"]


@pytest.mark.long
@WHAT
@FAILING
@pytest.mark.parametrize("name", SLOW)
def test_no_order_of_three_goes_wrong_with_slow_replies(name: str, stale: bool, failing: int) -> None:
    """The same with another step before each reply of the remote store: some ten thousand orders at most."""
    assert explore(*THREE[name], remote=True, stale=stale, failing=failing, slow_replies=True) > 30


@WHAT
@FAILING
def test_no_order_of_two_goes_wrong_with_slow_replies(stale: bool, failing: int) -> None:
    """The same with one reader and one writer."""
    assert explore(reader, writer, remote=True, stale=stale, failing=failing, slow_replies=True) > 30


@WHERE
def test_without_the_fence_some_orders_go_wrong(remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """This shows that the tests above can fail."""
    monkeypatch.setattr("cachelab.level.Level.break_fences", lambda self, key: None)
    with pytest.raises(AssertionError, match="a stale fill"):
        explore(reader, writer, remote=remote)


@WHERE
def test_if_a_delete_did_not_forget_the_flight_some_orders_would_go_wrong(
    remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that began after the delete would join the load from before it."""
    monkeypatch.setattr("cachelab.flight.Flight.forget", lambda self, key: None)
    with pytest.raises(AssertionError, match="for a reader that began after"):
        explore(reader, reader, writer, remote=remote)


def test_every_order_is_tried_once() -> None:
    """Three writers of two turns each, on a store in this process, have 6! / (2!·2!·2!) orders."""
    assert explore(writer, writer, writer, remote=False) == 90
