"""A cache with freshness, in virtual time: stale answers, early recomputation, outages, deletes and stacks.

Unless a test says otherwise, a load takes one second and begins at second 0. So the entry is fresh until second 61,
stale until 91, and gone from then on.
"""

import asyncio
import math
from collections import Counter
from random import Random
from typing import Any

import pytest

from cachelab import ABSENT, Entry, InvalidationFailed, Record
from cachelab.freshness import Freshness
from tests.support.caches import EVERY_STORE, SHARED, NewStore, make_cache, make_freshness_cache, with_stale_entry
from tests.support.fakes import (
    BrokenStore,
    Heard,
    Origin,
    RemoteStore,
    facts,
    in_virtual_time,
    left_behind,
    now,
    other_tasks,
    records,
    tally,
    until,
)

# Stale while it is revalidated


@EVERY_STORE
@pytest.mark.parametrize(("shared", "loads"), [(False, 100), (True, 1)], ids=["no flight", "flight"])
@in_virtual_time
async def test_no_reader_waits_while_the_entry_is_stale(new_store: NewStore, shared: bool, loads: int) -> None:
    """A hundred readers get the stale value at once. With a flight there is one refresh, without it one for each."""
    origin = Origin()
    cache = await with_stale_entry(origin, new_store(), shared=shared)
    answers = await asyncio.gather(*(cache.get(1) for _ in range(100)))
    assert (set(answers), now(), tally(cache)) == ({"old"}, 70.0, (0, 100, 1, 0))
    await until(72.0)
    assert (origin.calls, cache.loads) == (1 + loads, 1 + loads)


@EVERY_STORE
@SHARED
@in_virtual_time
async def test_a_refresh_replaces_the_entry(new_store: NewStore, shared: bool) -> None:
    """When it has ended, the next read is a hit with the new value, which is fresh for a whole TTL from then on."""
    origin, heard = Origin(), list[Any]()
    cache = await with_stale_entry(origin, new_store(), shared=shared, listen=heard.append)
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
async def test_an_entry_is_fresh_then_stale_then_gone_to_the_instant(
    new_store: NewStore, second: float, outcome: str, waited: float
) -> None:
    """It is fresh until just before its TTL ends, and stale from then on. After `stale_for` its reader waits."""
    heard: Heard = []
    cache = make_freshness_cache(Origin(), new_store(), listen=heard.append)
    await cache.get(1)
    await until(second)
    await cache.get(1)
    assert records(heard)[1] == (outcome, "value")
    assert now() - second == pytest.approx(waited, abs=1e-9)


@SHARED
@in_virtual_time
async def test_a_record_says_for_how_many_seconds_the_answer_was_not_fresh(shared: bool) -> None:
    """Its TTL of 60 s ended at 61. A fresh answer, and one that is not kept, says 0."""
    heard: Heard = []
    origin = Origin()
    cache = await with_stale_entry(origin, shared=shared, listen=heard.append)  # until 70
    await cache.get(1)
    await until(72.0)
    await cache.get(1)
    for key, answer in [(2, ABSENT), (3, Entry("value", -math.inf))]:
        origin.answer = answer
        await cache.get(key)
    stale = [(event.outcome, event.stale_s) for event in heard if isinstance(event, Record)]
    assert stale == [("miss", 0.0), ("stale", 9.0), ("hit", 0.0), ("miss", 0.0), ("miss", 0.0)]


@in_virtual_time
async def test_a_miss_whose_answer_was_stale_below_says_so() -> None:
    """The lower cache answers with an entry that has been stale for 9 s; the upper one passes it on as such."""
    heard: Heard = []
    upper = make_cache(await with_stale_entry(Origin()), listen=heard.append)
    await upper.get(1)
    assert [(event.outcome, event.stale_s) for event in heard if isinstance(event, Record)] == [("miss", 9.0)]


@SHARED
@in_virtual_time
async def test_a_stale_entry_is_served_while_its_refresh_fills(shared: bool) -> None:
    """A fill on its way does not make the store doubtful, as long as no delete has come."""
    origin, store = Origin(), RemoteStore()
    cache = await with_stale_entry(origin, store, shared=shared)
    await cache.get(1)  # starts the refresh, whose load takes until second 71
    store.latency_s = 5.0  # so that its fill takes until 76
    await until(73.0)
    store.latency_s = 0.0
    assert (await cache.get(1), now(), cache.stale) == ("old", 73.0, 2)


@SHARED
@in_virtual_time
async def test_a_refresh_outlives_its_reader(shared: bool) -> None:
    """The reader has its answer and is gone before the refresh ends, and the refresh still replaces the entry."""
    cache = await with_stale_entry(Origin(), shared=shared)
    reader = asyncio.create_task(cache.get(1))
    await asyncio.wait([reader])
    await until(72.0)
    assert await cache.get(1) == "new"


@in_virtual_time
async def test_a_reader_that_comes_after_the_stale_time_joins_the_refresh() -> None:
    """The refresh began a moment before the end of that time, and there is no second load."""
    origin = Origin()
    cache = await with_stale_entry(origin)
    await until(90.5)
    await cache.get(1)
    await until(91.25)
    assert (await cache.get(1), now(), origin.calls, tally(cache)) == ("new", 91.5, 2, (0, 1, 1, 1))


@EVERY_STORE
@SHARED
@pytest.mark.parametrize("seed", range(5))
@in_virtual_time
async def test_each_get_is_counted_once(new_store: NewStore, shared: bool, seed: int) -> None:
    """hits + misses + stale + collapsed is the number of gets and of records, with failing loads and cancels too."""
    chance, heard = Random(seed), list[Any]()
    origin = Origin()
    freshness = Freshness(stale_for=2.0, beta=1.0, jitter=0.2, random=chance.random)
    cache = make_freshness_cache(origin, new_store(), ttl=2.0, freshness=freshness, shared=shared, listen=heard.append)
    readers = []
    for _ in range(500):
        origin.answer = chance.choice(["value", "value", None, ABSENT, LookupError()])
        readers.append(asyncio.create_task(cache.get(chance.choice([1, 2]))))
        await asyncio.sleep(chance.expovariate(4.0))
        chance.choice(readers).cancel()
    await asyncio.wait(readers)
    assert sum(tally(cache)) == len(records(heard)) == 500
    counts = Counter(outcome for outcome, _ in records(heard))
    assert tally(cache) == (counts["hit"], counts["stale"], counts["miss"], counts["collapsed"])
    assert min(counts["hit"], counts["stale"], counts["miss"], counts["collapsed"] or not shared) > 0


# Stale if the origin fails


@EVERY_STORE
@SHARED
@in_virtual_time
async def test_an_outage_shorter_than_the_stale_time_is_not_noticed(new_store: NewStore, shared: bool) -> None:
    """The origin fails for 28 s from second 60 on. A read each second is always answered, and with "new" at the end."""
    origin = Origin("old", load_time_s=0.5)
    cache = make_freshness_cache(origin, new_store(), shared=shared)
    answers = []
    for second in range(100):
        await until(second)
        origin.answer = "old" if second < 60 else ConnectionError() if second < 88 else "new"
        answers.append(await cache.get(1))
    assert (len(answers), answers[90:]) == (100, ["new"] * 10)
    assert (cache.load_errors, cache.stale) == (27, 28)  # seconds 61 to 87 fail, and the refresh at 88 succeeds


@SHARED
@in_virtual_time
async def test_a_longer_outage_is_noticed_when_the_stale_time_ends(shared: bool) -> None:
    """Up to second 90 each reader is answered. At 91 the reader gets the origin's own error."""
    origin, error = Origin(), ConnectionError()
    cache = await with_stale_entry(origin, shared=shared)
    origin.answer = error
    for second in range(70, 91):
        await until(second)
        assert await cache.get(1) == "old"
    await until(91.0)
    with pytest.raises(ConnectionError) as raised:
        await cache.get(1)
    assert raised.value is error


@SHARED
@in_virtual_time
async def test_the_error_of_a_refresh_is_counted_and_reported_to_the_listener_only(
    shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one load error and one fact. It does not go to the loop's exception handler."""
    origin, heard = Origin(), list[Any]()
    cache = await with_stale_entry(origin, shared=shared, listen=heard.append)
    origin.answer = LookupError()
    await cache.get(1)
    await until(80.0)
    assert (cache.load_errors, facts(heard)[2:], capsys.readouterr().err) == (1, ["load", "load error"], "")


# A refresh that finds the key absent


@EVERY_STORE
@SHARED
@pytest.mark.parametrize(("negative_ttl", "outcome"), [(0.0, "miss"), (5.0, "hit")])
@in_virtual_time
async def test_a_key_that_is_gone_at_the_origin_is_not_served_stale(
    new_store: NewStore, shared: bool, negative_ttl: float, outcome: str
) -> None:
    """The refresh finds no row. The next reader gets ABSENT, from the origin or, if absences are kept, the store."""
    origin, heard = Origin(), list[Any]()
    cache = await with_stale_entry(origin, new_store(), shared=shared, negative_ttl=negative_ttl, listen=heard.append)
    origin.answer = ABSENT
    assert await cache.get(1) == "old"
    await until(72.0)
    assert (await cache.get(1), records(heard)[2]) == (ABSENT, (outcome, "absent"))


@in_virtual_time
async def test_while_an_absent_key_is_being_removed_no_refresh_begins() -> None:
    """The refresh has not ended: the store takes five seconds. Until then it still has the stale entry."""
    origin, store = Origin(), RemoteStore()
    cache = await with_stale_entry(origin, store)
    origin.answer = ABSENT
    await cache.get(1)  # its refresh loads until second 71
    await until(70.5)
    delete = store.delete

    async def delete_slowly(key: Any) -> None:
        await asyncio.sleep(5.0)
        await delete(key)

    store.delete = delete_slowly  # type: ignore[method-assign]
    for second in (72.0, 73.0, 74.0):
        await until(second)
        assert await cache.get(1) == "old"
    await until(77.0)
    assert (origin.calls, store.entries, left_behind(cache)) == (2, {}, 0)


@EVERY_STORE
@SHARED
@in_virtual_time
async def test_an_absence_that_may_not_be_kept_removes_the_old_entry_too(new_store: NewStore, shared: bool) -> None:
    """The loader says that its answer has expired already, so that it is not kept although absences are."""
    origin = Origin()
    cache = await with_stale_entry(origin, new_store(), shared=shared, negative_ttl=5.0)
    origin.answer = Entry(ABSENT, -math.inf)
    assert await cache.get(1) == "old"
    await until(72.0)
    assert (await cache.get(1), now()) == (ABSENT, 73.0)


@in_virtual_time
async def test_an_absence_is_not_served_stale() -> None:
    """When its negative TTL has passed, the reader waits for a load."""
    origin = Origin(ABSENT)
    cache = make_freshness_cache(origin, negative_ttl=5.0)
    await cache.get(1)
    await until(6.0)
    assert (await cache.get(1), now(), tally(cache)) == (ABSENT, 7.0, (0, 0, 2, 0))


@in_virtual_time
async def test_a_refresh_that_cannot_delete_an_absent_key_harms_no_waiter() -> None:
    """A caller that has joined the refresh gets ABSENT, and the store error is counted."""
    origin, store, heard = Origin(), BrokenStore("delete"), list[Any]()
    cache = await with_stale_entry(origin, store, listen=heard.append)
    origin.answer = ABSENT
    await until(90.5)
    await cache.get(1)
    await until(91.0)
    assert (await cache.get(1), tally(cache)) == (ABSENT, (0, 1, 1, 1))
    assert (cache.store_errors, facts(heard)[2:]) == (1, ["load", "store error"])


# Deletes


@EVERY_STORE
@SHARED
@in_virtual_time
async def test_a_deleted_entry_is_not_served_stale(new_store: NewStore, shared: bool) -> None:
    """After the delete a reader waits for the new value."""
    cache = await with_stale_entry(Origin(), new_store(), shared=shared)
    await cache.delete(1)
    assert (await cache.get(1), now(), cache.stale) == ("new", 71.0, 0)


@EVERY_STORE
@SHARED
@in_virtual_time
async def test_a_refresh_that_a_delete_has_overtaken_fills_nothing(new_store: NewStore, shared: bool) -> None:
    """The refresh has read the old row. A caller that asks after the delete gets the new row, from a new load."""
    origin, heard = Origin(), list[Any]()
    cache = await with_stale_entry(origin, new_store(), shared=shared, listen=heard.append)
    await cache.get(1)  # its refresh reads "new"
    await until(70.5)
    origin.answer = "newer"
    await cache.delete(1)
    assert (await cache.get(1), now()) == ("newer", 71.5)
    await until(80.0)
    assert (await cache.get(1), facts(heard)[2:]) == ("newer", ["load", "delete", "load", "fenced", "fill"])


@SHARED
@in_virtual_time
async def test_a_refresh_that_found_no_row_does_not_hide_one_that_is_written_again(shared: bool) -> None:
    """The row is gone when the refresh reads. Then it is written again, the key is deleted, and readers get the row."""
    origin = Origin()
    cache = await with_stale_entry(origin, RemoteStore(0.25), shared=shared)
    origin.answer = ABSENT
    await cache.get(1)
    await asyncio.sleep(0.5)
    origin.answer = "back"
    await cache.delete(1)
    for _ in range(10):
        assert await cache.get(1) == "back"


# Stores that fail


@in_virtual_time
async def test_if_the_store_cannot_be_read_the_reader_waits_for_the_refresh() -> None:
    """The stale entry cannot be read either. The reader joins the refresh that is under way."""
    origin, store = Origin(), BrokenStore()
    cache = await with_stale_entry(origin, store)
    await cache.get(1)
    store.broken = {"get"}
    assert (await cache.get(1), now(), origin.calls, tally(cache)) == ("new", 71.0, 2, (0, 1, 1, 1))


@in_virtual_time
async def test_if_the_store_cannot_be_written_the_entry_is_stale_to_its_end_and_no_longer() -> None:
    """Each stale read starts a refresh, whose fill fails and is counted; the next read tries again."""
    origin, store = Origin(), BrokenStore()
    cache = await with_stale_entry(origin, store)
    store.broken = {"set"}
    answers = []
    for second in range(70, 94, 2):
        await until(second)
        answers.append(await cache.get(1))
    assert (answers, cache.store_errors, origin.calls) == (["old"] * 11 + ["new"], 12, 13)


@in_virtual_time
async def test_a_delete_that_fails_breaks_the_refresh_all_the_same() -> None:
    """The caller of `delete` gets the error, and the refresh, which had read before the write, fills nothing."""
    origin, store = Origin(), BrokenStore()
    cache = await with_stale_entry(origin, store)
    await cache.get(1)
    await until(70.5)
    store.broken = {"delete"}
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    await until(75.0)
    assert (store.entries[1].value, cache.store_errors, left_behind(cache)) == ("old", 1, 0)


# Closing the cache


@SHARED
@in_virtual_time
async def test_closing_the_cache_ends_its_refreshes(shared: bool) -> None:
    """No task is left, and no load is under way: it was cancelled, and not waited for."""
    origin = Origin()
    cache = await with_stale_entry(origin, RemoteStore(), shared=shared)
    async with cache:
        await cache.get(1)
        await asyncio.sleep(0.5)
    assert (other_tasks(), origin.under_way, left_behind(cache), now()) == (set(), 0, 0, 70.5)


@SHARED
@in_virtual_time
async def test_a_closed_cache_serves_a_stale_entry_and_starts_no_refresh(shared: bool) -> None:
    """The reader is answered from the store as before, and no load begins."""
    origin = Origin()
    cache = await with_stale_entry(origin, shared=shared)
    loads = cache.loads
    await cache.aclose()
    await cache.get(1)
    assert (cache.stale, cache.loads) == (1, loads)
