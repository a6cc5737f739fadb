"""A cache with a flight, in virtual time: who loads, who waits, what each is given, and what is left behind."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
from typing import Any

import pytest

from cachelab import ABSENT, MISS, Cache, Entry, Flight, LoadAbandoned, MemoryStore
from tests.support.fakes import Heard, Origin, RemoteStore, facts, in_virtual_time, others, records, tally
from tests.support.gated import Gate, GatedOrigin, GatedStore, GatedStoreHere

NewStore = Callable[[], Any]
EVERY_STORE = pytest.mark.parametrize(
    "new_store", [lambda: MemoryStore(10), lambda: RemoteStore(0.25)], ids=["here", "remote"]
)


def over(load: Any, store: Any = None, **options: Any) -> Cache[int, Any]:
    """A cache with a flight over `load`, with a TTL of 60 s."""
    defaults: dict[str, Any] = {"store": MemoryStore(10) if store is None else store, "ttl": 60.0, "flight": Flight()}
    return Cache(load=load, **defaults | options)


def ask(cache: Cache[int, Any], callers: int = 1, key: int = 1) -> list[asyncio.Task[Any]]:
    """So many callers who ask for the key at once."""
    return [asyncio.create_task(cache.get(key)) for _ in range(callers)]


def left(cache: Cache[int, Any]) -> tuple[int, int, int]:
    """What stands in the cache's tables: loads that can be joined, loads, fences."""
    return len(cache._flight), len(cache._flight._tasks), len(cache._level.standing)


# One load


@EVERY_STORE
@in_virtual_time
async def test_a_thousand_callers_share_one_load(new_store: NewStore) -> None:
    """One load, one miss, 999 collapsed, in the counters and in the records, and nothing left in the tables."""
    origin, heard = Origin(), list[Any]()
    cache = over(origin, new_store(), listen=heard.append)
    answers = await asyncio.gather(*ask(cache, 1_000))
    assert (set(answers), origin.calls, cache.loads, tally(cache)) == ({"value"}, 1, 1, (0, 0, 1, 999))
    assert Counter(records(heard)) == {("miss", "value"): 1, ("collapsed", "value"): 999}
    assert left(cache) == (0, 0, 0)


@EVERY_STORE
@in_virtual_time
async def test_who_comes_during_the_load_collapses_and_who_comes_after_it_hits(new_store: NewStore) -> None:
    """Ten callers a tenth of a second apart, during a load of a second, and one when all is over."""
    origin = Origin()
    cache = over(origin, new_store())
    callers = []
    for _ in range(10):
        callers += ask(cache)
        await asyncio.sleep(0.1)
    await asyncio.gather(*callers)
    await cache.get(1)
    assert (origin.calls, tally(cache)) == (1, (1, 0, 1, 9))


@EVERY_STORE
@pytest.mark.parametrize(("answer", "calls"), [(None, 1), (0, 1), (ABSENT, 2)], ids=repr)
@in_virtual_time
async def test_every_answer_is_shared(new_store: NewStore, answer: Any, calls: int) -> None:
    """None and ABSENT are answers for all who wait; an absence that is not remembered is asked for again later."""
    origin = Origin(answer)
    cache = over(origin, new_store())
    answers = await asyncio.gather(*ask(cache, 10))
    assert (answers, origin.calls) == ([answer] * 10, 1)
    assert (await cache.get(1), origin.calls) == (answer, calls)


@EVERY_STORE
@in_virtual_time
async def test_an_absence_that_is_remembered_is_shared_and_kept(new_store: NewStore) -> None:
    """With a negative TTL the next caller hits."""
    origin = Origin(ABSENT)
    cache = over(origin, new_store(), negative_ttl=5.0)
    answers = await asyncio.gather(*ask(cache, 10))
    assert ([*answers, await cache.get(1)], origin.calls, tally(cache)) == ([ABSENT] * 11, 1, (1, 0, 1, 9))


@EVERY_STORE
@in_virtual_time
async def test_two_keys_do_not_share(new_store: NewStore) -> None:
    """Each key has a load of its own, and its callers get its answer."""

    async def load(key: int) -> int:
        await asyncio.sleep(1.0)
        return key * 10

    cache = over(load, new_store())
    answers = await asyncio.gather(*ask(cache, 3, key=1), *ask(cache, 3, key=2))
    assert (answers, cache.loads, tally(cache)) == ([10, 10, 10, 20, 20, 20], 2, (0, 0, 2, 4))


@EVERY_STORE
@in_virtual_time
async def test_a_failing_load_gives_all_its_error_and_is_not_remembered(new_store: NewStore) -> None:
    """All get that very error, it is one load error, and the next caller loads again."""
    error, heard = LookupError(), Heard()
    origin = Origin(error)
    cache = over(origin, new_store(), listen=heard.append)
    raised = await asyncio.gather(*ask(cache, 100), return_exceptions=True)
    assert {id(each) for each in raised} == {id(error)}
    assert (origin.calls, cache.load_errors, facts(heard)) == (1, 1, ["load", "load error"])
    assert Counter(records(heard)) == {("miss", "error"): 1, ("collapsed", "error"): 99}
    origin.answer = "value"
    assert (await cache.get(1), origin.calls, left(cache)) == ("value", 2, (0, 0, 0))


@pytest.mark.parametrize("broken", ["get", "set"])
@in_virtual_time
async def test_a_store_that_fails_costs_one_load_for_all(broken: str) -> None:
    """The flight does not live in the store: without it a thousand callers still cause one load."""

    class Failing(RemoteStore):
        async def get(self, key: object) -> Any:
            await asyncio.sleep(0.25)
            if broken == "get":
                raise ConnectionError
            return MISS

        async def set(self, key: object, entry: Entry[Any]) -> None:
            raise ConnectionError

    origin = Origin()
    cache = over(origin, Failing())
    assert (set(await asyncio.gather(*ask(cache, 1_000))), origin.calls) == ({"value"}, 1)


@in_virtual_time
async def test_two_caches_load_once() -> None:
    """A thousand callers above are one caller below."""
    origin = Origin()
    lower = over(origin, RemoteStore(0.25))
    upper = over(lower)
    await asyncio.gather(*ask(upper, 1_000))
    assert (origin.calls, tally(upper), tally(lower)) == (1, (0, 0, 1, 999), (0, 0, 1, 0))


# Who is cancelled


class Scene:
    """A cache with a flight over a scripted store and origin, with one closed gate."""

    def __init__(self, script: type[GatedStore], gate: str) -> None:
        self.gate = Gate(gate)
        self.store = script(self.gate)
        self.origin = GatedOrigin(self.gate)
        self.heard: Heard = []
        self.cache = over(self.origin, self.store, listen=self.heard.append)


EVERY_AWAIT = pytest.mark.parametrize(
    ("script", "gate"),
    [(GatedStore, gate) for gate in ("look", "load", "fill, not sent", "fill, sent")]
    + [(GatedStoreHere, gate) for gate in ("load", "fill, not sent", "fill, sent")],
)


@EVERY_AWAIT
@in_virtual_time
async def test_to_cancel_the_first_caller_harms_no_follower(script: type[GatedStore], gate: str) -> None:
    """Wherever the first one is, the others get the value, and there is one load."""
    scene = Scene(script, gate)
    first, *followers = ask(scene.cache, 4)
    await scene.gate.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    scene.gate.opened.set()
    assert (await asyncio.gather(*followers), scene.cache.loads) == (["value"] * 3, 1)
    assert (first.cancelled(), len(records(scene.heard)), left(scene.cache)) == (True, 4, (0, 0, 0))


@EVERY_AWAIT
@in_virtual_time
async def test_a_load_whose_callers_have_all_left_goes_on(script: type[GatedStore], gate: str) -> None:
    """Once begun, it ends and fills; only who was cancelled while he looked has begun none."""
    scene = Scene(script, gate)
    callers = ask(scene.cache, 3)
    await scene.gate.reached.wait()
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    scene.gate.opened.set()
    await asyncio.sleep(1.0)
    assert list(scene.store.entries) == ([] if gate == "look" else [1])
    assert ([result for _, result in records(scene.heard)], left(scene.cache)) == (["error"] * 3, (0, 0, 0))


@in_virtual_time
async def test_a_load_that_cancels_itself_abandons_its_waiters() -> None:
    """Its callers have not been cancelled: each is told that there is no answer, and may ask again."""
    origin = Origin(asyncio.CancelledError())
    cache = over(origin)
    raised = await asyncio.gather(*ask(cache, 3), return_exceptions=True)
    assert [type(each) for each in raised] == [LoadAbandoned] * 3


@in_virtual_time
async def test_a_load_runs_in_a_copy_of_its_first_callers_context() -> None:
    """It sees what the first caller has set; what it sets itself nobody sees."""
    who: ContextVar[str] = ContextVar("who", default="nobody")

    async def load(key: int) -> str:
        asked_by = who.get()
        await asyncio.sleep(1.0)
        who.set("load")
        return asked_by

    async def call(name: str) -> list[Any]:
        who.set(name)
        return [await cache.get(1), who.get()]

    cache = over(load)
    assert [*await asyncio.gather(call("first"), call("second"))] == [["first", "first"], ["first", "second"]]


# The end


@pytest.mark.parametrize("gate", ["load", "fill, not sent", "fill, sent"])
@pytest.mark.parametrize("script", [GatedStore, GatedStoreHere])
@in_virtual_time
async def test_who_waits_when_the_cache_closes_is_told(script: type[GatedStore], gate: str) -> None:
    """Each waiter gets LoadAbandoned, and no task is left."""
    scene = Scene(script, gate)
    async with scene.cache:
        callers = ask(scene.cache, 3)
        await scene.gate.reached.wait()
        asyncio.get_running_loop().call_later(5.0, scene.gate.opened.set)
    raised = await asyncio.gather(*callers, return_exceptions=True)
    assert ([type(each) for each in raised], others()) == ([LoadAbandoned] * 3, set())
    assert left(scene.cache) == (0, 0, 0)


@in_virtual_time
async def test_a_fill_on_its_way_is_waited_for() -> None:
    """What has been sent to a remote store cannot be called back: the cache closes when it has its reply."""
    scene = Scene(GatedStore, "fill, sent")
    caller = ask(scene.cache)[0]
    await scene.gate.reached.wait()
    closing = asyncio.create_task(scene.cache.aclose())
    await asyncio.sleep(1.0)
    assert not closing.done()
    scene.gate.opened.set()
    await closing
    assert (type(caller.exception()), left(scene.cache), others()) == (LoadAbandoned, (0, 0, 0), set())


@in_virtual_time
async def test_a_fill_whose_caller_has_left_is_waited_for_without_a_flight_too() -> None:
    """Its caller was cancelled, so nobody but the cache owns it."""
    gate = Gate("fill, sent")
    cache = over(GatedOrigin(gate), GatedStore(gate), flight=None)
    caller = ask(cache)[0]
    await gate.reached.wait()
    caller.cancel()
    asyncio.get_running_loop().call_later(5.0, gate.opened.set)
    await cache.aclose()
    assert (left(cache), others()) == ((0, 0, 0), set())


@in_virtual_time
async def test_a_closed_cache_answers_what_it_has_and_loads_no_more() -> None:
    """What it remembers is served; what it would have to load it refuses in a sentence."""
    async with over(Origin()) as cache:
        await cache.get(1)
    assert await cache.get(1) == "value"
    with pytest.raises(RuntimeError, match="closed: it starts no more loads"):
        await cache.get(2)
    assert tally(cache) == (1, 0, 2, 0)


@in_virtual_time
async def test_a_cache_can_be_closed_twice() -> None:
    """The second time there is nothing left to end."""
    cache = over(Origin())
    await cache.aclose()
    await cache.aclose()


@in_virtual_time
async def test_to_close_the_upper_cache_leaves_the_lower_one_at_work() -> None:
    """Each ends the loads that it has started itself."""
    origin = Origin()
    lower = over(origin)
    async with over(lower) as upper:
        waiting = ask(upper)
        await asyncio.sleep(0.5)
    await asyncio.wait(waiting)
    assert isinstance(waiting[0].exception(), LoadAbandoned)
    assert (await lower.get(1), origin.calls) == ("value", 1)


# The closed form of the stampede


async def loads_per_expiry(flight: Flight | None, *, rate: float, load_time_s: float, cycles: int) -> float:
    """Poisson reads of one key that lives for five seconds, through so many expiries."""
    chance, expiries = Random(5), 0
    origin = Origin(load_time_s=load_time_s)

    async def load(key: int) -> Any:
        nonlocal expiries
        expiries += origin.at_once == 0
        return await origin(key)

    cache = over(load, flight=flight, ttl=5.0)
    while expiries < cycles or origin.at_once:
        readers = ask(cache)
        await asyncio.sleep(chance.expovariate(rate))
    await asyncio.wait(readers)
    return origin.calls / expiries


@pytest.mark.parametrize(("rate", "load_time_s"), [(5.0, 0.5), (5.0, 2.0), (20.0, 0.5)])
@in_virtual_time
async def test_an_unprotected_expiry_costs_one_load_and_those_of_its_load_time(rate: float, load_time_s: float) -> None:
    """1 + λδ on average, within three standard errors."""
    cycles = 200
    mean = await loads_per_expiry(None, rate=rate, load_time_s=load_time_s, cycles=cycles)
    assert mean == pytest.approx(1 + rate * load_time_s, abs=3 * math.sqrt(rate * load_time_s / cycles))


@in_virtual_time
async def test_in_a_flight_an_expiry_costs_one_load() -> None:
    """Exactly one, whatever the rate and the load time are."""
    assert await loads_per_expiry(Flight(), rate=20.0, load_time_s=0.5, cycles=200) == 1.0
