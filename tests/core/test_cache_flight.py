"""A cache with a flight, in virtual time: which caller loads, what each one gets, and what is left in the tables."""

import asyncio
import gc
import math
import weakref
from collections import Counter
from contextvars import ContextVar
from random import Random
from typing import Any

import pytest

from cachelab import ABSENT, MISS, Entry, LoadAbandoned
from tests.support.caches import EVERY_STORE_WITH_LATENCY, SHARED, NewStore, make_cache, make_flight_cache, start_gets
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
)
from tests.support.gated import EVERY_AWAIT_OF_A_READ, GatedCache, GatedLocalStore, GatedStore

# One load


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_a_thousand_callers_share_one_load(new_store: NewStore) -> None:
    """One miss and 999 collapsed, in the counters and in the records, and nothing is left in the tables."""
    origin, heard = Origin(), list[Any]()
    cache = make_flight_cache(origin, new_store(), listen=heard.append)
    answers = await asyncio.gather(*start_gets(cache, 1_000))
    assert (set(answers), origin.calls, cache.loads, tally(cache)) == ({"value"}, 1, 1, (0, 0, 1, 999))
    assert Counter(records(heard)) == {("miss", "value"): 1, ("collapsed", "value"): 999}
    assert left_behind(cache) == 0


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_callers_during_the_load_collapse_and_later_ones_hit(new_store: NewStore) -> None:
    """Ten callers come a tenth of a second apart, during a load of a second, and one comes after it."""
    origin = Origin()
    cache = make_flight_cache(origin, new_store())
    callers = []
    for _ in range(10):
        callers += start_gets(cache)
        await asyncio.sleep(0.1)
    await asyncio.gather(*callers)
    await cache.get(1)
    assert (origin.calls, tally(cache)) == (1, (1, 0, 1, 9))


@EVERY_STORE_WITH_LATENCY
@pytest.mark.parametrize(("answer", "calls"), [(None, 1), (0, 1), (ABSENT, 2)], ids=repr)
@in_virtual_time
async def test_every_answer_is_shared(new_store: NewStore, answer: Any, calls: int) -> None:
    """None and ABSENT are answers for all waiters. An absence that is not remembered is loaded again later."""
    origin = Origin(answer)
    cache = make_flight_cache(origin, new_store())
    answers = await asyncio.gather(*start_gets(cache, 10))
    assert (answers, origin.calls) == ([answer] * 10, 1)
    assert (await cache.get(1), origin.calls) == (answer, calls)


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_an_absence_that_is_remembered_is_shared_and_kept(new_store: NewStore) -> None:
    """With a negative TTL the next caller hits."""
    origin = Origin(ABSENT)
    cache = make_flight_cache(origin, new_store(), negative_ttl=5.0)
    answers = await asyncio.gather(*start_gets(cache, 10))
    assert ([*answers, await cache.get(1)], origin.calls, tally(cache)) == ([ABSENT] * 11, 1, (1, 0, 1, 9))


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_two_keys_do_not_share(new_store: NewStore) -> None:
    """Each key has a load of its own, and its callers get its answer."""

    async def load(key: int) -> int:
        await asyncio.sleep(1.0)
        return key * 10

    cache = make_flight_cache(load, new_store())
    answers = await asyncio.gather(*start_gets(cache, 3, key=1), *start_gets(cache, 3, key=2))
    assert (answers, cache.loads, tally(cache)) == ([10, 10, 10, 20, 20, 20], 2, (0, 0, 2, 4))


@EVERY_STORE_WITH_LATENCY
@in_virtual_time
async def test_a_failing_load_gives_its_error_to_all_and_is_not_remembered(new_store: NewStore) -> None:
    """All waiters get the same error object, it counts as one load error, and the next caller loads again."""
    error, heard = LookupError(), Heard()
    origin = Origin(error)
    cache = make_flight_cache(origin, new_store(), listen=heard.append)
    raised = await asyncio.gather(*start_gets(cache, 100), return_exceptions=True)
    assert {id(each) for each in raised} == {id(error)}
    assert (origin.calls, cache.load_errors, facts(heard)) == (1, 1, ["load", "load error"])
    assert Counter(records(heard)) == {("miss", "error"): 1, ("collapsed", "error"): 99}
    origin.answer = "value"
    assert (await cache.get(1), origin.calls, left_behind(cache)) == ("value", 2, 0)


@pytest.mark.parametrize("broken", ["get", "set"])
@in_virtual_time
async def test_a_store_that_fails_costs_one_load_for_all(broken: str) -> None:
    """The flight does not depend on the store: when it fails, a thousand callers still cause one load."""

    class FailingStore(RemoteStore):
        async def get(self, key: object) -> Any:
            await asyncio.sleep(0.25)
            if broken == "get":
                raise ConnectionError
            return MISS

        async def set(self, key: object, entry: Entry[Any]) -> None:
            raise ConnectionError

    origin = Origin()
    cache = make_flight_cache(origin, FailingStore())
    assert (set(await asyncio.gather(*start_gets(cache, 1_000))), origin.calls) == ({"value"}, 1)


@in_virtual_time
async def test_a_stack_of_two_caches_loads_once() -> None:
    """A thousand callers of the upper cache are one caller of the lower one."""
    origin = Origin()
    lower = make_flight_cache(origin, RemoteStore(0.25))
    upper = make_flight_cache(lower)
    await asyncio.gather(*start_gets(upper, 1_000))
    assert (origin.calls, tally(upper), tally(lower)) == (1, (0, 0, 1, 999), (0, 0, 1, 0))


# Cancelled callers


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_cancelling_the_first_caller_harms_no_other(make_store: type[GatedStore], gate: str) -> None:
    """At whichever `await` the first caller is, the others get the value, and there is one load."""
    gated = GatedCache(make_store, gate, shared=True)
    first, *followers = start_gets(gated.cache, 4)
    await gated.gate.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    gated.gate.opened.set()
    assert (await asyncio.gather(*followers), gated.cache.loads) == (["value"] * 3, 1)
    assert (first.cancelled(), len(records(gated.heard)), left_behind(gated.cache)) == (True, 4, 0)


@EVERY_AWAIT_OF_A_READ
@in_virtual_time
async def test_a_load_goes_on_when_all_its_callers_are_cancelled(make_store: type[GatedStore], gate: str) -> None:
    """A load that has begun ends and fills. Callers that are cancelled while the store is read have begun none."""
    gated = GatedCache(make_store, gate, shared=True)
    callers = start_gets(gated.cache, 3)
    await gated.gate.reached.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    gated.gate.opened.set()
    await asyncio.sleep(1.0)
    assert list(gated.store.entries) == ([] if gate == "read" else [1])
    assert ([result for _, result in records(gated.heard)], left_behind(gated.cache)) == (["error"] * 3, 0)


@in_virtual_time
async def test_a_load_that_cancels_itself_abandons_its_waiters() -> None:
    """Its callers were not cancelled. Each gets LoadAbandoned: there is no answer, and the caller may ask again."""
    origin = Origin(asyncio.CancelledError())
    cache = make_flight_cache(origin)
    raised = await asyncio.gather(*start_gets(cache, 3), return_exceptions=True)
    assert [type(each) for each in raised] == [LoadAbandoned] * 3


@SHARED
@pytest.mark.parametrize("readable", [True, False])
@in_virtual_time
async def test_an_error_is_freed_with_its_last_reference(shared: bool, readable: bool) -> None:
    """No reference cycle keeps it, and the frames in its traceback, until the garbage collector runs."""

    class Down(Exception):
        pass

    async def load(key: int) -> None:
        await asyncio.sleep(1.0)
        raise Down

    cache = make_cache(load, RemoteStore() if readable else BrokenStore("get"), shared=shared)
    caller = start_gets(cache)[0]
    gc.collect()
    gc.disable()
    try:
        await asyncio.wait([caller])
        freed = weakref.ref(caller.exception())
        await asyncio.sleep(1.0)
        del caller
        assert freed() is None
    finally:
        gc.enable()


@SHARED
@in_virtual_time
async def test_a_load_that_the_close_cancels_is_counted(shared: bool) -> None:
    """As abandoned, and not as an error of the origin. Its waiter is told what ended it."""
    heard: Heard = []
    cache = make_cache(Origin(), shared=shared, listen=heard.append)
    (caller,) = start_gets(cache)
    await asyncio.sleep(0.5)
    await cache.aclose()
    assert (cache.loads, cache.load_errors, cache.loads_abandoned) == (1, 0, 1)
    assert (facts(heard), records(heard)) == (["load", "load abandoned"], [("miss", "error")])
    cause = f"CancelledError('The {'flight' if shared else 'cache'} was closed.')"
    assert repr(caller.exception().__cause__) == cause  # type: ignore[union-attr]


@in_virtual_time
async def test_a_load_sees_nothing_of_its_first_callers_context() -> None:
    """It does not see what the first caller has set, and no caller sees what it sets itself."""
    name: ContextVar[str] = ContextVar("name", default="none")

    async def load(key: int) -> str:
        first_caller = name.get()
        await asyncio.sleep(1.0)
        name.set("load")
        return first_caller

    async def call(own_name: str) -> list[Any]:
        name.set(own_name)
        return [await cache.get(1), name.get()]

    cache = make_flight_cache(load)
    assert [*await asyncio.gather(call("first"), call("second"))] == [["none", "first"], ["none", "second"]]


@pytest.mark.parametrize("between", ["a flight", "no flight", "a function"])
@in_virtual_time
async def test_a_load_that_waits_for_itself_by_way_of_another_cache_gets_an_error(between: str) -> None:
    """Users need orders, and orders need the same user. The caller gets a RuntimeError and does not hang."""

    async def load_user(key: int) -> Any:
        await asyncio.sleep(1.0)
        return await (load_order(key) if between == "a function" else orders.get(key))

    async def load_order(key: int) -> Any:
        await asyncio.sleep(1.0)
        return await users.get(key)

    users = make_flight_cache(load_user)
    orders = make_cache(load_order, shared=between == "a flight")
    with pytest.raises(RuntimeError, match="it would wait for its own end"):
        await users.get(1)
    assert left_behind(users) + left_behind(orders) == 0


# Closing the cache


@SHARED
@pytest.mark.parametrize("gate", ["load", "fill, not sent", "fill, sent"])
@pytest.mark.parametrize("make_store", [GatedStore, GatedLocalStore])
@in_virtual_time
async def test_when_the_cache_closes_its_waiters_get_an_error(
    make_store: type[GatedStore], gate: str, shared: bool
) -> None:
    """Each waiter gets LoadAbandoned, and no task is left. Without a flight a load has one waiter."""
    gated, count = GatedCache(make_store, gate, shared=shared), 3 if shared else 1
    async with gated.cache:
        callers = start_gets(gated.cache, count)
        await gated.gate.reached.wait()
        asyncio.get_running_loop().call_later(5.0, gated.gate.opened.set)
    raised = await asyncio.gather(*callers, return_exceptions=True)
    assert ([type(each) for each in raised], other_tasks()) == ([LoadAbandoned] * count, set())
    assert left_behind(gated.cache) == 0


@SHARED
@in_virtual_time
async def test_closing_waits_for_a_fill_that_was_sent(shared: bool) -> None:
    """A fill that was sent to a remote store cannot be called back: the cache has closed when it has the reply."""
    gated = GatedCache(GatedStore, "fill, sent", shared=shared)
    caller = start_gets(gated.cache)[0]
    await gated.gate.reached.wait()
    closing = asyncio.create_task(gated.cache.aclose())
    await asyncio.sleep(1.0)
    assert not closing.done()
    gated.gate.opened.set()
    await closing
    assert (type(caller.exception()), left_behind(gated.cache), other_tasks()) == (LoadAbandoned, 0, set())


@in_virtual_time
async def test_without_a_flight_closing_waits_for_the_fill_of_a_cancelled_caller() -> None:
    """The caller is gone, so that only the cache can wait for the fill."""
    gated = GatedCache(GatedStore, "fill, sent")
    caller = start_gets(gated.cache)[0]
    await gated.gate.reached.wait()
    caller.cancel()
    asyncio.get_running_loop().call_later(5.0, gated.gate.opened.set)
    await gated.cache.aclose()
    assert (left_behind(gated.cache), other_tasks()) == (0, set())


@in_virtual_time
async def test_without_a_flight_closing_waits_for_every_fill() -> None:
    """Two callers of different keys are cancelled while their fills are on their way."""
    store = RemoteStore(1.0)
    cache = make_cache(Origin(load_time_s=0.0), store)
    callers = start_gets(cache, key=1)
    await asyncio.sleep(0.5)
    callers += start_gets(cache, key=2)
    await asyncio.sleep(1.25)  # both reads have ended
    for caller in callers:
        caller.cancel()
    await cache.aclose()
    assert (list(store.entries), left_behind(cache), other_tasks()) == ([1, 2], 0, set())


@SHARED
@in_virtual_time
async def test_nothing_is_filled_after_the_cache_has_closed(shared: bool) -> None:
    """Its load has ended when the block ends: it was cancelled, or it refused and was waited for."""
    store, ended = RemoteStore(), list[float]()

    async def load(key: int) -> str:
        try:
            await asyncio.sleep(10.0)
        except asyncio.CancelledError:
            await asyncio.sleep(key)
            if key == 2:
                return "refused"
            raise
        finally:
            ended.append(now())
        return "value"

    async with make_cache(load, store, shared=shared) as cache:
        callers = start_gets(cache, key=1) + start_gets(cache, key=2)
        await asyncio.sleep(0.5)
    assert (ended, now(), list(store.entries)) == ([1.5, 2.5], 2.5, [2])
    await asyncio.sleep(20.0)
    assert (list(store.entries), left_behind(cache), other_tasks()) == ([2], 0, set())
    assert isinstance(callers[0].exception(), LoadAbandoned)
    assert await callers[1] == "refused"
    assert [caller.cancelling() for caller in callers] == [0, 0]


@SHARED
@in_virtual_time
async def test_a_read_that_the_close_overtakes_starts_no_load(shared: bool) -> None:
    """The store answers after the close that it has no entry. The caller gets the reason why nothing is loaded."""
    origin = Origin()
    async with make_cache(origin, RemoteStore(1.0), shared=shared) as cache:
        (caller,) = start_gets(cache)
        await asyncio.sleep(0.5)
    with pytest.raises(RuntimeError, match="closed: it starts no more loads"):
        await caller
    assert origin.calls == 0


@SHARED
@in_virtual_time
async def test_a_caller_that_is_cancelled_as_the_cache_closes_is_cancelled(shared: bool) -> None:
    """Its own cancellation is not taken for the close, in either order."""
    for first in ("cancel", "close"):
        cache = make_cache(Origin(), shared=shared)
        (caller,) = start_gets(cache)
        await asyncio.sleep(0.5)
        closing = asyncio.ensure_future(cache.aclose())
        if first == "close":
            await asyncio.sleep(0)
        was_waiting = caller.cancel()  # with eager tasks the close has already ended it
        await asyncio.wait([caller, closing])
        assert caller.cancelled() == was_waiting


@in_virtual_time
async def test_a_stack_without_flights_can_be_closed_at_once() -> None:
    """Both loads run in one task. The caller gets one LoadAbandoned, and is not left cancelled."""
    lower = make_cache(Origin())
    upper = make_cache(lower)
    (caller,) = start_gets(upper)
    await asyncio.sleep(0.5)
    await asyncio.gather(lower.aclose(), upper.aclose())
    assert isinstance(caller.exception(), LoadAbandoned)
    assert (caller.cancelling(), left_behind(lower), left_behind(upper)) == (0, 0, 0)


@pytest.mark.parametrize("closed", [0, 1], ids=["lower", "upper"])
@in_virtual_time
async def test_a_load_that_closes_its_cache_is_abandoned(closed: int) -> None:
    """It waits for no end of its own."""

    async def load(key: int) -> str:
        await caches[closed].aclose()
        return "value"

    caches = [make_cache(load)]
    caches.append(make_cache(caches[0]))
    with pytest.raises(LoadAbandoned):
        await caches[1].get(1)


@SHARED
@in_virtual_time
async def test_a_closed_cache_serves_what_it_has_and_loads_no_more(shared: bool) -> None:
    """A key that it remembers is a hit. A key that it would have to load is an error, with the reason."""
    async with make_cache(Origin(), shared=shared) as cache:
        await cache.get(1)
    assert await cache.get(1) == "value"
    with pytest.raises(RuntimeError, match="closed: it starts no more loads"):
        await cache.get(2)
    assert tally(cache) == (1, 0, 2, 0)


@in_virtual_time
async def test_a_cache_can_be_closed_twice() -> None:
    """The second time there is nothing left to end."""
    cache = make_flight_cache(Origin())
    await cache.aclose()
    await cache.aclose()


@SHARED
@in_virtual_time
async def test_a_close_that_is_cancelled_can_be_repeated(shared: bool) -> None:
    """The loads were cancelled by the first one, and the second one waits for the fill that was on its way."""
    gated = GatedCache(GatedStore, "fill, sent", shared=shared)
    (caller,) = start_gets(gated.cache)
    await gated.gate.reached.wait()
    closing = asyncio.create_task(gated.cache.aclose())
    await asyncio.sleep(1.0)
    closing.cancel()
    await asyncio.wait([closing])
    assert (closing.cancelled(), type(caller.exception())) == (True, LoadAbandoned)
    asyncio.get_running_loop().call_later(1.0, gated.gate.opened.set)
    await gated.cache.aclose()
    assert (now(), left_behind(gated.cache), other_tasks()) == (2.0, 0, set())


@SHARED
@in_virtual_time
async def test_a_second_close_leaves_a_load_time_to_clean_up(shared: bool) -> None:
    """It waits for the end as the first one does, and cancels nothing a second time."""
    cleaned: list[float] = []

    async def load(key: int) -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            await asyncio.sleep(2.0)
            cleaned.append(now())

    cache = make_cache(load, shared=shared)
    (caller,) = start_gets(cache)
    await asyncio.sleep(0.5)
    first = asyncio.create_task(cache.aclose())
    await asyncio.sleep(1.0)
    await cache.aclose()
    await first
    assert (cleaned, now(), type(caller.exception()), caller.cancelling()) == ([2.5], 2.5, LoadAbandoned, 0)


@in_virtual_time
async def test_a_caller_that_was_cancelled_before_and_went_on_is_told_of_the_close() -> None:
    """Its earlier cancellation, which it caught, is not taken for a new one."""

    async def call() -> object:
        try:
            await asyncio.sleep(1.0)
        except asyncio.CancelledError:
            return await cache.get(1)
        return None

    cache = make_cache(Origin())
    caller = asyncio.create_task(call())
    await asyncio.sleep(0.5)
    caller.cancel()
    await asyncio.sleep(0.5)
    await cache.aclose()
    assert (type(caller.exception()), caller.cancelling()) == (LoadAbandoned, 1)


@in_virtual_time
async def test_closing_the_upper_cache_does_not_close_the_lower_one() -> None:
    """Each cache ends the loads that it has started itself."""
    origin = Origin()
    lower = make_flight_cache(origin)
    async with make_flight_cache(lower) as upper:
        waiters = start_gets(upper)
        await asyncio.sleep(0.5)
    await asyncio.wait(waiters)
    assert isinstance(waiters[0].exception(), LoadAbandoned)
    assert (await lower.get(1), origin.calls) == ("value", 1)


# The closed form of the stampede


async def loads_per_expiry(*, shared: bool, rate: float, load_time_s: float, cycles: int) -> float:
    """The mean number of loads over so many expiries of a key with a TTL of five seconds, if reads are Poisson."""
    chance, expiries = Random(5), 0
    origin = Origin(load_time_s=load_time_s)

    async def load(key: int) -> Any:
        nonlocal expiries
        expiries += origin.under_way == 0
        return await origin(key)

    cache = make_cache(load, shared=shared, ttl=5.0)
    while expiries < cycles or origin.under_way:
        readers = start_gets(cache)
        await asyncio.sleep(chance.expovariate(rate))
    await asyncio.wait(readers)
    return origin.calls / expiries


@pytest.mark.parametrize(("rate", "load_time_s"), [(5.0, 0.5), (5.0, 2.0), (20.0, 0.5)])
@in_virtual_time
async def test_without_a_flight_an_expiry_costs_a_load_for_each_read_during_a_load(
    rate: float, load_time_s: float
) -> None:
    """With the first one that is 1 + λδ on average, within three standard errors."""
    cycles = 200
    mean = await loads_per_expiry(shared=False, rate=rate, load_time_s=load_time_s, cycles=cycles)
    assert mean == pytest.approx(1 + rate * load_time_s, abs=3 * math.sqrt(rate * load_time_s / cycles))


@in_virtual_time
async def test_with_a_flight_an_expiry_costs_one_load() -> None:
    """It is exactly one, at 20 reads a second and a load of half a second."""
    assert await loads_per_expiry(shared=True, rate=20.0, load_time_s=0.5, cycles=200) == 1.0
