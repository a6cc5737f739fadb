"""Wrappers verb by verb: around a store or a loader they answer as it does, and have each verb that it has.

A new class around a store or a loader gets its place in `WRAPPERS` or in `USERS`: a test finds it in the source.
"""

import ast
import asyncio
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cachelab
from cachelab import (
    ABSENT,
    MISS,
    AlsoDeleting,
    Breaker,
    Bulkhead,
    Cache,
    Entry,
    Guarded,
    InvalidationFailed,
    LeasedStore,
    MemoryStore,
    RedisStore,
    TimeLimit,
    Upgrading,
)
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.faults import Down, Failing, Faulty, OriginError, Slow
from cachelab.stores.locked import Locked
from tests.support.caches import make_cache
from tests.support.fakes import BrokenStore, RemoteStore, in_virtual_time, now
from tests.support.leasing import LeasingStore
from tests.support.policy_contract import POLICIES, reproducible
from tests.support.tiers import tiers

PACKAGE = Path(cachelab.__file__).parent
TREES = {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
GUARDS: list[Any] = [
    lambda inside: TimeLimit(inside, 60.0),
    lambda inside: Bulkhead(inside, running=1),
    lambda inside: Breaker(inside, failures=10**9),
]
"""Each stands around a store or around a loader, and here none of them has anything to say."""
GUARD_NAMES = ["TimeLimit", "Bulkhead", "Breaker"]
WRAPPERS = {"AlsoDeleting", "Faulty", "Guard", "Guarded", "Locked", "Upgrading", *GUARD_NAMES}
USERS = {"Cache", "Invalidation", "Level", "_TokenLease"}
"""What is built on a store or a loader, and is neither: a `Cache` is a loader of its own, with its own `delete`."""
WRAPPED = {"inside", "store", "old_store", "load", "loader"}
VERBS = {"peek", "clear", "claim", "delete"}
"""What a store or a loader may have, beside what each of them has."""
FOREVER = float("inf")


def test_every_wrapper_is_tested_here() -> None:
    """A class whose first argument is a store or a loader is one of those above. Those of exercises do not count."""
    found = set()
    for path, tree in TREES.items():
        if "exercises" not in path.parts:
            classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
            found |= {node.name for node in classes if _first_argument(node) in WRAPPED}
    assert found == WRAPPERS | USERS


def _first_argument(node: ast.ClassDef) -> str | None:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__" and len(item.args.args) > 1:
            return item.args.args[1].arg
    return None


def test_a_cache_asks_for_no_other_verb() -> None:
    """The strategies find out by name whether a store or a loader has a verb, and the names are those above."""
    asked = set()
    for path, tree in TREES.items():
        if path.parts[0] != "lab":
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
                    what, name = ast.unparse(node.args[0]), node.args[1]
                    if what.rpartition(".")[2] in ("store", "_loader") and isinstance(name, ast.Constant):
                        asked.add(name.value)
    assert asked == VERBS


# A wrapper of a store


def verbs(thing: object) -> dict[str, tuple[bool, list[str]]]:
    """The public methods: whether each is async, and the names of its parameters."""
    found = {}
    for name, verb in inspect.getmembers(thing, callable):
        if not name.startswith("_"):
            found[name] = (inspect.iscoroutinefunction(verb), list(inspect.signature(verb).parameters))
    return found


def test_a_locked_store_has_each_verb_of_its_store() -> None:
    """They are called in the same way, and none is missing or new."""
    assert verbs(Locked(MemoryStore(1))) == verbs(MemoryStore(1))
    assert {"peek", "clear", "delete"} <= set(verbs(MemoryStore(1)))


STORES: list[Callable[[], Any]] = [
    lambda: MemoryStore(1),
    RemoteStore,
    LeasingStore,
    lambda: RedisStore(FakeRedis().client(), str, namespace="user", version=1),
    lambda: LeasedStore(FakeRedis().client(), str, namespace="user", version=1),
]


@pytest.mark.parametrize("new_store", STORES)
@in_virtual_time
async def test_a_store_that_also_deletes_has_each_verb_of_its_store(new_store: Callable[[], Any]) -> None:
    """Whichever that is. A cache and a lease find out by name which verbs there are, and find the same."""
    store = new_store()
    wrapper = AlsoDeleting(store, RemoteStore())
    assert verbs(wrapper) == verbs(store)
    assert {name for name in VERBS if hasattr(wrapper, name)} == {name for name in VERBS if hasattr(store, name)}
    levels = [make_cache(slow("value"), each)._level for each in (store, wrapper)]
    assert (levels[0].in_process, levels[0].grants) == (levels[1].in_process, levels[1].grants)


async def outcome(verb: Callable[..., Any], *args: Any) -> Any:
    """What the verb answers, or the type and the text of its error."""
    try:
        answer = verb(*args)
        return await answer if inspect.isawaitable(answer) else answer
    except Exception as error:
        return type(error), str(error)


def measured(value: object) -> int:
    """The size of a value. Some cannot be measured."""
    if value == "unknown":
        raise ValueError("no size")
    return 500 if value == "large" else 10


async def compare_stores(
    policy: Any, count: int, wrap: Callable[[Any], Any] = Locked, also: Collection[str] = ("find", "put", "remove")
) -> None:
    """The same random calls on a store and on a wrapper of such a store: the same answers, errors and counters.

    `also` has the verbs that are called beside those that a cache calls.
    """
    time, chance = 0.0, Random("wrappers")

    def make() -> MemoryStore[Any]:
        return MemoryStore(8, policy=reproducible(policy), max_bytes=300, size_of=measured, clock=lambda: time)

    store, inside = make(), make()
    wrapper = wrap(inside)
    often = sorted({"get", "set", "delete", "peek", *also})
    names = [*20 * often, *40 * sorted({"put", "set"} & {*often}), "clear"]
    for step in range(count):
        time += chance.random() / 20
        name = chance.choice(names)
        key = chance.choice([min(int(chance.expovariate(0.1)), 40), str(step % 20), ("a", 1), [step]])
        arguments: list[Any] = [] if name == "clear" else [key]
        if name in ("put", "set"):
            value = chance.choice([step, step, None, ABSENT, "large", "unknown"])
            arguments.append(Entry(value, time + chance.choice([0.0, 1.0, 20.0, FOREVER]), time + 5.0))
        answers = [await outcome(getattr(thing, name), *arguments) for thing in (store, wrapper)]
        assert answers[0] == answers[1], (step, name, key)
        assert (len(inside), bool(wrapper)) == (len(store), bool(store))
        counters = [(one.evicted, one.expired, one.refused, one.bytes) for one in (store, inside)]
        assert counters[0] == counters[1]
    assert min(store.evicted, store.expired, store.refused) > count / 100


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("count", tiers(300_000, quick=1_000, soak_timeout_s=600))
@in_virtual_time
async def test_a_locked_store_answers_as_its_store_does(policy: Any, count: int) -> None:
    """Also with an error, for a key that cannot be hashed and a value that cannot be measured; and then it goes on."""
    await compare_stores(policy, count)


@pytest.mark.parametrize("count", tiers(300_000, quick=5_000, soak_timeout_s=600))
@in_virtual_time
async def test_a_store_that_also_deletes_answers_as_its_store_does(count: int) -> None:
    """The second delete changes no answer of the store."""
    await compare_stores(POLICIES[0], count, lambda store: AlsoDeleting(store, RemoteStore()))


@pytest.mark.parametrize("guard", GUARDS, ids=GUARD_NAMES)
@pytest.mark.parametrize("count", tiers(300_000, quick=5_000, soak_timeout_s=600))
@in_virtual_time
async def test_a_guarded_store_answers_as_its_store_does(count: int, guard: Callable[[Any], Any]) -> None:
    """With two guards, each verb that a cache calls comes through both of them."""
    await compare_stores(POLICIES[0], count, lambda store: guard(guard(store)), also=())


@pytest.mark.parametrize("guard", GUARDS, ids=GUARD_NAMES)
@pytest.mark.parametrize("new_store", STORES)
@in_virtual_time
async def test_a_guarded_store_has_a_verb_exactly_if_its_store_has_it(
    new_store: Callable[[], Any], guard: Callable[[Any], Any]
) -> None:
    """A cache decides by that what kind of store it has. What must not be guarded is the very verb of the store."""
    store = new_store()
    guarded = guard(guard(store))
    assert {verb for verb in VERBS if hasattr(guarded, verb)} == {verb for verb in VERBS if hasattr(store, verb)}
    for verb in {"peek", "clear", "delete"} & {*dir(store)}:
        assert getattr(guarded, verb) == getattr(store, verb)


@pytest.mark.parametrize("verb", ["find", "put", "remove", "clear"])
def test_a_wrapper_that_leaves_out_a_verb_is_found(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: one verb that does nothing is enough."""
    monkeypatch.setattr(Locked, verb, lambda self, *args: MISS)

    @in_virtual_time
    async def scenario() -> None:
        with pytest.raises(AssertionError):
            await compare_stores(POLICIES[0], 5_000)

    scenario()


# A wrapper of a loader


def slow(answer: Any) -> Callable[[Any], Any]:
    """A loader that answers this after a second, or raises it."""

    async def load(key: Any) -> Any:
        await asyncio.sleep(1.0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return load


ANSWERS = [
    "value",
    None,
    ABSENT,
    MISS,
    Entry("value", 10.0, 5.0, 2.0),
    Entry(ABSENT, 3.0),
    OSError("down"),
    KeyError(1),
]
LOADER_WRAPPERS = pytest.mark.parametrize(
    "wrap",
    [Faulty, lambda load: Guarded(load, {1}), lambda load: Upgrading(RemoteStore(), str, load), *GUARDS],
    ids=["Faulty", "Guarded", "Upgrading", *GUARD_NAMES],
)


@pytest.mark.parametrize(
    "answer",
    ANSWERS,
    ids=repr,
)
@in_virtual_time
async def test_without_an_active_fault_a_faulty_loader_answers_as_its_loader_does(answer: Any) -> None:
    """The very same object or error comes through, at the same time; and so it does in a cache above."""
    load = Faulty(slow(answer), Down(90, 91), Failing(90, 91), Slow(90, 91, 1.0))
    came = await asyncio.gather(load(1), return_exceptions=True)
    assert (came[0] is answer, now()) == (True, 1.0)
    caches: list[Cache[int, Any]] = [Cache(MemoryStore(1), loader, ttl=60.0) for loader in (slow(answer), load)]
    plain, wrapped = await asyncio.gather(*(outcome(cache.get, 1) for cache in caches))
    assert plain == wrapped


@in_virtual_time
async def test_a_faulty_loader_has_the_verb_of_its_loader() -> None:
    """It has `delete` exactly if its loader has, and that is all that a loader may have. It may be wrapped again."""
    lower: Cache[int, str] = Cache(RemoteStore(), slow("value"), ttl=60.0)
    faults = Down(0, 100), Failing(0, 100), Slow(0, 100, 1.0)
    wrapper = Faulty(Faulty(lower, *faults), *faults)
    assert wrapper.delete == lower.delete
    assert not hasattr(Faulty(Faulty(slow("value"))), "delete")
    await lower.get(1)
    with pytest.raises(OriginError):
        await wrapper(1)
    await wrapper.delete(1)  # what was written must be forgotten, whatever becomes of the loads
    await lower.get(1)
    assert lower.loads == 2


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@LOADER_WRAPPERS
@in_virtual_time
async def test_a_wrapped_loader_answers_as_its_loader_does(wrap: Callable[[Any], Any], answer: Any) -> None:
    """Where the wrapper has nothing to say: in a cache above, the same answer or error, at the same time."""
    caches: list[Cache[int, Any]] = [
        Cache(MemoryStore(1), load, ttl=60.0) for load in (slow(answer), wrap(slow(answer)))
    ]
    plain, wrapped = await asyncio.gather(*(outcome(cache.get, 1) for cache in caches))
    assert (plain, now()) == (wrapped, 1.0)
    assert len(caches[0]._level.store) == len(caches[1]._level.store)


@LOADER_WRAPPERS
@in_virtual_time
async def test_a_wrapped_loader_passes_on_the_delete_of_its_loader(wrap: Callable[[Any], Any]) -> None:
    """Through two of them, too; a delete that nobody below has is nothing, and one that fails below raises."""
    lower: Cache[int, str] = Cache(BrokenStore(), slow("value"), ttl=60.0)
    upper: Cache[int, str] = Cache(MemoryStore(1), wrap(wrap(lower)), ttl=60.0)
    await upper.get(1)
    await upper.delete(1)
    await upper.get(1)
    assert lower.loads == 2
    await Cache(MemoryStore(1), wrap(wrap(slow("value"))), ttl=60.0).delete(1)
    lower._level.store.broken.add("delete")
    with pytest.raises(InvalidationFailed):
        await upper.delete(1)


@in_virtual_time
async def test_the_age_of_an_entry_travels_through_a_faulty_loader() -> None:
    """A cache above keeps the entry no longer than the cache below, on the way through a slow network too."""
    lower: Cache[int, str] = Cache(MemoryStore(1), slow("value"), ttl=10.0)
    upper: Cache[int, str] = Cache(MemoryStore(1), Faulty(lower, Slow(0, 100, 2.0)), ttl=60.0)
    await lower.get(1)
    await asyncio.sleep(5.0)
    await upper.get(1)
    await asyncio.sleep(11.0 - now())
    assert (await upper.get(1), lower.loads, now()) == ("value", 2, 14.0)


@LOADER_WRAPPERS
@in_virtual_time
async def test_a_cancelled_load_is_cancelled_inside_the_wrapper(wrap: Callable[[Any], Any]) -> None:
    """The loader learns of it, as it would without the wrapper."""
    ended = []

    async def load(key: int) -> None:
        try:
            await asyncio.sleep(10.0)
        finally:
            ended.append(now())

    task = asyncio.create_task(wrap(load)(1))
    await asyncio.sleep(3.0)
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), ended) == (True, [3.0])


@pytest.mark.parametrize("load", [None, Down(1.0, 2.0), "load"], ids=repr)
def test_a_faulty_loader_needs_a_loader(load: Any) -> None:
    """What cannot be called is refused when the wrapper is built, as a cache refuses it."""
    with pytest.raises(TypeError, match="load must be an async function of the key, or a Cache, not"):
        Faulty(load)
