"""The read path of one cache over one store: what it answers, what it keeps, what it counts and reports."""

import asyncio
import gc
import math
import re
from contextlib import nullcontext, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cachelab import (
    ABSENT,
    MISS,
    Cache,
    Entry,
    Fact,
    Flight,
    InvalidationFailed,
    MemoryStore,
    Miss,
    Record,
    ThreadFlight,
)
from cachelab.freshness import Freshness
from cachelab.lab.sim.simulation import run
from tests.support.caches import EVERY_STORE, SHARED, NewStore, make_cache, start_gets
from tests.support.fakes import (
    BrokenStore,
    Heard,
    Origin,
    RemoteStore,
    facts,
    in_virtual_time,
    left_behind,
    now,
    records,
    tally,
    until,
)
from tests.support.leasing import LeasingStore

# What it answers and what it remembers


@pytest.mark.parametrize("value", ["value", None, 0, "", False, ()], ids=repr)
@in_virtual_time
async def test_a_value_is_loaded_once_and_then_remembered(value: object) -> None:
    """The second `get` is answered from the store, for the falsy values too."""
    origin = Origin(value)
    cache = make_cache(origin)
    assert [await cache.get(1), await cache.get(1), origin.calls] == [value, value, 1]


@in_virtual_time
async def test_each_key_has_its_own_value() -> None:
    """The loader gets the key that the caller has given, and its answer is kept under that key."""

    async def load(key: int) -> int:
        return key * 10

    cache: Cache[int, int] = Cache(MemoryStore(100), load, ttl=60.0)
    assert [await cache.get(key) for key in (1, 2, 1, 2)] == [10, 20, 10, 20]


@pytest.mark.parametrize(("wait", "calls"), [(math.nextafter(60.0, 0.0), 1), (60.0, 2)], ids=["before", "at"])
@in_virtual_time
async def test_a_value_is_served_until_its_ttl_has_passed(wait: float, calls: int) -> None:
    """Just before the end of its TTL a value is still served; at the very end it is loaded again."""
    origin = Origin(load_time_s=0.0)
    cache = make_cache(origin)
    await cache.get(1)
    await asyncio.sleep(wait)
    await cache.get(1)
    assert origin.calls == calls


@in_virtual_time
async def test_the_ttl_begins_when_the_load_ends() -> None:
    """A value that took a second to load is still served 59.5 s after the end of that load."""
    origin = Origin(load_time_s=1.0)
    cache = make_cache(origin)
    await cache.get(1)
    await asyncio.sleep(59.5)
    await cache.get(1)
    assert (now(), origin.calls) == (60.5, 1)


@EVERY_STORE
@in_virtual_time
async def test_a_hit_does_not_extend_a_ttl(new_store: NewStore) -> None:
    """The TTL counts from the load, however often the value is used."""
    origin = Origin(load_time_s=0.0)
    cache = make_cache(origin, new_store())
    for _ in range(4):
        await cache.get(1)
        await asyncio.sleep(20.0)
    assert origin.calls == 2


@in_virtual_time
async def test_an_infinite_ttl_keeps_a_value_for_ever() -> None:
    """With ttl=math.inf only the store decides when a value goes."""
    origin = Origin()
    cache = make_cache(origin, ttl=math.inf)
    await cache.get(1)
    await asyncio.sleep(1e9)
    await cache.get(1)
    assert origin.calls == 1


@in_virtual_time
async def test_an_absent_key_is_absent_to_the_caller() -> None:
    """For a key that the origin does not have, `get` returns `ABSENT`, which is neither `None` nor an error."""
    assert await make_cache(Origin(ABSENT)).get(1) is ABSENT


@in_virtual_time
async def test_by_default_an_absence_is_not_remembered() -> None:
    """Every `get` of an absent key asks the origin."""
    origin = Origin(ABSENT)
    cache = make_cache(origin)
    await cache.get(1)
    await cache.get(1)
    assert origin.calls == 2


@pytest.mark.parametrize(("wait", "calls"), [(math.nextafter(5.0, 0.0), 1), (5.0, 2)], ids=["before", "at"])
@in_virtual_time
async def test_an_absence_is_remembered_for_its_own_ttl(wait: float, calls: int) -> None:
    """`negative_ttl` ends it to the instant, and `ttl` plays no part in it."""
    origin = Origin(ABSENT, load_time_s=0.0)
    cache = make_cache(origin, negative_ttl=5.0)
    await cache.get(1)
    await asyncio.sleep(wait)
    assert await cache.get(1) is ABSENT
    assert origin.calls == calls


@in_virtual_time
async def test_the_negative_ttl_does_not_apply_to_a_value() -> None:
    """A value is kept for `ttl`, however short absences are remembered."""
    origin = Origin()
    cache = make_cache(origin, negative_ttl=5.0)
    await cache.get(1)
    await asyncio.sleep(30.0)
    await cache.get(1)
    assert origin.calls == 1


@in_virtual_time
async def test_an_entry_from_the_loader_brings_its_remaining_life() -> None:
    """If the loader says how long its answer is valid, and that is less than the TTL, it is kept only that long."""
    origin = Origin(Entry("value", 10.0), load_time_s=0.0)
    cache = make_cache(origin)
    await cache.get(1)
    await asyncio.sleep(10.0)
    await cache.get(1)
    assert origin.calls == 2


@in_virtual_time
async def test_an_entry_that_has_already_expired_is_served_once_and_not_kept() -> None:
    """The caller that waited for it gets it, and no later caller does."""
    store = RemoteStore()
    cache = make_cache(Origin(Entry("value", 1.0)), store)
    assert (await cache.get(1), store.entries) == ("value", {})


@in_virtual_time
async def test_calling_a_cache_gives_the_entry() -> None:
    """So a cache can be a loader: the value comes with the moment at which it expires, on a miss and on a hit."""
    cache = make_cache(Origin())
    assert [await cache(1), await cache(1)] == [Entry("value", 61.0), Entry("value", 61.0)]


@in_virtual_time
async def test_a_given_clock_decides_what_is_fresh() -> None:
    """With `clock=` the loop's time does not matter."""
    time = 1000.0
    origin = Origin()
    cache = make_cache(origin, MemoryStore(100, clock=lambda: time), clock=lambda: time)
    await cache.get(1)
    time += 59.0
    await cache.get(1)
    time += 1.0
    await cache.get(1)
    assert origin.calls == 2


# Errors of the origin


@in_virtual_time
async def test_the_origins_error_reaches_the_caller_unchanged() -> None:
    """It is the very same exception, not another one around it."""
    error = LookupError("the origin's own")
    with pytest.raises(LookupError) as raised:
        await make_cache(Origin(error)).get(1)
    assert raised.value is error


@in_virtual_time
async def test_an_error_is_not_remembered() -> None:
    """The next `get` loads again, even if absences are remembered."""
    origin = Origin(LookupError())
    cache = make_cache(origin, negative_ttl=60.0)
    with pytest.raises(LookupError):
        await cache.get(1)
    origin.answer = "value"
    assert await cache.get(1) == "value"


def load_without_async(key: int) -> Any:
    """A loader whose `async` was forgotten."""
    return "value"


async def load_miss(key: int) -> Any:
    """A loader that returns what only a store may return."""
    return MISS


@pytest.mark.parametrize(
    ("load", "sentence"),
    [
        (load_without_async, "load must be an async function, but it returned str at once"),
        (load_miss, "load returned MISS, which only a store returns; return ABSENT"),
    ],
)
@in_virtual_time
async def test_a_loader_that_is_no_loader_is_refused_with_the_reason(load: Any, sentence: str) -> None:
    """One sentence names the mistake, at the first load."""
    with pytest.raises(TypeError, match=sentence):
        await make_cache(load).get(1)


@in_virtual_time
async def test_a_loader_may_return_anything_that_can_be_awaited() -> None:
    """A future, for example, and not only a coroutine."""

    def load(key: int) -> Any:
        answer = asyncio.get_running_loop().create_future()
        answer.set_result("value")
        return answer

    assert await make_cache(load).get(1) == "value"


# Errors of the store


class Picky(RemoteStore):
    """A store that takes no key but an int, and no value that is a set."""

    async def get(self, key: Any) -> Entry[Any] | Miss:
        return await super().get(self.checked(key))

    async def set(self, key: Any, entry: Entry[Any]) -> None:
        if isinstance(entry.value, set):
            raise TypeError("A value of type set cannot be encoded.")
        await super().set(self.checked(key), entry)

    async def delete(self, key: Any) -> None:
        await super().delete(self.checked(key))

    def checked(self, key: Any) -> int:
        """The key, if it is an int."""
        if not isinstance(key, int):
            raise TypeError(f"A key is an int, not {type(key).__name__}.")
        return key


class PickyInProcess(Picky):
    """The same in this process."""

    def peek(self, key: Any) -> Entry[Any] | Miss:
        return MISS


@SHARED
@pytest.mark.parametrize("verb", ["get", "__call__", "delete"])
@pytest.mark.parametrize("store", [Picky, PickyInProcess])
@in_virtual_time
async def test_a_key_that_the_store_cannot_take_raises(store: type[Picky], verb: str, shared: bool) -> None:
    """It is no outage: the caller gets the store's sentence, nothing is loaded, and no store error is counted."""
    origin = Origin()
    cache = make_cache(origin, store(), shared=shared)
    with pytest.raises(TypeError, match="A key is an int, not float"):
        await getattr(cache, verb)(1.5)
    assert (origin.calls, cache.store_errors, left_behind(cache)) == (0, 0, 0)


@SHARED
@pytest.mark.parametrize("store", [Picky, PickyInProcess])
@in_virtual_time
async def test_a_value_that_the_store_cannot_take_raises(store: type[Picky], shared: bool) -> None:
    """Each caller is told: without that, each read would load and nobody would know why."""
    cache = make_cache(Origin({1}), store(), shared=shared)
    for answer in await asyncio.gather(*start_gets(cache, 3), return_exceptions=True):
        assert repr(answer) == "TypeError('A value of type set cannot be encoded.')"
    assert (cache.store_errors, tally(cache)[2], left_behind(cache)) == (0, 1 if shared else 3, 0)


@SHARED
@in_virtual_time
async def test_a_value_that_a_leasing_store_cannot_take_raises(shared: bool) -> None:
    """The fill goes through the lease, and runs in a task of its own. Its error reaches the caller all the same."""

    class PickyLeasing(LeasingStore):
        async def arrive(self, operation: str) -> None:
            if operation == "set":
                raise TypeError("A value of type set cannot be encoded.")
            await super().arrive(operation)

    cache = make_cache(Origin({1}), PickyLeasing(), shared=shared)
    with pytest.raises(TypeError, match="A value of type set cannot be encoded"):
        await cache.get(1)
    assert (cache.store_errors, left_behind(cache)) == (0, 0)


@in_virtual_time
async def test_a_fill_whose_caller_is_gone_reports_a_wrong_value_to_the_loop() -> None:
    """Nobody waits for it any more, so that the loop's exception handler is told."""
    reported: list[str] = []
    loop: Any = asyncio.get_running_loop()
    loop.call_exception_handler = lambda context: reported.append(repr(context["exception"]))

    class SlowPicky(Picky):
        async def set(self, key: Any, entry: Entry[Any]) -> None:
            await asyncio.sleep(1.0)
            await super().set(key, entry)

    cache = make_cache(Origin({1}), SlowPicky())
    (caller,) = start_gets(cache)
    await asyncio.sleep(1.5)
    caller.cancel()
    await asyncio.wait([caller])
    del caller  # it holds its CancelledError, and with that the frames of the load
    await asyncio.sleep(2.0)
    gc.collect()
    assert reported == ["TypeError('A value of type set cannot be encoded.')"]


@pytest.mark.parametrize("listened", [False, True])
@in_virtual_time
async def test_the_first_store_error_that_nobody_hears_is_logged(
    listened: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each cache without a listener: otherwise a store that never works is not noticed."""
    listen = list[Any]().append if listened else None
    for name in ("users", "orders"):
        cache = make_cache(Origin(), BrokenStore("get", "set", "delete"), name=name, listen=listen)
        with pytest.raises(InvalidationFailed):
            await cache.delete(1)  # this caller is told itself
        for key in range(3):
            await cache.get(key)
    sentence = "The store of {} has failed: ConnectionError('get is broken'). Its later errors are only counted."
    expected = [] if listened else [("WARNING", sentence.format(name)) for name in ("users", "orders")]
    assert [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "cachelab.store"] == expected


@pytest.mark.parametrize("operation", ["get", "set"])
@in_virtual_time
async def test_a_store_that_fails_costs_a_load_and_not_the_request(operation: str) -> None:
    """Each `get` is answered by the origin for as long as the store can't be read or written."""
    origin = Origin()
    cache = make_cache(origin, BrokenStore(operation))
    assert [await cache.get(1), await cache.get(1), origin.calls] == ["value", "value", 2]


@pytest.mark.parametrize("operation", ["get", "set"])
@in_virtual_time
async def test_a_failed_read_or_fill_is_a_counted_miss(operation: str) -> None:
    """It is counted as a miss and as a store error, and a fact holds the exception."""
    heard: Heard = []
    cache = make_cache(Origin(), BrokenStore(operation), listen=heard.append)
    await cache.get(1)
    errors = [str(event.error) for event in heard if isinstance(event, Fact) and event.kind == "store error"]
    assert (cache.misses, cache.store_errors, errors) == (1, 1, [f"{operation} is broken"])
    assert facts(heard) == (["store error", "load"] if operation == "get" else ["load", "store error"])


@in_virtual_time
async def test_a_store_that_recovers_is_used_again() -> None:
    """Nothing about a failure is remembered."""
    store, origin = BrokenStore("get", "set"), Origin()
    cache = make_cache(origin, store)
    await cache.get(1)
    store.broken.clear()
    await cache.get(1)
    await cache.get(1)
    assert origin.calls == 2


@pytest.mark.parametrize("operation", ["get", "set", "delete"])
@in_virtual_time
async def test_a_store_may_raise_before_there_is_anything_to_await(operation: str) -> None:
    """A plain function in place of an async one, which raises when it is called, is a store error like any other."""
    store, origin = RemoteStore(), Origin()

    def fail(*_: object) -> Any:
        raise ConnectionError

    setattr(store, operation, fail)
    cache = make_cache(origin, store)
    assert await cache.get(1) == "value"
    with pytest.raises(InvalidationFailed) if operation == "delete" else nullcontext():
        await cache.delete(1)
    assert (cache.store_errors, left_behind(cache)) == (1, 0)


@pytest.mark.parametrize("asked", [60.0, 61.0], ids=["at the instant", "later"])
@in_virtual_time
async def test_an_entry_that_expires_while_the_store_answers_is_not_a_hit(asked: float) -> None:
    """An entry is gone at the instant `expires`, even if the slow store found it a moment before."""
    origin = Origin(load_time_s=0.0)
    cache = make_cache(origin, RemoteStore(latency_s=2.0))
    await cache.get(1)  # the read took 2 s, so the load ended at second 2, and the entry expires at 62
    await until(asked)
    await cache.get(1)
    assert (now() >= asked + 2.0, origin.calls) == (True, 2)


# Deletes


@in_virtual_time
async def test_delete_forgets() -> None:
    """After a delete the next `get` asks the origin."""
    origin = Origin("old")
    cache = make_cache(origin)
    await cache.get(1)
    origin.answer = "new"
    await cache.delete(1)
    assert await cache.get(1) == "new"


@in_virtual_time
async def test_delete_touches_no_other_key() -> None:
    """The entries of other keys stay."""
    origin = Origin()
    cache = make_cache(origin)
    await cache.get(1)
    await cache.delete(2)
    await cache.get(1)
    assert origin.calls == 1


@in_virtual_time
async def test_a_failed_delete_raises() -> None:
    """Silence would mean stale data. The error names the cache and the key, and its cause is the store's own error."""
    cache = make_cache(Origin(), BrokenStore("delete"), name="users")
    with pytest.raises(InvalidationFailed, match="users could not delete 1") as raised:
        await cache.delete(1)
    assert isinstance(raised.value.__cause__, ConnectionError)


@in_virtual_time
async def test_a_failed_delete_below_still_deletes_above() -> None:
    """The upper level forgets the key all the same, and the caller gets the error."""
    upper_store = RemoteStore()
    lower = make_cache(Origin(), BrokenStore("delete"))
    upper = make_cache(lower, upper_store)
    await upper.get(1)
    with pytest.raises(InvalidationFailed):
        await upper.delete(1)
    assert upper_store.entries == {}


@in_virtual_time
async def test_a_failed_delete_names_the_level_that_failed() -> None:
    """The error of the lower level reaches the caller unchanged. Only that level counts it, and neither has deleted."""
    heard: Heard = []
    lower = make_cache(Origin(), BrokenStore("delete"), name="L2", listen=heard.append)
    upper = make_cache(lower, name="L1", listen=heard.append)
    with pytest.raises(InvalidationFailed, match="L2 could not delete 1") as raised:
        await upper.delete(1)
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert (upper.store_errors, lower.store_errors, facts(heard)) == (0, 1, ["store error"])


@in_virtual_time
async def test_a_loader_whose_delete_fails_is_a_level_that_was_not_reached() -> None:
    """The loader is no cache. This cache counts the error and raises, and has forgotten the key itself."""

    class Row(Origin):
        async def delete(self, key: int) -> None:
            raise ConnectionError("no route")

    heard: Heard = []
    store = RemoteStore()
    cache = make_cache(Row(), store, name="users", listen=heard.append)
    await cache.get(1)
    with pytest.raises(InvalidationFailed, match="users could not delete 1: it may be served stale; retry") as raised:
        await cache.delete(1)
    assert repr(raised.value.__cause__) == "ConnectionError('no route')"
    assert (store.entries, cache.store_errors, facts(heard)[2:]) == ({}, 1, ["store error"])


@in_virtual_time
async def test_a_failed_delete_can_be_repeated() -> None:
    """Once the store answers again, the same call succeeds."""
    store = BrokenStore("delete")
    cache = make_cache(Origin(), store)
    await cache.get(1)
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    store.broken.clear()
    await cache.delete(1)
    assert store.entries == {}


@in_virtual_time
async def test_every_store_error_that_is_reported_is_also_counted() -> None:
    """The counter and the facts agree, for a failed delete too."""
    heard: Heard = []
    cache = make_cache(Origin(), BrokenStore("get", "set", "delete"), listen=heard.append)
    await cache.get(1)
    with pytest.raises(InvalidationFailed):
        await cache.delete(1)
    assert cache.store_errors == facts(heard).count("store error")


# Records, facts and counters

READS: dict[str, tuple[Any, float, list[tuple[str, str]]]] = {
    "a value": ("value", 0.0, [("miss", "value"), ("hit", "value")]),
    "None": (None, 0.0, [("miss", "value"), ("hit", "value")]),
    "an absence": (ABSENT, 0.0, [("miss", "absent"), ("miss", "absent")]),
    "an absence that is remembered": (ABSENT, 60.0, [("miss", "absent"), ("hit", "absent")]),
    "an error": (LookupError(), 60.0, [("miss", "error"), ("miss", "error")]),
}


@EVERY_STORE
@pytest.mark.parametrize(("answer", "negative_ttl", "expected"), READS.values(), ids=READS)
@pytest.mark.parametrize("verb", ["get", "call"])
@in_virtual_time
async def test_each_get_leaves_one_record(
    verb: str, new_store: NewStore, answer: Any, negative_ttl: float, expected: list[tuple[str, str]]
) -> None:
    """Two reads of one key leave two records, whatever the origin answers, and with either store and either verb."""
    heard: Heard = []
    cache = make_cache(Origin(answer), new_store(), negative_ttl=negative_ttl, listen=heard.append)
    for _ in expected:
        with suppress(LookupError):
            await (cache.get(1) if verb == "get" else cache(1))
    assert records(heard) == expected


@pytest.mark.parametrize("verb", ["get", "__call__"])
@in_virtual_time
async def test_a_key_that_is_not_hashable_leaves_no_record(verb: str) -> None:
    """`peek` raises, and its error reaches the caller: there was no question to which a record could be the answer."""
    heard: Heard = []
    cache: Any = make_cache(Origin(), listen=heard.append)
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        await getattr(cache, verb)([1])
    assert (heard, tally(cache), cache.store_errors, left_behind(cache)) == ([], (0, 0, 0, 0), 0, 0)


@pytest.mark.parametrize("callers", [1, 3])
@in_virtual_time
async def test_only_those_that_wait_for_a_slow_fill_get_a_value_later_than_its_ttl(callers: int) -> None:
    """The load ends at second 2, and the fill at 10, when the TTL is over. The next caller loads again."""
    heard: Heard = []
    origin, store = Origin("old"), RemoteStore(1.0)
    cache = make_cache(origin, store, shared=True, ttl=5.0, listen=heard.append)
    waiting = start_gets(cache, callers)
    await until(1.5)
    store.latency_s = 8.0
    assert (await asyncio.gather(*waiting), now()) == (["old"] * callers, 10.0)
    assert [event.stale_s for event in heard if isinstance(event, Record)] == [3.0] * callers
    origin.answer, store.latency_s = "new", 0.0
    assert await cache.get(1) == "new"


@in_virtual_time
async def test_without_a_listener_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a record nor a fact."""

    def build(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("cachelab.events.Record", build)
    monkeypatch.setattr("cachelab.events.Fact", build)
    cache = make_cache(Origin(), BrokenStore("set"))
    assert [await cache.get(1), await cache.get(1), tally(cache)] == ["value", "value", (0, 0, 2, 0)]
    await cache.delete(1)


@in_virtual_time
async def test_a_load_that_is_cancelled_from_elsewhere_leaves_a_record() -> None:
    """A loader may wait for a task that is cancelled elsewhere; then this `get` ends in an error like any other."""
    heard: Heard = []

    async def load(key: int) -> str:
        raise asyncio.CancelledError

    cache: Cache[int, str] = Cache(MemoryStore(1), load, ttl=60.0, listen=heard.append)
    with pytest.raises(asyncio.CancelledError):
        await cache.get(1)
    assert records(heard) == [("miss", "error")]


@in_virtual_time
async def test_a_record_names_the_cache_and_the_key() -> None:
    """Ratios are per cache, so each record says which one it was."""
    heard: Heard = []
    cache = make_cache(Origin(), name="users", listen=heard.append)
    await cache.get(42)
    assert [event for event in heard if isinstance(event, Record)] == [Record("users", 42, "miss", "value")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("value", ["load", "fill"]), (ABSENT, ["load"]), (LookupError(), ["load", "load error"])],
    ids=["value", "absent", "error"],
)
@in_virtual_time
async def test_a_miss_reports_what_it_did(answer: Any, expected: list[str]) -> None:
    """Each load and each fill is a fact, and there are no facts for steps that were not taken."""
    heard: Heard = []
    with suppress(LookupError):
        await make_cache(Origin(answer), listen=heard.append).get(1)
    assert facts(heard) == expected


@in_virtual_time
async def test_a_hit_reports_no_facts() -> None:
    """A hit is a record and nothing else."""
    heard: Heard = []
    cache = make_cache(Origin(), listen=heard.append)
    await cache.get(1)
    heard.clear()
    await cache.get(1)
    assert heard == [Record("cache", 1, "hit", "value")]


@in_virtual_time
async def test_a_load_error_holds_the_origins_exception() -> None:
    """A listener learns what went wrong, not only that something did, and after how many seconds."""
    heard: Heard = []
    error = LookupError()
    with pytest.raises(LookupError):
        await make_cache(Origin(error, 2.0), listen=heard.append).get(1)
    assert Fact("cache", 1, "load error", error, 2.0) in heard


@SHARED
@in_virtual_time
async def test_a_fact_says_how_long_a_load_took(shared: bool) -> None:
    """Of an answer, of an absence, and of a load that was cancelled after a second."""
    heard: Heard = []
    for answer in ("value", ABSENT):
        await make_cache(Origin(answer, 2.5), shared=shared, listen=heard.append).get(1)
    cache = make_cache(Origin(load_time_s=2.5), shared=shared, listen=heard.append)
    (caller,) = start_gets(cache)
    await asyncio.sleep(1.0)
    await cache.aclose()
    await asyncio.wait([caller])
    heard_facts = [event for event in heard if isinstance(event, Fact)]
    took = [(fact.kind, fact.seconds) for fact in heard_facts if fact.seconds is not None]
    assert took == [("loaded", 2.5), ("loaded", 2.5), ("load abandoned", 1.0)]
    assert {fact.error for fact in heard_facts} == {None}


@in_virtual_time
async def test_a_delete_is_a_fact() -> None:
    """It carries the name of the cache that has deleted the key."""
    heard: Heard = []
    await make_cache(Origin(), listen=heard.append).delete(1)
    assert heard == [Fact("cache", 1, "delete")]


@EVERY_STORE
@pytest.mark.parametrize("listen", [None, [].append], ids=["no listener", "listener"])
@pytest.mark.parametrize("verb", ["get", "__call__"])
@in_virtual_time
async def test_the_counters_count(verb: str, listen: Any, new_store: NewStore) -> None:
    """Two hits, three misses, three loads, one of them an error; with a listener and without one."""
    origin = Origin()
    cache = make_cache(origin, new_store(), listen=listen)
    for key in (1, 2, 1, 2):
        await getattr(cache, verb)(key)
    origin.answer = LookupError()
    with pytest.raises(LookupError):
        await getattr(cache, verb)(3)
    assert (cache.hits, cache.misses, cache.loads, cache.load_errors, cache.store_errors) == (2, 3, 3, 1, 0)


@in_virtual_time
async def test_a_listener_that_raises_disturbs_no_caller(capsys: pytest.CaptureFixture[str]) -> None:
    """The caller gets the value, the cache fills, and the error goes to the loop's exception handler."""

    def listen(event: Record | Fact) -> None:
        raise ValueError("the listener's own")

    origin = Origin()
    cache = make_cache(origin, name="users", listen=listen)
    assert [await cache.get(1), await cache.get(1), origin.calls] == ["value", "value", 1]
    reported = capsys.readouterr().err
    assert "The listener of users raised on Record(cache='users', key=1, outcome='hit'" in reported
    assert "the listener's own" in reported


# A store in another process


@in_virtual_time
async def test_a_store_without_peek_is_read_once_per_get() -> None:
    """A hit takes one round trip."""
    read_keys = []

    class CountingStore(RemoteStore):
        async def get(self, key: Any) -> Any:
            read_keys.append(key)
            return await super().get(key)

    cache = make_cache(Origin(), CountingStore())
    await cache.get(1)
    await cache.get(1)
    assert read_keys == [1, 1]


@in_virtual_time
async def test_a_miss_costs_the_stores_answer_on_top_of_the_load() -> None:
    """The caller waits for the read, the load and the fill, as the module says."""
    cache = make_cache(Origin(load_time_s=1.0), RemoteStore(latency_s=0.25))
    await cache.get(1)
    assert now() == 1.5


@in_virtual_time
async def test_a_hit_in_this_process_awaits_nothing() -> None:
    """A hit runs to its end in one step, so no other task can run in between."""
    cache = make_cache(Origin())
    await cache.get(1)
    with pytest.raises(StopIteration, match="value"):
        cache.get(1).send(None)


@pytest.mark.parametrize("verb", ["get", "__call__"])
@in_virtual_time
async def test_a_hit_in_this_process_only_peeks(verb: str) -> None:
    """The other operations of the store cost more, and a hit needs none of them."""
    store: Any = MemoryStore(10)
    cache = make_cache(Origin(), store)
    await cache.get(1)
    store.get = store.set = None
    await getattr(cache, verb)(1)
    assert (cache.hits, cache.store_errors) == (1, 0)


# What is refused


@pytest.mark.parametrize("ttl", [0.0, -1.0, math.nan])
def test_a_ttl_must_be_above_zero(ttl: float) -> None:
    """The message names the argument, its unit, the value that was given, and how to keep values for ever."""
    with pytest.raises(ValueError, match=f"ttl must be more than 0 seconds, not {ttl}; math.inf keeps values"):
        make_cache(Origin(), ttl=ttl)


@pytest.mark.parametrize("negative_ttl", [-1.0, math.nan])
def test_a_negative_ttl_must_be_zero_or_more(negative_ttl: float) -> None:
    """The message names the argument, its unit, the value that was given, and what 0 means."""
    with pytest.raises(ValueError, match=rf"negative_ttl must be 0 \(.*\) or more seconds, not {negative_ttl}"):
        make_cache(Origin(), negative_ttl=negative_ttl)


NO_NUMBERS = [None, True, "5", timedelta(seconds=5), Decimal(5), [5.0]]


@pytest.mark.parametrize("name", ["ttl", "negative_ttl"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_a_ttl_must_be_a_number(name: str, value: Any) -> None:
    """One sentence when the cache is built, and no error or cache without end at the first load."""
    with pytest.raises(TypeError, match=rf"^{name} must be a number \(int or float\), not {re.escape(repr(value))}\.$"):
        make_cache(Origin(), **{name: value})


@pytest.mark.parametrize("name", ["ttl", "negative_ttl"])
def test_a_ttl_must_fit_a_float(name: str) -> None:
    """The message says what to write for a time without end."""
    wrong: dict[str, Any] = {name: 10**400}
    with pytest.raises(ValueError, match=f"^{name} is too large a number; math.inf means without end.$"):
        make_cache(Origin(), **wrong)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"store": {}}, "store must have async get, set, delete; a dict has no set and delete."),
        ({"store": None}, "store must have async get, set, delete; a NoneType has no get and set and delete."),
        ({"store": MemoryStore}, "store must be an instance, not the class MemoryStore: write MemoryStore(...)."),
        ({"flight": Flight}, "flight must be an instance, not the class Flight: write Flight(...)."),
        ({"freshness": Freshness}, "freshness must be an instance, not the class Freshness: write Freshness(...)."),
        ({"flight": ThreadFlight()}, "flight must be a Flight, not an object of type ThreadFlight."),
        ({"listen": 3}, "listen must be a function, not 3."),
        ({"clock": 0}, "clock must be a function, not 0."),
    ],
    ids=["a dict", "none", "a class of stores", "a class of flights", "a class of freshness", "threads", "3", "0"],
)
def test_a_part_that_is_no_such_part_is_refused_when_the_cache_is_built(parts: dict[str, Any], sentence: str) -> None:
    """Otherwise each call of it would count as a store error, and each read would load."""
    with pytest.raises(TypeError, match=f"^{re.escape(sentence)}$"):
        Cache(**{"store": MemoryStore(1), "load": Origin(), "ttl": 9.0, **parts})


def test_a_loader_must_be_callable() -> None:
    """A value in place of the loader is refused when the cache is built, not at the first miss."""
    with pytest.raises(TypeError, match="load must be an async function of the key, or a Cache, not 'value'"):
        Cache(MemoryStore(1), "value", ttl=60.0)  # type: ignore[call-overload]


def test_a_cache_refuses_another_loop() -> None:
    """The moments of one loop's clock mean nothing on another's."""
    cache = make_cache(Origin(), RemoteStore(), name="users")
    run(lambda: cache.get(1))
    with pytest.raises(RuntimeError, match="users belongs to another event loop: build it inside the loop"):
        run(lambda: cache.get(2))


@pytest.mark.parametrize("key", [1, 2], ids=["remembered", "unknown"])
def test_a_cache_of_an_ended_simulation_refuses_to_work(key: int) -> None:
    """After the end of its loop it serves neither what it remembers nor what it could load."""
    cache = make_cache(Origin())

    async def scenario() -> None:
        await cache.get(1)
        await cache.get(1)

    run(scenario)
    with pytest.raises(RuntimeError, match=r"build .* inside the"):
        asyncio.run(cache.get(key))
