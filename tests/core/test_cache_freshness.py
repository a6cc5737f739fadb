"""A cache with freshness, in virtual time: stale answers, early recomputation, outages, deletes and stacks.

Unless a test says otherwise, a load takes one second and begins at second 0, so that with a store in this process the
entry is fresh until 61, stale until 91, and gone from then on.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cachelab import ABSENT, Cache, Flight, InvalidationFailed, MemoryStore
from cachelab.freshness import Freshness
from tests.support.fakes import (
    BrokenStore,
    Heard,
    Origin,
    RemoteStore,
    facts,
    in_virtual_time,
    now,
    others,
    records,
    tally,
    until,
)

NewStore = Callable[[], Any]
STALE = Freshness(stale_for=30.0)
EVERY_STORE = pytest.mark.parametrize("new_store", [lambda: MemoryStore(10), RemoteStore], ids=["here", "remote"])
WITH_AND_WITHOUT = pytest.mark.parametrize("flying", [True, False], ids=["flight", "no flight"])


def over(load: Any, store: Any = None, **options: Any) -> Cache[int, Any]:
    """A cache over `load` that has a flight and serves stale for 30 s after its TTL of 60 s."""
    store = MemoryStore(10) if store is None else store
    defaults: dict[str, Any] = {"store": store, "ttl": 60.0, "flight": Flight(), "freshness": STALE}
    return Cache(load=load, **defaults | options)


async def old_entry(origin: Origin, store: Any = None, **options: Any) -> Cache[int, Any]:
    """A cache that has loaded "old" from an origin which now says "new"; it is second 70, so the entry is stale."""
    origin.answer = "old"
    cache = over(origin, store, **options)
    await cache.get(1)
    origin.answer = "new"
    await until(70.0)
    return cache


# Stale while it is revalidated


@EVERY_STORE
@pytest.mark.parametrize(("flying", "loads"), [(True, 1), (False, 100)], ids=["flight", "no flight"])
@in_virtual_time
async def test_nobody_waits_for_what_is_stale(new_store: NewStore, flying: bool, loads: int) -> None:
    """A hundred readers are answered at once and stale; one refresh with a flight, one for each reader without."""
    origin = Origin()
    cache = await old_entry(origin, new_store(), flight=Flight() if flying else None)
    answers = await asyncio.gather(*(cache.get(1) for _ in range(100)))
    assert (set(answers), now(), tally(cache)) == ({"old"}, 70.0, (0, 100, 1, 0))
    await until(72.0)
    assert (origin.calls, cache.loads) == (1 + loads, 1 + loads)


@EVERY_STORE
@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_refresh_replaces_the_entry(new_store: NewStore, flying: bool) -> None:
    """When it has ended the next reader hits the new value, which lives for a whole TTL from then on."""
    origin, heard = Origin(), list[Any]()
    cache = await old_entry(origin, new_store(), flight=Flight() if flying else None, listen=heard.append)
    await cache.get(1)
    await until(72.0)
    assert await cache.get(1) == "new"
    await until(math.nextafter(71.0 + 60.0, 0.0))
    assert await cache.get(1) == "new"
    assert records(heard) == [("miss", "value"), ("stale", "value"), ("hit", "value"), ("hit", "value")]
    assert facts(heard) == ["load", "fill", "load", "fill"]


@EVERY_STORE
@pytest.mark.parametrize(
    ("second", "outcome", "waited"),
    [
        (math.nextafter(61.0, 0.0), "hit", 0.0),
        (61.0, "stale", 0.0),
        (math.nextafter(91.0, 0.0), "stale", 0.0),
        (91.0, "miss", 1.0),
    ],
)
@in_virtual_time
async def test_each_service_ends_at_its_instant(
    new_store: NewStore, second: float, outcome: str, waited: float
) -> None:
    """Fresh until just before the TTL, stale from that instant, and from the end of `stale_for` its reader waits."""
    heard: Heard = []
    cache = over(Origin(), new_store(), listen=heard.append)
    await cache.get(1)
    await until(second)
    await cache.get(1)
    assert records(heard)[1] == (outcome, "value")
    assert now() - second == pytest.approx(waited, abs=1e-9)


@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_refresh_outlives_its_reader(flying: bool) -> None:
    """The reader has his answer and is gone, or was cancelled while he looked for another."""
    cache = await old_entry(Origin(), flight=Flight() if flying else None)
    reader = asyncio.create_task(cache.get(1))
    await asyncio.wait([reader])
    await until(72.0)
    assert await cache.get(1) == "new"


@in_virtual_time
async def test_who_comes_when_the_stale_service_is_over_joins_the_refresh() -> None:
    """A refresh that was begun a moment before the end is still one load."""
    origin = Origin()
    cache = await old_entry(origin)
    await until(90.5)
    await cache.get(1)
    await until(91.25)
    assert (await cache.get(1), now(), origin.calls, tally(cache)) == ("new", 91.5, 2, (0, 1, 1, 1))


@EVERY_STORE
@WITH_AND_WITHOUT
@pytest.mark.parametrize("seed", range(5))
@in_virtual_time
async def test_each_get_is_counted_once(new_store: NewStore, flying: bool, seed: int) -> None:
    """hits + misses + stale + collapsed is the number of gets and of records, whatever fails or is cancelled."""
    chance, heard = Random(seed), list[Any]()
    origin = Origin()
    freshness = Freshness(stale_for=2.0, beta=1.0, jitter=0.2, random=chance.random)
    cache = over(
        origin, new_store(), ttl=2.0, freshness=freshness, flight=Flight() if flying else None, listen=heard.append
    )
    readers = []
    for _ in range(500):
        origin.answer = chance.choice(["value", "value", None, ABSENT, LookupError()])
        readers.append(asyncio.create_task(cache.get(chance.choice([1, 2]))))
        await asyncio.sleep(chance.expovariate(4.0))
        chance.choice(readers).cancel()
    await asyncio.wait(readers)
    assert sum(tally(cache)) == len(records(heard)) == 500
    told = Counter(outcome for outcome, _ in records(heard))
    assert tally(cache) == (told["hit"], told["stale"], told["miss"], told["collapsed"])
    assert min(told["hit"], told["stale"], told["miss"], told["collapsed"] or not flying) > 0


# Stale if the origin fails


@EVERY_STORE
@WITH_AND_WITHOUT
@in_virtual_time
async def test_an_outage_shorter_than_the_stale_service_is_not_noticed(new_store: NewStore, flying: bool) -> None:
    """The origin fails from second 60 on for 28 s, with a read each second: every one is answered, and then fresh."""
    origin = Origin("old", load_time_s=0.5)
    cache = over(origin, new_store(), flight=Flight() if flying else None)
    answers = []
    for second in range(100):
        await until(second)
        origin.answer = "old" if second < 60 else ConnectionError() if second < 88 else "new"
        answers.append(await cache.get(1))
    assert (len(answers), answers[90:]) == (100, ["new"] * 10)
    assert (cache.load_errors, cache.stale) == (
        27,
        28,
    )  # 61 to 87; the refresh of 88 succeeds


@WITH_AND_WITHOUT
@in_virtual_time
async def test_an_outage_that_goes_on_is_noticed_when_the_stale_service_ends(flying: bool) -> None:
    """Up to second 90 the readers are answered; from 91 on each gets the origin's own error."""
    origin, error = Origin(), ConnectionError()
    cache = await old_entry(origin, flight=Flight() if flying else None)
    origin.answer = error
    for second in range(70, 91):
        await until(second)
        assert await cache.get(1) == "old"
    await until(91.0)
    with pytest.raises(ConnectionError) as raised:
        await cache.get(1)
    assert raised.value is error


@WITH_AND_WITHOUT
@in_virtual_time
async def test_the_error_of_a_refresh_is_counted_and_told_to_nobody_else(
    flying: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """One load error and one fact for it; the loop's exception handler has nothing to say."""
    origin, heard = Origin(), list[Any]()
    cache = await old_entry(origin, flight=Flight() if flying else None, listen=heard.append)
    origin.answer = LookupError()
    await cache.get(1)
    await until(80.0)
    assert (cache.load_errors, facts(heard)[2:], capsys.readouterr().err) == (1, ["load", "load error"], "")


# A refresh that finds nothing


@EVERY_STORE
@WITH_AND_WITHOUT
@pytest.mark.parametrize(("negative_ttl", "outcome"), [(0.0, "miss"), (5.0, "hit")])
@in_virtual_time
async def test_a_key_that_is_gone_is_not_served_stale(
    new_store: NewStore, flying: bool, negative_ttl: float, outcome: str
) -> None:
    """The refresh finds no row: the next reader is told so, by the origin, or from memory if absences are kept."""
    origin, heard = Origin(), list[Any]()
    cache = await old_entry(
        origin, new_store(), flight=Flight() if flying else None, negative_ttl=negative_ttl, listen=heard.append
    )
    origin.answer = ABSENT
    assert await cache.get(1) == "old"
    await until(72.0)
    assert (await cache.get(1), records(heard)[2]) == (ABSENT, (outcome, "absent"))


@in_virtual_time
async def test_an_absence_is_not_served_stale() -> None:
    """When its negative TTL has passed, its reader waits."""
    origin = Origin(ABSENT)
    cache = over(origin, negative_ttl=5.0)
    await cache.get(1)
    await until(6.0)
    assert (await cache.get(1), now(), tally(cache)) == (ABSENT, 7.0, (0, 0, 2, 0))


@in_virtual_time
async def test_a_store_that_cannot_delete_what_is_gone_harms_nobody_who_waits() -> None:
    """Who has joined that refresh is told that there is no such key, and the store error is counted."""
    origin, store, heard = Origin(), BrokenStore("delete"), list[Any]()
    cache = await old_entry(origin, store, listen=heard.append)
    origin.answer = ABSENT
    await until(90.5)
    await cache.get(1)
    await until(91.0)
    assert (await cache.get(1), tally(cache)) == (ABSENT, (0, 1, 1, 1))
    assert (cache.store_errors, facts(heard)[2:]) == (1, ["load", "store error"])


# Deletes


@EVERY_STORE
@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_deleted_entry_is_not_served_stale(new_store: NewStore, flying: bool) -> None:
    """After a delete its reader waits for the new value."""
    cache = await old_entry(Origin(), new_store(), flight=Flight() if flying else None)
    await cache.delete(1)
    assert (await cache.get(1), now(), cache.stale) == ("new", 71.0, 0)


@EVERY_STORE
@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_refresh_that_a_delete_overtakes_brings_nothing_back(new_store: NewStore, flying: bool) -> None:
    """It has read the old row: it fills nothing, and who asks after the delete gets the new row from a load anew."""
    origin, heard = Origin(), list[Any]()
    cache = await old_entry(origin, new_store(), flight=Flight() if flying else None, listen=heard.append)
    await cache.get(1)  # its refresh reads "new"
    await until(70.5)
    origin.answer = "newer"
    await cache.delete(1)
    assert (await cache.get(1), now()) == ("newer", 71.5)
    await until(80.0)
    assert (await cache.get(1), facts(heard)[2:]) == ("newer", ["load", "delete", "load", "fenced", "fill"])


@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_refresh_that_finds_a_row_gone_does_not_hide_one_that_came_back(flying: bool) -> None:
    """The row is gone as the refresh reads, is written again and deleted from the cache: readers get the new row."""
    origin = Origin()
    cache = await old_entry(origin, RemoteStore(0.25), flight=Flight() if flying else None)
    origin.answer = ABSENT
    await cache.get(1)
    await asyncio.sleep(0.5)
    origin.answer = "back"
    await cache.delete(1)
    for _ in range(10):
        assert await cache.get(1) == "back"


# Stores that fail


@in_virtual_time
async def test_a_store_that_cannot_be_read_has_nothing_stale_to_serve() -> None:
    """The reader waits for the load, or for the refresh that is under way."""
    origin, store = Origin(), BrokenStore()
    cache = await old_entry(origin, store)
    await cache.get(1)
    store.broken = {"get"}
    assert (await cache.get(1), now(), origin.calls, tally(cache)) == ("new", 71.0, 2, (0, 1, 1, 1))


@in_virtual_time
async def test_a_store_that_cannot_be_written_serves_stale_to_the_end_and_no_longer() -> None:
    """Each reader's refresh fails to be kept, is counted, and the next one tries again."""
    origin, store = Origin(), BrokenStore()
    cache = await old_entry(origin, store)
    store.broken = {"set"}
    answers = []
    for second in range(70, 94, 2):
        await until(second)
        answers.append(await cache.get(1))
    assert (answers, cache.store_errors, origin.calls) == (["old"] * 11 + ["new"], 12, 13)


@in_virtual_time
async def test_a_delete_that_fails_breaks_the_refresh_all_the_same() -> None:
    """The deleter hears of it, and the refresh, which had read before the write, keeps nothing."""
    origin, store = Origin(), BrokenStore()
    cache = await old_entry(origin, store)
    await cache.get(1)
    await until(70.5)
    store.broken = {"delete"}
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    await until(75.0)
    assert (store.entries[1].value, cache.store_errors, len(cache._flight), len(cache._level.standing)) == (
        "old",
        1,
        0,
        0,
    )


# The end


@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_cache_that_closes_ends_its_refreshes(flying: bool) -> None:
    """No task is left, and what was stale has not been replaced."""
    origin = Origin()
    cache = await old_entry(origin, RemoteStore(), flight=Flight() if flying else None)
    async with cache:
        await cache.get(1)
        await asyncio.sleep(0.5)
    assert (others(), origin.at_once, len(cache._level.standing)) == (set(), 0, 0)


@WITH_AND_WITHOUT
@in_virtual_time
async def test_a_closed_cache_serves_what_it_has_and_refreshes_nothing(flying: bool) -> None:
    """A reader whose entry is due, or stale, is answered from the store as before; no load begins."""
    origin = Origin()
    cache = await old_entry(origin, flight=Flight() if flying else None)
    loads = cache.loads
    await cache.aclose()
    await cache.get(1)
    assert (cache.stale, cache.loads) == (1, loads)
