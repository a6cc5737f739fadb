"""Ten plans for the day, from no cache at all to everything at once, and three that cheat.

A plan is a function of the `Site` that a node has. It is called once for each node and each release, and returns what
answers the node's reads.

    lab.PLANS["good"]              # the function; `inspect.getsource` shows it
    lab.day_scores()["good"]       # the score of its day
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from cachelab.cache import Cache
from cachelab.events import Refused
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.guarded import Guarded
from cachelab.guards.breaker import Breaker
from cachelab.guards.bulkhead import Bulkhead
from cachelab.lab.day.site import Plan, Site
from cachelab.stores.memory import MemoryStore

__all__ = ["CHEATS", "FORESEEN", "PLANS"]


def _no_cache(site: Site) -> Any:
    return site.load


def _private(site: Site) -> Any:
    return Cache(MemoryStore(500), site.load, ttl=60, flight=Flight())


def _naive(site: Site) -> Any:
    return Cache(site.redis(version=1), site.load, ttl=300)


def _naive_flight(site: Site) -> Any:
    return Cache(site.redis(version=1), site.load, ttl=300, flight=Flight())


def _naive_l1(site: Site) -> Any:
    l2 = Cache(site.redis(version=1), site.load, ttl=300)
    return Cache(MemoryStore(500), l2, ttl=60)


def _versioned(site: Site) -> Any:
    store = site.redis(version=site.release)
    return Cache(store, site.load, ttl=300, flight=Flight(), freshness=Freshness(jitter=0.2))


def _bounded(site: Site) -> Any:
    store = site.redis(version=site.release)
    origin = Bulkhead(site.load, running=1, waiting=2)
    return Cache(store, origin, ttl=300, flight=Flight(), freshness=Freshness(jitter=0.2))


def _guarded(site: Site) -> Any:
    store = site.redis(version=site.release)
    origin = Guarded(Bulkhead(site.load, running=1, waiting=2), site.known)
    return Cache(store, origin, ttl=300, flight=Flight(), freshness=Freshness(jitter=0.2))


def _good(site: Site) -> Any:
    store = Breaker(site.redis(version=site.release), failures=5, open_s=2)
    origin = Bulkhead(site.load, running=1, waiting=2)
    l2 = Cache(store, origin, ttl=900, flight=Flight(), freshness=Freshness(jitter=0.2, stale_for=900))
    guarded = Guarded(l2, site.known)
    return Cache(MemoryStore(500), guarded, ttl=10, flight=Flight(), freshness=Freshness(stale_for=50))


def _too_much(site: Site) -> Any:
    store = Breaker(site.redis(version=site.release), failures=5, open_s=2)
    origin = Bulkhead(site.load, running=1, waiting=2)
    freshness = Freshness(jitter=0.2, beta=3, stale_for=3_600)
    l2 = Cache(store, origin, ttl=3_600, flight=Flight(), freshness=freshness)
    guarded = Guarded(l2, site.known)
    return Cache(MemoryStore(100_000), guarded, ttl=3_600, flight=Flight(), freshness=freshness)


def _stale_for_ever(site: Site) -> Any:
    return Cache(MemoryStore(100_000), Guarded(site.load, site.known), ttl=86_400, flight=Flight())


def _refuse_everybody(_: Site) -> Any:
    async def refuse(_: int) -> NoReturn:
        raise Refused("Come back tomorrow.")

    return refuse


def _absent_for_a_day(site: Site) -> Any:
    store = Breaker(site.redis(version=site.release), failures=5, open_s=2)
    origin = Bulkhead(site.load, running=1, waiting=2)
    l2 = Cache(store, origin, ttl=900, negative_ttl=86_400, flight=Flight(), freshness=Freshness(stale_for=900))
    return Cache(MemoryStore(500), l2, ttl=10, negative_ttl=86_400, flight=Flight(), freshness=Freshness(stale_for=50))


PLANS: Final[dict[str, Plan]] = {
    "no cache": _no_cache,
    "private caches": _private,
    "naive": _naive,
    "naive + flight": _naive_flight,
    "naive + L1": _naive_l1,
    "versioned": _versioned,
    "bounded": _bounded,
    "guarded": _guarded,
    "good": _good,
    "too much": _too_much,
}
"""From naive to good, and one that has too much of it."""

CHEATS: Final[dict[str, Plan]] = {
    "stale for ever": _stale_for_ever,
    "refuse everybody": _refuse_everybody,
    "absent for a day": _absent_for_a_day,
}
"""Each keeps some of the goals by giving up another one entirely."""

FORESEEN: Final = (
    "good",
    "guarded",
    "too much",
    "bounded",
    "versioned",
    "private caches",
    "naive + L1",
    "naive + flight",
    "naive",
    "no cache",
)
"""The plans from the best to the worst, as they were ranked by judgement before the day was run for the first time."""
