"""What the public constructors refuse. A wrong part is named in one sentence when it is given, not at its first use."""

import inspect
from typing import Any

import pytest
from redis.asyncio import Redis

import cachelab
from cachelab import (
    AlsoDeleting,
    Bloom,
    Breaker,
    Bulkhead,
    Bus,
    Cache,
    CachetoolsStore,
    Codec,
    Flight,
    Freshness,
    Guarded,
    LeasedStore,
    Locked,
    MemoryStore,
    OpenTelemetryMetrics,
    PrometheusMetrics,
    RedisStore,
    ThreadFlight,
    TimeLimit,
    Upgrading,
)
from tests.support.fakes import Origin

IN_REDIS = {"redis": Redis(), "value_type": int, "namespace": "users", "version": 1}
ARGUMENTS: dict[type[Any], dict[str, Any]] = {
    AlsoDeleting: {"store": MemoryStore(1), "next_store": MemoryStore(1)},
    Bloom: {"expected": 1, "false_positives": 0.1},
    Breaker: {"inside": Origin()},
    Bulkhead: {"inside": MemoryStore(1), "running": 1},
    Bus: {"redis": Redis(), "channel": "users", "caches": (Cache(MemoryStore(1), Origin(), ttl=1.0),)},
    Cache: {"store": MemoryStore(1), "load": Origin(), "ttl": 1.0},
    CachetoolsStore: {"max_entries": 1},
    Codec: {"value_type": int, "version": 1},
    Flight: {},
    Freshness: {},
    Guarded: {"load": Origin(), "known": {1}},
    LeasedStore: IN_REDIS,
    Locked: {"store": MemoryStore(1)},
    MemoryStore: {"max_entries": 1, "max_bytes": 1, "size_of": len},
    OpenTelemetryMetrics: {"meter": None},
    PrometheusMetrics: {},
    RedisStore: IN_REDIS,
    ThreadFlight: {},
    TimeLimit: {"inside": MemoryStore(1), "seconds": 1.0},
    Upgrading: {"old_store": MemoryStore(1), "upgrade": str, "load": Origin()},
}
"""What each class is built with; a test replaces one argument. Records, facts, entries and errors are not in it."""

NOT_TRIED = {"self", "name", "value_type", "options"}
"""A name is only shown, msgspec knows which types there are, and a `LeasedStore` has the options of a `RedisStore`."""

PARAMETERS = [
    (kind, parameter)
    for kind in ARGUMENTS
    for parameter in inspect.signature(kind.__init__).parameters
    if parameter not in NOT_TRIED
]


def test_every_public_class_that_takes_parts_is_tried() -> None:
    """A new class comes into the table above, unless it only holds what it is given."""
    public = {getattr(cachelab, name) for name in dir(cachelab) if name[0].isupper()}
    classes = {each for each in public if isinstance(each, type) and not issubclass(each, Exception)}
    held = {"Absent", "Entry", "Fact", "Loader", "Miss", "Record", "Store"}
    assert {each.__name__ for each in classes - ARGUMENTS.keys()} == held


@pytest.mark.parametrize(("kind", "parameter"), PARAMETERS)
def test_an_argument_of_a_wrong_type_is_refused_when_it_is_given(kind: Any, parameter: str) -> None:
    """One sentence, which begins with the name of the argument."""
    with pytest.raises((TypeError, ValueError), match=rf"^{parameter} must [^\n]*\.$"):
        build(kind, ARGUMENTS[kind] | {parameter: [object()] if parameter == "caches" else object()})


def build(kind: Any, arguments: dict[str, Any]) -> Any:
    """An object of that kind; its `*caches`, if there are any, come last."""
    first = {name: value for name, value in arguments.items() if name != "caches"}
    return kind(*first.values(), *arguments["caches"]) if "caches" in arguments else kind(**first)


@pytest.mark.parametrize("wrong", [Redis, "redis://:a-secret@host"], ids=["the class", "a URL"])
def test_a_redis_that_is_no_client_is_refused_without_its_password(wrong: Any) -> None:
    """A URL is the likely mistake. What it is goes into the sentence, and not what is in it."""
    found = type(wrong).__name__
    with pytest.raises(TypeError, match=rf"redis_client\(url\) builds it, not an object of type {found}\.$"):
        RedisStore(wrong, int, namespace="users", version=1)


def test_a_cache_that_is_refused_leaves_its_flight_to_another() -> None:
    """The flight belongs to the first cache that was built."""
    flight = Flight()
    wrong: dict[str, Any] = {"clock": 3}
    with pytest.raises(TypeError, match=r"^clock must be a function, not 3\.$"):
        Cache(MemoryStore(1), Origin(), ttl=1.0, flight=flight, **wrong)
    Cache(MemoryStore(1), Origin(), ttl=1.0, flight=flight)


@pytest.mark.parametrize("wrong", [MemoryStore, LeasedStore], ids=lambda kind: kind.__name__)
def test_a_guard_around_a_class_is_refused(wrong: type[Any]) -> None:
    """The likely mistake: the parentheses are missing."""
    guard: Any = TimeLimit
    with pytest.raises(TypeError, match=f"^store must be an instance, not the class {wrong.__name__}"):
        guard(wrong, 1.0)


def test_a_guard_is_what_it_guards() -> None:
    """One around a loader is no store, and one around a store is no loader, also with another one around it."""
    load: Any = Breaker(TimeLimit(Origin(), 1.0))
    store: Any = Breaker(TimeLimit(MemoryStore[str](1), 1.0))
    with pytest.raises(TypeError, match=r"^store must have async get, set, delete; a Breaker has no get and set and"):
        Cache(load, load, ttl=1.0)
    with pytest.raises(TypeError, match=r"^load must be an async function of the key, or a Cache, not a store: "):
        Cache(store, store, ttl=1.0)
    Cache(store, load, ttl=1.0)
