"""The race enumerator: the shares that the literature gives, and the real cache in the same orders."""

import asyncio

import pytest

from cachelab import Cache, Flight
from cachelab.lab.sim.races import Race, World, race


async def reader(w: World) -> None:
    """Cache-aside by hand: look, load, fill."""
    version = await w.look()
    if version is None:
        await w.fill(await w.load())


async def write_then_set(w: World) -> None:
    await w.fill(await w.write())


async def write_then_delete(w: World) -> None:
    await w.write()
    await w.delete()


async def delete_then_write(w: World) -> None:
    await w.delete()
    await w.write()


async def double_delete(w: World) -> None:
    await w.delete()
    await w.write()
    await w.delete()


async def cached_reader(w: World) -> None:
    await w.cache.get(42)


async def cached_writer(w: World) -> None:
    await w.write()
    await w.cache.delete(42)


def one_cache(w: World) -> Cache[int, int]:
    return Cache(w, load=w.load, ttl=60.0)


def test_a_load_in_a_flight_takes_its_turns_for_the_first_actor_that_asked() -> None:
    """So each step of a cache with a flight has the name of an actor."""

    def cache_with_flight(w: World) -> Cache[int, int]:
        return Cache(w, load=w.load, ttl=60.0, flight=Flight())

    found = race({"reader": cached_reader}, turns={"reader": 3}, cache=cache_with_flight)
    assert {step.actor for interleaving in found.interleavings for step in interleaving.steps} == {"reader"}


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    ("writer", "steps", "expected"),
    [
        (write_then_set, 2, {False: (1, 10), True: (0, 10)}),
        (write_then_delete, 2, {False: (1, 10), True: (0, 10)}),
        (delete_then_write, 2, {False: (6, 10), True: (2, 10)}),
        (double_delete, 3, {False: (3, 20), True: (1, 20)}),
    ],
    ids=["set", "delete", "delete-first", "double-delete"],
)
def test_the_shares_of_one_reader_and_one_writer(
    writer: object, steps: int, expected: dict[bool, tuple[int, int]], warm: bool
) -> None:
    """The numbers of stale ends and of orders are those counted by hand."""
    result = race({"reader": reader, "writer": writer}, turns={"reader": 3, "writer": steps}, warm=warm)  # type: ignore[dict-item]
    assert (len(result.stale), len(result.interleavings)) == expected[warm]


def test_two_writers_that_set_end_stale_in_a_third_of_the_orders() -> None:
    """The last writer to commit need not be the last one to fill."""
    actors = {"reader": reader, "A": write_then_set, "B": write_then_set}
    result = race(actors, turns={"reader": 3, "A": 2, "B": 2})
    assert len(result.stale) / len(result.interleavings) == pytest.approx(1 / 3, abs=0.02)


def fenced(readers: int, writers: int, *, warm: bool) -> Race:
    """All orders of readers and writers that use the real cache."""
    actors = {f"reader {n}": cached_reader for n in range(readers)} | {
        f"writer {n}": cached_writer for n in range(writers)
    }
    turns = {name: 4 if name.startswith("reader") else 2 for name in actors}
    return race(actors, turns=turns, warm=warm, cache=one_cache)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(("readers", "writers"), [(1, 1), (1, 2), pytest.param(2, 1, marks=pytest.mark.long)])
def test_behind_the_fence_no_order_ends_stale(readers: int, writers: int, warm: bool) -> None:
    """With two or three actors on the real Cache, no interleaving ends stale."""
    assert fenced(readers, writers, warm=warm).stale == []


def test_without_the_fence_some_orders_end_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with fences that never break, some of the same orders end stale."""
    monkeypatch.setattr("cachelab.level.Level.break_fences", lambda self, key: None)
    assert fenced(1, 1, warm=False).stale


def test_an_interleaving_has_a_record_of_each_step() -> None:
    """Each step has its actor, what the actor did, and what the cache and the origin held after it."""
    bad = race({"reader": reader, "writer": write_then_delete}, turns={"reader": 3, "writer": 2}).stale[0]
    assert [(step.actor, step.did, step.cached, step.origin) for step in bad.steps] == [
        ("reader", "looks: nothing", None, 1),
        ("reader", "loads 1", None, 1),
        ("writer", "writes 2", None, 2),
        ("writer", "deletes", None, 2),
        ("reader", "fills 1", 1, 2),
    ]
    assert [step.began for step in bad.steps] == [1, 2, 1, 4, 3]


def test_every_order_is_tried_once() -> None:
    """Two turns each of two actors can be given in six orders."""
    result = race({"a": write_then_delete, "b": write_then_delete}, turns={"a": 2, "b": 2})
    assert len({interleaving.order for interleaving in result.interleavings}) == len(result.interleavings) == 6


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize(
    "writer",
    [write_then_set, write_then_delete, delete_then_write, pytest.param(double_delete, marks=pytest.mark.long)],
)
def test_without_turns_each_possible_order_of_the_steps_is_tried_once(writer: object, warm: bool) -> None:
    """They are those of the orders of turns, without the ones in which an actor passes."""
    actors = {"reader": reader, "writer": writer, "B": write_then_delete}
    possible = race(actors, warm=warm).interleavings  # type: ignore[arg-type]
    turns = {"reader": 3, "writer": 3, "B": 2}
    with_turns = race(actors, turns=turns, warm=warm).interleavings  # type: ignore[arg-type]
    assert len({one.order for one in possible}) == len(possible)
    assert [one.order for one in possible] == [tuple(step.actor for step in one.steps) for one in possible]
    assert {one.order for one in possible} == {tuple(step.actor for step in one.steps) for one in with_turns}


def test_without_turns_an_actor_that_waits_for_another_has_no_step() -> None:
    """Two readers that share a load take its steps in the name of the one that asked first."""

    def cache_with_flight(w: World) -> Cache[int, int]:
        return Cache(w, load=w.load, ttl=60.0, flight=Flight())

    found = race({"reader 1": cached_reader, "reader 2": cached_reader}, cache=cache_with_flight)
    assert found.stale == []
    assert all(sum(step.did == "loads 1" for step in one.steps) == 1 for one in found.interleavings)


def test_without_turns_an_actor_without_an_end_is_refused() -> None:
    """The error names it, and says what to do."""

    async def for_ever(w: World) -> None:
        while True:
            await w.write()

    with pytest.raises(RuntimeError, match=r"writer: more than 30 steps\. Say how many turns"):
        race({"writer": for_ever})


def test_without_turns_an_actor_that_waits_for_nothing_is_refused() -> None:
    """The error names the actor."""

    async def waits(w: World) -> None:
        await w.look()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="reader waits for something that never happens"):
        race({"reader": waits})


def test_a_race_as_a_text_says_how_many_orders_end_stale() -> None:
    """And of how many."""
    assert str(race({"reader": reader, "writer": write_then_delete})) == "1 of 10"


async def delete_again(w: World) -> None:
    await write_then_delete(w)
    await w.pause()
    await w.delete()


@pytest.mark.long
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_delete_after_the_pause_comes_after_every_late_fill(warm: bool) -> None:
    """So no order ends stale. Without the pause some do."""
    actors = {"reader": reader, "A": delete_again, "B": delete_again}
    assert race(actors, warm=warm).stale == []
    assert race({"reader": reader, "A": double_delete}, warm=warm).stale


def test_a_pause_waits_for_no_fill_that_never_comes() -> None:
    """An actor that loads and ends without a fill has nothing on its way."""

    async def loads(w: World) -> None:
        await w.load()

    async def pauses(w: World) -> None:
        await w.pause()
        await w.delete()

    orders = [one.order for one in race({"loader": loads, "writer": pauses}).interleavings]
    assert orders == [("loader", "writer"), ("writer", "loader")]


def test_an_actor_that_needs_more_turns_is_refused() -> None:
    """The error names the actor."""
    with pytest.raises(RuntimeError, match="reader took more steps"):
        race({"reader": reader}, turns={"reader": 2})
