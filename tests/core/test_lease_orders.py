"""Two nodes that read, and a write with its delete: every order of their commands, with leases and without them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import Cache, Flight, LeasedStore, RedisStore, lease
from cachelab.lab.sim.races import Race
from cachelab.lab.sim.redis_races import RedisWorld, redis_race
from tests.support.fakes import left_behind, other_tasks

Reader = Callable[[RedisWorld], Awaitable[object]]


def build(client: Any, load: Any) -> Cache[Any, Any]:
    """A node with leases of half a second."""
    store = LeasedStore[Any](client, int, namespace="test", version=1, lease_s=0.5)
    return Cache(store, load, ttl=1_000.0, flight=Flight())


def build_plain(client: Any, load: Any) -> Cache[Any, Any]:
    """A node without leases; its flight and its fences are there."""
    return Cache(RedisStore[Any](client, int, namespace="test", version=1), load, ttl=1_000.0, flight=Flight())


def build_failing(client: Any, load: Any) -> Cache[Any, Any]:
    """A node with leases, whose first load fails."""
    loads = Counter[str]()

    async def load_or_fail(key: Any) -> int:
        version: int = await load(key)
        loads["begun"] += 1
        if loads["begun"] == 1:
            raise ConnectionError("the origin is down")
        return version

    return build(client, load_or_fail)


def reader(node: str) -> Reader:
    """An actor that reads the key on this node; the origin may be down."""

    async def read(world: RedisWorld) -> None:
        try:
            await world.nodes[node].get(1)
        except ConnectionError:
            await world.nodes[node].get(1)

    return read


def writer(node: str) -> Reader:
    """An actor that writes at the origin, and then deletes the key on this node."""

    async def write(world: RedisWorld) -> None:
        await world.write()
        await world.nodes[node].delete(1)

    return write


async def wait(world: RedisWorld) -> None:
    """Leases run out, at some moment."""
    await world.sleep(0.51)


def orders(
    make: Any = build, deleter: str = "C", *, sample: int | None, expire: bool = False
) -> tuple[Race, Counter[str]]:
    """The orders, or some of them, and what was left behind in them: in tables, in Redis, and as running tasks."""
    left = Counter[str]()

    async def look(world: RedisWorld) -> None:
        client = world.redis.client()
        left["leases"] += await client.exists("{test:v1:1}:lease")
        for cache in world.nodes.values():
            left["in tables"] += left_behind(cache)
            left["store errors"] += cache.store_errors
            if isinstance(store := cache._level.store, LeasedStore):
                left["in tables"] += len(store._claims) + len(store._notices._expected)
        left["tasks"] += len(other_tasks())

    actors = {"A": reader("A"), "B": reader("B"), "W": writer(deleter)} | ({"time": wait} if expire else {})
    race = redis_race(actors, nodes=dict.fromkeys("ABC", make), sample=sample, at_end=look)
    return race, +left


@pytest.mark.parametrize("deleter", ["C", "A"])
@pytest.mark.parametrize("expire", [False, True], ids=["", "leases run out"])
@pytest.mark.parametrize("make", [build, build_failing], ids=["", "first loads fail"])
@pytest.mark.parametrize(
    "sample",
    [
        10,
        pytest.param(300, marks=pytest.mark.long),
        pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_no_order_ends_stale_or_leaves_anything(deleter: str, expire: bool, make: Any, sample: int) -> None:
    """A sample, with a delete by a third node or by one that reads."""
    race, left = orders(make, deleter, sample=sample, expire=expire)
    assert (len(race.stale), left) == (0, {})
    assert {error for interleaving in race.interleavings for error in interleaving.errors} == set()


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    "deleter", [pytest.param("C", marks=pytest.mark.long), pytest.param("A", marks=pytest.mark.soak)]
)
def test_none_of_all_orders_ends_stale_or_leaves_anything(deleter: str) -> None:
    """All of them."""
    race, left = orders(deleter=deleter, sample=None)
    assert (len(race.stale), left) == (0, {})
    assert len(race.interleavings) > 4_000


@pytest.mark.long
def test_without_leases_some_orders_end_stale() -> None:
    """The plain store with flights and fences: a fence reaches no further than its process."""
    race, left = orders(build_plain, sample=80)
    assert (len(race.stale) > 0, left) == (True, {})


@pytest.mark.long
def test_of_all_orders_without_leases_one_in_eight_ends_stale() -> None:
    """The number of orders is exact, so a change of what is sent shows here."""
    race, left = orders(build_plain, sample=None)
    assert (len(race.interleavings), len(race.stale), left) == (534, 70, {})


@pytest.mark.long
def test_a_lease_that_ignores_its_token_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail."""
    monkeypatch.setattr(lease, "SETTLE", lease.SETTLE.replace("== ARGV[1]", "~= 0"))
    race, _ = orders(sample=100)
    assert race.stale
