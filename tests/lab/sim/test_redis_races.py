"""The race enumerator over one Redis: which orders it tries, what it says of each, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import Cache, Flight, LeasedStore, RedisStore
from cachelab.lab.sim.races import Race
from cachelab.lab.sim.redis_races import RedisWorld, redis_race


def cache_over(store: type[RedisStore[Any]], **options: Any) -> Callable[[Any, Any], Cache[Any, Any]]:
    """How to build the cache of a node over such a store."""

    def build(client: Any, load: Any) -> Cache[Any, Any]:
        made: Any = store
        return Cache(made(client, int, namespace="race", version=1, **options), load, ttl=1_000.0, flight=Flight())

    return build


def reader(node: str) -> Callable[[RedisWorld], Awaitable[object]]:
    """An actor that reads the key on a node."""
    return lambda world: world.nodes[node].get(1)


async def writer(world: RedisWorld) -> None:
    """An actor that writes, and deletes the key on a node of its own."""
    await world.write()
    await world.nodes["C"].delete(1)


def words(race: Race, number: int = 0) -> list[str]:
    """The steps of one order, in words."""
    return [f"{step.actor} {step.did}" for step in race.interleavings[number].steps]


def test_one_reader_has_one_order() -> None:
    """Its steps tell what it has sent and what Redis then holds, with a lease and without one."""
    plain = redis_race({"A": reader("A")}, nodes={"A": cache_over(RedisStore)})
    assert words(plain) == ["A looks: nothing", "A loads 1", "A fills 1"]
    leased = redis_race({"A": reader("A")}, nodes={"A": cache_over(LeasedStore)})
    assert words(leased) == ["A looks: nothing", "A claims", "A loads 1", "A fills 1"]
    (interleaving,) = leased.interleavings
    assert [(step.cached, step.origin) for step in interleaving.steps] == [(None, 1), (None, 1), (None, 1), (1, 1)]
    assert (interleaving.order, interleaving.stale, interleaving.errors) == (("A",) * 4, False, {})


def test_each_order_is_tried_once() -> None:
    """A reader of three steps and a writer of two: ten orders, four of which end with the old value."""
    race = redis_race({"A": reader("A"), "W": writer}, nodes=dict.fromkeys("AC", cache_over(RedisStore)))
    orders = [interleaving.order for interleaving in race.interleavings]
    assert (len(orders), len(set(orders)), len(race.stale)) == (10, 10, 1)
    assert words(race, race.interleavings.index(race.stale[0])) == [
        "A looks: nothing",
        "A loads 1",
        "writer writes 2",
        "C deletes",
        "A fills 1",
    ]


def test_a_refused_fill_is_named() -> None:
    """The same with leases: the old value stays in no order."""
    race = redis_race({"A": reader("A"), "W": writer}, nodes=dict.fromkeys("AC", cache_over(LeasedStore)))
    assert (len(race.stale), len(race.interleavings)) == (0, 15)
    refused = [number for number in range(15) if "A is refused" in words(race, number)]
    assert len(refused) == 7  # the delete came between claim and fill
    assert words(race, refused[-1])[-2:] == ["C deletes", "A is refused"]


def test_a_sample_is_drawn_by_its_seed() -> None:
    """The same seed draws the same orders."""
    nodes = dict.fromkeys("ABC", cache_over(LeasedStore))
    actors = {"A": reader("A"), "B": reader("B"), "W": writer}
    one, same, other = (redis_race(actors, nodes=nodes, sample=12, seed=seed) for seed in (1, 1, 2))
    assert [interleaving.order for interleaving in one.interleavings] == [
        interleaving.order for interleaving in same.interleavings
    ]
    assert one.interleavings[0].order != other.interleavings[0].order


def test_time_may_pass_at_any_moment() -> None:
    """So a lease runs out before, during and after the load. Each way the entry is kept."""

    async def wait(world: RedisWorld) -> None:
        await world.sleep(1.5)

    race = redis_race({"A": reader("A"), "time": wait}, nodes={"A": cache_over(LeasedStore, lease_s=1.0)})
    assert [interleaving.order.index("time") for interleaving in race.interleavings] == [0, 1, 2, 3, 4]
    assert words(race)[0] == "time 1.5 s pass"
    assert {interleaving.steps[-1].cached for interleaving in race.interleavings} == {1}


def test_an_error_of_an_actor_is_kept() -> None:
    """Under its name, and the order is played to its end."""

    async def fail(world: RedisWorld) -> None:
        await world.write("X")
        raise ValueError("no")

    race = redis_race({"X": fail, "A": reader("A")}, nodes={"A": cache_over(RedisStore)})
    assert {str(interleaving.errors) for interleaving in race.interleavings} == {"{'X': \"ValueError('no')\"}"}


def test_an_actor_that_waits_for_ever_is_an_error() -> None:
    """It is noticed, with the order that led there."""

    async def wait(world: RedisWorld) -> None:
        await world.write("X")
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match=r"^After X everybody waits, and nothing happens any more"):
        redis_race({"X": wait}, nodes={"A": cache_over(RedisStore)})
