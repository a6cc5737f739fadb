"""Caches whose loader or store has guards: what a refusal is to them, and what a Redis costs that is away and returns.

While it is away requests take longer. When it is back it still has the values from before.
"""

import asyncio
from typing import Any

import pytest

from cachelab import (
    Breaker,
    Bulkhead,
    Cache,
    Flight,
    Freshness,
    InvalidationFailed,
    MemoryStore,
    RedisStore,
    Refused,
    TimeLimit,
)
from cachelab.entry import MISS
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.lab.sim.faults import Down
from cachelab.lab.sim.simulation import run
from tests.support.caches import SHARED, make_cache, with_stale_entry
from tests.support.fakes import (
    BrokenStore,
    Heard,
    Origin,
    facts,
    in_virtual_time,
    left_behind,
    now,
    records,
    tally,
    until,
)
from tests.support.guarding import ask


def guarded(load: Any) -> Bulkhead[Any, Any]:
    """All three guards, in their order."""
    return Bulkhead(Breaker(TimeLimit(load, 2.0), failures=1, open_s=1_000.0), running=1, waiting=1)


# A refused load


@SHARED
@in_virtual_time
async def test_a_refused_load_is_no_load_and_no_failure_of_the_origin(shared: bool) -> None:
    """Three keys at once for one place and one in line: the third get is a miss that ends with an error."""
    heard: Heard = []
    origin = Origin()
    cache = make_cache(guarded(origin), shared=shared, listen=heard.append)
    assert await asyncio.gather(*(ask(cache.get, key) for key in range(3))) == ["value", "value", Refused]
    assert (cache.loads, cache.load_errors, cache.loads_abandoned, origin.calls) == (2, 0, 0, 2)
    assert (tally(cache), records(heard).count(("miss", "error"))) == ((0, 0, 3, 0), 1)
    assert (facts(heard).count("load"), facts(heard).count("refused"), facts(heard).count("load error")) == (3, 1, 0)
    assert left_behind(cache) == 0


@in_virtual_time
async def test_the_fact_of_a_refusal_has_the_error_and_the_time() -> None:
    """With `last_first` a caller may be refused after it has waited."""
    heard: Heard = []
    load = Bulkhead(Origin(), running=1, waiting=1, last_first=True)
    cache = make_cache(load, listen=heard.append)
    first = [asyncio.create_task(ask(cache.get, key)) for key in range(2)]
    await asyncio.sleep(0.25)
    await asyncio.gather(*first, ask(cache.get, 2))
    (refusal,) = (event for event in heard if getattr(event, "kind", "") == "refused")
    assert (refusal.key, getattr(refusal, "seconds", None)) == (1, 0.25)
    assert isinstance(getattr(refusal, "error", None), Refused)


@in_virtual_time
async def test_those_that_share_a_refused_load_are_all_refused() -> None:
    """They are as many callers, and the origin is asked by none of them."""
    origin = Origin(ConnectionError())
    cache = make_cache(guarded(origin), shared=True)
    await ask(cache.get, 1)
    assert await asyncio.gather(*(ask(cache.get, 2) for _ in range(5))) == [Refused] * 5
    assert (origin.calls, cache.loads, cache.load_errors) == (1, 1, 1)


@in_virtual_time
async def test_no_cache_of_a_stack_counts_a_refused_load() -> None:
    """The upper one has asked the lower one, but no load of it has reached an origin either."""
    lower = make_cache(guarded(Origin(ConnectionError())))
    upper = make_cache(lower)
    assert [await ask(upper.get, key) for key in range(3)] == [ConnectionError, Refused, Refused]
    assert (lower.loads, upper.loads, lower.load_errors, upper.load_errors) == (1, 1, 1, 1)


@in_virtual_time
async def test_while_loads_are_refused_stale_answers_go_on() -> None:
    """Stale-if-error applies to a refusal as to an error of the origin, until the stale time ends."""
    origin = Origin()
    cache = await with_stale_entry(origin)
    cache._loader = breaker = Breaker(Origin(ConnectionError()), failures=1, open_s=1_000.0)
    assert [await cache.get(1) for _ in range(3)] == ["old"] * 3
    await until(80.0)
    assert (await cache.get(1), breaker.state) == ("old", "open")
    await until(85.0)
    assert (await cache.get(1), breaker.refused > 0) == ("old", True)
    await until(91.0)
    assert await ask(cache.get, 1) is Refused


# A refused read of the store


@SHARED
@in_virtual_time
async def test_a_refused_read_is_a_counted_miss_and_nothing_is_filled(shared: bool) -> None:
    """As any error of the store. A caller that could not read does not wait for a fill either."""
    store = BrokenStore("get")
    breaker = Breaker(store, failures=2, open_s=1_000.0)
    cache = make_cache(Origin(), breaker, shared=shared)
    assert [await cache.get(key) for key in range(5)] == ["value"] * 5
    assert (cache.store_errors, breaker.refused, tally(cache), cache.loads) == (5, 3, (0, 0, 5, 0), 5)
    assert (store.entries, left_behind(cache)) == ({}, 0)


@in_virtual_time
async def test_a_delete_is_tried_while_the_breaker_is_open() -> None:
    """It does not raise `Refused`: the value is gone, or the store's own error is there."""
    store = BrokenStore()
    cache = make_cache(Origin(), Breaker(store, failures=1, open_s=1_000.0))
    await cache.get(1)
    store.broken = {"get"}
    await cache.get(1)
    await cache.delete(1)
    assert store.entries == {}


# Loaders of learners


def at_once(key: int) -> str:
    """Not async."""
    return "value"


def raises_at_once(key: int) -> str:
    """Neither async nor good for anything."""
    raise OSError("down")


async def returns_miss(key: int) -> Any:
    """Takes one nothing for another."""
    return MISS


async def cancels_itself(key: int) -> Any:
    """Takes a cancellation for an error."""
    raise asyncio.CancelledError


async def has_a_typo(key: int) -> Any:
    """Asks for what is not there."""
    return key.nmae  # type: ignore[attr-defined]


def returns_a_future(key: int) -> asyncio.Future[str]:
    """Unusual, and right."""
    future = asyncio.get_running_loop().create_future()
    future.set_result("value")
    return future


@pytest.mark.parametrize(
    ("load", "answer"),
    [
        (at_once, "load must be an async function, but it returned str at once."),
        (raises_at_once, "down"),
        (returns_miss, "load returned MISS, which only a store returns; return ABSENT for a key that isn't there."),
        (cancels_itself, "The load of 1 was cancelled before it had an answer."),
        (has_a_typo, "'int' object has no attribute 'nmae'"),
        (returns_a_future, "value"),
    ],
)
@in_virtual_time
async def test_a_broken_loader_gets_the_sentence_that_it_gets_without_guards(load: Any, answer: str) -> None:
    """And it takes no place and no trial with it."""
    guards = Bulkhead(breaker := Breaker(TimeLimit(load, 1.0), failures=9), running=1)
    for loader in (load, guards, guards):
        cache = make_cache(loader, shared=True)
        try:
            said = await cache.get(1)
        except Exception as error:
            said = str(error)
        assert said == answer
    assert (guards._free, guards._line, breaker._is_trying) == (1, [], False)


# A Redis that is away

TIMEOUT_S, LOAD_S, LATENCY_S = 0.1, 0.05, 0.001
BEGIN, END = 10.0, 20.0
OUTAGES = pytest.mark.parametrize(
    "fault", [Hanging(BEGIN, END), Down(BEGIN, END), "80 ms away"], ids=["hangs", "refuses", "is far"]
)


def make_redis(fault: Any) -> FakeRedis:
    """A Redis with this fault, or one that is 80 ms away in the time of the others' faults."""
    if fault == "80 ms away":
        return FakeRedis(timeout_s=TIMEOUT_S, latency_s=lambda: 0.08 if BEGIN <= now() < END else LATENCY_S)
    return FakeRedis(fault, timeout_s=TIMEOUT_S, latency_s=LATENCY_S)


async def replay(cache: Cache[int, Any], until_s: float) -> list[tuple[float, float, Any]]:
    """Ask for one of fifty keys each 50 ms: when, how many seconds it took, and the answer."""

    async def get(key: int) -> None:
        began = now()
        answer = await ask(cache.get, key)
        took.append((began, round(now() - began, 6), answer))

    took: list[tuple[float, float, Any]] = []
    tasks = []
    number = 0
    while now() < until_s:
        tasks.append(asyncio.create_task(get(number % 50)))
        number += 1
        await asyncio.sleep(0.05)
    await asyncio.wait(tasks)
    return took


def make_redis_cache(
    redis: FakeRedis, *, has_breaker: bool = True, open_s: float = 1.0, ttl: float = 60.0, stale_for: float = 0.0
) -> tuple[Cache[int, Any], Any]:
    """A cache whose store has a time-out of its own, and a breaker if it is said so."""
    store: Any = RedisStore(redis.client(), str, namespace="test", version=1)
    if has_breaker:
        store = Breaker(store, failures=3, open_s=open_s)
    freshness = Freshness(stale_for=stale_for)
    return Cache(store, Origin(load_time_s=LOAD_S), ttl=ttl, flight=Flight(), freshness=freshness), store


@OUTAGES
@in_virtual_time
async def test_an_outage_costs_the_time_out_at_most_and_almost_nothing_while_the_breaker_is_open(fault: Any) -> None:
    """Each request is answered. A refused one costs the load alone, and after the outage hits come back."""
    cache, breaker = make_redis_cache(make_redis(fault))
    took = await replay(cache, END + 5.0)
    assert {answer for _, _, answer in took} == {"value"}
    assert max(seconds for _, seconds, _ in took) <= TIMEOUT_S + LOAD_S + LATENCY_S
    during = [seconds for began, seconds, _ in took if BEGIN + 0.5 <= began < END - 0.2]
    if fault != "80 ms away":
        waited = [seconds for seconds in during if seconds > LOAD_S + 2 * LATENCY_S]
        assert len(waited) <= len(during) * 0.1  # one trial a second
        assert sorted(during)[len(during) // 2] == LOAD_S
        assert breaker.opened >= 5
    after = [seconds for began, seconds, _ in took if began > END + 3.0]
    assert (max(after) < LOAD_S, breaker.state) == (True, "closed")


async def cost(fault: Any, has_breaker: bool) -> tuple[int, float]:
    """How many queries there are during the outage, and how many seconds its requests take on average."""
    cache, _ = make_redis_cache(make_redis(fault), has_breaker=has_breaker)
    await replay(cache, BEGIN)
    loads = cache.loads
    took = await replay(cache, END)
    return cache.loads - loads, sum(seconds for _, seconds, _ in took) / len(took)


def test_a_breaker_saves_time_and_no_query() -> None:
    """With a Redis that hangs it saves nearly the whole time-out, with one that refuses a round trip."""
    hanging, refusing = Hanging(BEGIN, END), Down(BEGIN, END)
    (plain_queries, plain_s), (queries, seconds) = run(cost, hanging, False), run(cost, hanging, True)
    assert (queries, plain_queries) == (200, 200)
    assert plain_s > LOAD_S + 0.7 * TIMEOUT_S  # requests that join a read under way wait for the rest of its time-out
    assert seconds < LOAD_S + 0.15 * TIMEOUT_S
    (plain_queries, plain_s), (queries, seconds) = run(cost, refusing, False), run(cost, refusing, True)
    assert (queries, plain_queries) == (200, 200)
    assert seconds < plain_s < LOAD_S + 3 * LATENCY_S


@OUTAGES
@in_virtual_time
async def test_with_memory_and_stale_answers_everything_is_answered_at_once(fault: Any) -> None:
    """Redis is away and the origin too, and each request is answered without any wait, with what the memory has."""
    l2, _ = make_redis_cache(make_redis(fault))
    origin = l2._loader
    l1: Cache[int, Any] = Cache(
        MemoryStore(100), l2, ttl=3.0, flight=Flight(), freshness=Freshness(stale_for=60.0), name="l1"
    )
    warm = await replay(l1, BEGIN)
    origin.answer = ConnectionError("the origin is down")
    took = await replay(l1, END)
    assert {(seconds, answer) for _, seconds, answer in took} == {(0.0, "value")}
    assert len(warm) > 100


@pytest.mark.parametrize("below_s", [0.0, 60.0], ids=["in the memory alone", "at both levels"])
@OUTAGES
@in_virtual_time
async def test_stale_answers_have_to_be_allowed_at_both_levels(fault: Any, below_s: float) -> None:
    """The entries of Redis end as the outage begins. A memory serves nothing longer than the level below it would."""
    l2, _ = make_redis_cache(make_redis(fault), ttl=BEGIN - 0.5, stale_for=below_s)
    freshness = Freshness(stale_for=60.0)
    l1: Cache[int, Any] = Cache(MemoryStore(100), l2, ttl=3.0, flight=Flight(), freshness=freshness, name="l1")
    await replay(l1, BEGIN)
    waited = [seconds for _, seconds, _ in await replay(l1, END) if seconds > 0]
    assert bool(waited) is not bool(below_s)


# A Redis that comes back with its old values

TTL_S, AGAIN_S, OPEN_S = 30.0, 1.0, 8.0
WRITTEN = BEGIN + 1.0
"""When all fifty rows are written, during the outage."""
RETURNS = pytest.mark.parametrize("fault", [Hanging(BEGIN, END), Down(BEGIN, END)], ids=["hangs", "refuses"])
WITH_BREAKER = pytest.mark.parametrize("has_breaker", [False, True], ids=["plain", "breaker"])


class Returned:
    """A replay of reads around an outage during which each row is written once.

    `old`      when the reads began that were answered with the value from before the write, and began after it
    `deleted`  when each delete succeeded that was tried again; empty if none was
    `open`     how many of them succeeded while the breaker was open
    """

    def __init__(self) -> None:
        self.old: list[float] = []
        self.deleted: list[float] = []
        self.open = 0

    async def play(self, fault: Any, *, has_breaker: bool, again: bool) -> None:
        """Each handler deletes after its write. With `again` it tries once a second until the delete has worked."""
        cache, store = make_redis_cache(make_redis(fault), has_breaker=has_breaker, open_s=OPEN_S, ttl=TTL_S)

        async def delete(key: int) -> None:
            while True:
                try:
                    await cache.delete(key)
                    break
                except InvalidationFailed:
                    if not again:
                        return
                    await asyncio.sleep(AGAIN_S)
            self.deleted.append(now())
            self.open += has_breaker and store.state == "open"

        origin: Any = cache._loader
        origin.answer = "old"
        await replay(cache, WRITTEN)
        origin.answer = "new"
        handlers = [asyncio.create_task(delete(key)) for key in range(50)]
        took = await replay(cache, TTL_S + 10.0)
        await asyncio.gather(*handlers)
        self.old = [began for began, _, answer in took if answer == "old"]
        assert {answer for _, _, answer in took} <= {"old", "new"}
        assert left_behind(cache) == 0


@RETURNS
@WITH_BREAKER
@in_virtual_time
async def test_values_from_before_a_write_come_back_with_redis(fault: Any, has_breaker: bool) -> None:
    """The deletes failed, and nobody tried again. Answers were new during the outage, and are old until the TTL ends.

    While the breaker is open nobody reads the old values, but it only puts them off.
    """
    seen = Returned()
    await seen.play(fault, has_breaker=has_breaker, again=False)
    assert seen.deleted == []
    assert END <= min(seen.old) < (END + OPEN_S if has_breaker else END + 0.1)
    assert TTL_S - 0.1 < max(seen.old) < TTL_S + 50 * 0.05 + LOAD_S  # the last of the fifty was loaded so late


@RETURNS
@WITH_BREAKER
@in_virtual_time
async def test_a_delete_that_is_tried_again_succeeds_soon_after_redis_is_back(fault: Any, has_breaker: bool) -> None:
    """From then on no answer is old. A breaker that is open lets the delete through, so it is not later with one."""
    seen = Returned()
    await seen.play(fault, has_breaker=has_breaker, again=True)
    assert len(seen.deleted) == 50
    assert END <= min(seen.deleted) <= max(seen.deleted) < END + AGAIN_S + TIMEOUT_S + 0.1
    assert seen.open == (50 if has_breaker else 0)
    assert [began for began in seen.old if began > max(seen.deleted)] == []
    assert bool(seen.old) is not has_breaker  # while it is open nobody reads Redis at all
