"""Caches over caches: age travels up, deletes go down first, and no value is served that is older than allowed."""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from cachelab import ABSENT, MISS, Absent, Cache, Flight, Loader, MemoryStore
from cachelab.lab.sim.database import SlowDatabase, UserProfile
from cachelab.lab.sim.simulation import run
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Request
from tests.support.fakes import PROPERTY, Origin, RemoteStore, in_virtual_time, now

TTLS = st.lists(st.floats(0.01, 100.0), min_size=2, max_size=3)
WAITS = st.floats(0.0, 50.0)


def stack(load: Loader[int, Any], ttls: list[float]) -> list[Cache[int, Any]]:
    """A cache for each TTL, each over the previous one. The first is the lowest."""
    caches: list[Cache[int, Any]] = []
    for ttl in ttls:
        caches.append(Cache(MemoryStore(100), caches[-1] if caches else load, ttl=ttl))
    return caches


# Age travels up


@pytest.mark.parametrize("ttls", [[60.0, 5.0], [5.0, 60.0], [60.0, 30.0, 5.0]], ids=str)
@in_virtual_time
async def test_no_level_adds_its_ttl_to_that_of_the_level_below(ttls: list[float]) -> None:
    """A value that is about to expire below is about to expire above, whatever the TTL there."""

    async def load(key: int) -> float:
        return now()

    caches = stack(load, ttls)
    for _ in range(int(2 * min(ttls[0], 60.0))):
        value: Any = await caches[-1].get(1)
        assert now() - value < ttls[0]
        await asyncio.sleep(1.0)


@PROPERTY
@given(ttls=TTLS, steps=st.lists(st.tuples(WAITS, st.integers(0, 2)), min_size=1, max_size=20))
@example(ttls=[60.0, 5.0], steps=[(0.0, 0), (59.0, 1), (3.0, 1)])
def test_no_value_is_served_later_than_a_ttl_after_its_load(ttls: list[float], steps: list[tuple[float, int]]) -> None:
    """In any stack, after any waits and from any level, a value is younger than the TTL of the lowest level."""

    async def load(key: int) -> float:
        await asyncio.sleep(0.25)
        return now()  # each value is the moment its load ended

    async def scenario() -> None:
        caches = stack(load, ttls)
        for wait, level in steps:
            await asyncio.sleep(wait)
            asked = now()
            value: Any = await caches[min(level, len(caches) - 1)].get(1)
            assert value >= asked or asked < value + ttls[0]  # it was loaded for this caller, or is young enough

    run(scenario)


@PROPERTY
@given(ttls=TTLS, waits=st.lists(WAITS, min_size=1, max_size=20))
def test_a_level_never_promises_more_than_the_one_below(ttls: list[float], waits: list[float]) -> None:
    """Just after an answer from the top, the entry of each level expires no later than that of the level below."""

    async def load(key: int) -> float:
        return now()

    async def scenario() -> None:
        stores = [MemoryStore[Any](100) for _ in ttls]
        below: Loader[int, Any] = load
        for store, ttl in zip(stores, ttls, strict=True):
            below = Cache(store, below, ttl=ttl)
        for wait in waits:
            await asyncio.sleep(wait)
            await below(1)
            ends = [entry.expires for entry in (store.peek(1) for store in stores) if entry is not MISS]
            assert ends == sorted(ends, reverse=True)

    run(scenario)


@in_virtual_time
async def test_a_level_keeps_its_own_ttl_if_that_is_shorter() -> None:
    """The upper level asks again after its own TTL, and the lower level has a hit."""
    lower, upper = stack(load_key, [60.0, 5.0])
    await upper.get(1)
    await asyncio.sleep(5.0)
    await upper.get(1)
    assert (upper.misses, lower.hits, lower.loads) == (2, 1, 1)


@in_virtual_time
async def test_an_absence_travels_up_with_its_age() -> None:
    """An absence that is about to expire below is about to expire above."""
    lower: Cache[int, str] = Cache(MemoryStore(1), load_nothing, ttl=60.0, negative_ttl=10.0)
    upper: Cache[int, str] = Cache(MemoryStore(1), lower, ttl=60.0, negative_ttl=8.0)
    await lower.get(1)
    await asyncio.sleep(9.0)
    assert await upper(1) == await lower(1)


@pytest.mark.parametrize(
    ("below", "above", "loads"), [(10.0, 4.0, 1), (4.0, 10.0, 2), (0.0, 10.0, 1), (10.0, 0.0, 1), (0.0, 0.0, 2)]
)
@in_virtual_time
async def test_each_level_has_its_own_negative_ttl(below: float, above: float, loads: int) -> None:
    """After five seconds the origin is asked again unless some level remembers. The caller always gets ABSENT."""
    lower: Cache[int, str] = Cache(MemoryStore(1), load_nothing, ttl=60.0, negative_ttl=below)
    upper: Cache[int, str] = Cache(MemoryStore(1), lower, ttl=60.0, negative_ttl=above)
    answers = [await upper.get(1)]
    await asyncio.sleep(5.0)
    answers.append(await upper.get(1))
    assert (answers, lower.loads) == ([ABSENT, ABSENT], loads)


async def load_key(key: int) -> int:
    """An origin in which each key is its own value."""
    return key


async def load_nothing(key: int) -> Absent:
    """An origin without a single row."""
    return ABSENT


# Deletes go down first


class NamedStore(RemoteStore):
    """A store that appends its name to `order` when a delete comes, which then takes a second."""

    def __init__(self, name: str, order: list[str]) -> None:
        super().__init__()
        self.name = name
        self.order = order

    async def delete(self, key: Hashable) -> None:
        self.order.append(self.name)
        await super().delete(key)
        await asyncio.sleep(1.0)


class Row:
    """An origin of one row. A load takes no time, and a delete appends "origin" to `order`."""

    def __init__(self, order: list[str]) -> None:
        self.value = "old"
        self.order = order

    async def __call__(self, key: int) -> str:
        return self.value

    async def delete(self, key: int) -> None:
        self.order.append("origin")


def three_levels(order: list[str]) -> tuple[Row, Cache[int, str]]:
    """An origin and the uppermost of three caches over it."""
    row = Row(order)
    cache: Cache[int, str] = Cache(NamedStore("L3", order), row, ttl=60.0)
    for name in ("L2", "L1"):
        cache = Cache(NamedStore(name, order), cache, ttl=60.0)
    return row, cache


@in_virtual_time
async def test_a_delete_goes_down_before_up() -> None:
    """A loader with a `delete` comes first, then each level from the bottom, one after the other."""
    order: list[str] = []
    _, cache = three_levels(order)
    await cache.delete(1)
    assert (order, now()) == (["origin", "L3", "L2", "L1"], 3.0)  # at each level it takes a second


@pytest.mark.parametrize("moment", [0.5, 1.5, 2.5])
@in_virtual_time
async def test_a_reader_in_the_middle_of_a_delete_brings_nothing_back(moment: float) -> None:
    """A reader between two levels finds the old value above or the new one below, and the old one fills no level."""
    row, cache = three_levels([])
    await cache.get(1)
    row.value = "new"
    delete = asyncio.create_task(cache.delete(1))
    await asyncio.sleep(moment)
    await cache.get(1)
    await delete
    assert await cache.get(1) == "new"


@in_virtual_time
async def test_a_load_that_begins_while_the_level_below_deletes_fills_nothing() -> None:
    """It has read the old value below, and ends after the delete. So the fences break when the level below is done."""

    class Below(Origin):
        async def delete(self, key: int) -> None:
            await asyncio.sleep(1.0)
            self.answer = "new"

    cache: Cache[int, str] = Cache(MemoryStore(1), Below("old", load_time_s=3.0), ttl=60.0, flight=Flight())
    delete = asyncio.create_task(cache.delete(1))
    await asyncio.sleep(0.5)
    early = asyncio.create_task(cache.get(1))
    await delete
    assert [await cache.get(1), await early, await cache.get(1)] == ["new", "old", "new"]


# The database as the referee: it knows how stale each answer is

CALLS = st.lists(
    st.tuples(st.sampled_from(["get", "get", "change", "wait"]), st.integers(1, 2), st.floats(0.0, 8.0)),
    min_size=10,
    max_size=40,
)


@PROPERTY
@given(ttls=TTLS, calls=CALLS)
def test_after_a_completed_delete_the_old_value_is_never_served(
    ttls: list[float], calls: list[tuple[str, int, float]]
) -> None:
    """If each call waits for the one before, so that no load is in flight during a delete, every answer is current."""

    async def scenario() -> None:
        db = SlowDatabase(users=2, connections=1, service_s=0.5)
        cache = stack(db.fetch_user, ttls)[-1]
        for verb, user, wait in calls:
            if verb == "wait":
                await asyncio.sleep(wait)
            elif verb == "change":
                await db.update_user(user)
                await cache.delete(user)
            else:
                answer = await cache.get(user)
                assert isinstance(answer, UserProfile)
                assert db.stale_s(user, answer.commit, now()) == 0.0

    run(scenario)


@pytest.mark.long
@pytest.mark.parametrize("deletes", [True, False], ids=["write and delete", "write only"])
@PROPERTY
@given(
    ttls=st.lists(st.floats(0.01, 5.0), min_size=2, max_size=3),
    requests=st.lists(
        st.builds(Request, st.floats(0.0, 20.0), st.just(0), st.integers(1, 2), st.booleans()), min_size=20
    ),
)
def test_staleness_ends_with_the_lowest_ttl(deletes: bool, ttls: list[float], requests: list[Request]) -> None:
    """Reads and writes overlap at random, with deletes or without. No answer is staler than the TTL plus one load."""

    async def scenario() -> float:
        db = SlowDatabase(users=2, connections=4, service_s=0.5)
        cache = stack(db.fetch_user, ttls)[-1]

        async def write(user: int) -> None:
            await db.update_user(user)
            if deletes:
                await cache.delete(user)

        reads = [Request(21.0, 0, user) for user in (1, 2)]  # so that there is at least one read
        return (await replay([*requests, *reads], cache, db=db, write=write)).max_stale_s

    assert run(scenario) <= ttls[0] + 0.5 + 1e-9


@in_virtual_time
async def test_the_referee_does_see_stale_answers() -> None:
    """The bound is tight: if a write overtakes a load, the old value is served for longer than the TTL alone."""
    db = SlowDatabase(users=1, connections=4, service_s=0.5)
    cache = stack(db.fetch_user, [4.0, 4.0])[-1]
    reads = [Request(0.12 * number, 0, 1) for number in range(40)]  # none of them just when a load ends
    result = await replay([*reads, Request(0.125, 0, 1, True)], cache, db=db)
    assert 4.0 < result.max_stale_s <= 4.5
