"""What the pictures of races show of orders that differ in length, and of many steps."""

from typing import Any

from cachelab import Cache, Flight, LeasedStore, lab


def build(client: Any, load: Any) -> Cache[Any, Any]:
    """A node with leases."""
    store: Any = LeasedStore(client, int, namespace="race", version=1)
    return Cache(store, load, ttl=1_000.0, flight=Flight())


async def write(world: lab.RedisWorld) -> None:
    """A write, and the delete of the key on a node of its own."""
    await world.write()
    await world.nodes["C"].delete(1)


def test_orders_of_several_lengths_and_a_long_one_are_drawn() -> None:
    """The words name each step, and count the orders."""
    race = lab.redis_race(
        {"A": lambda world: world.nodes["A"].get(1), "B": lambda world: world.nodes["B"].get(1), "writer": write},
        nodes=dict.fromkeys("ABC", build),
        sample=20,
    )
    assert len({len(interleaving.order) for interleaving in race.interleavings}) > 1
    assert lab.plot_orders({"lease": race}, "title").words == "lease: 0 of 20 orders end stale."
    longest = max(race.interleavings, key=lambda interleaving: len(interleaving.steps))
    words = lab.plot_race(longest, "title").words
    assert len(longest.steps) > 10
    assert words.count("; ") == len(longest.steps) - 1
    assert words.endswith("At the end the cache holds version 2, the origin version 2.")
