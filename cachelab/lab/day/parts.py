"""What a plan is made of: the kinds of parts in it, and the entries that it keeps in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cachelab.bus import Bus
from cachelab.cache import Cache
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.guarded import Guarded
from cachelab.guards.breaker import Breaker
from cachelab.guards.bulkhead import Bulkhead
from cachelab.guards.time_limit import TimeLimit
from cachelab.lease import LeasedStore
from cachelab.stores.also_deleting import AlsoDeleting
from cachelab.stores.memory import MemoryStore
from cachelab.stores.redis_store import RedisStore
from cachelab.upgrading import Upgrading

__all__ = ["entries_in", "parts_of"]

PARTS = (
    AlsoDeleting,
    Breaker,
    Bulkhead,
    Bus,
    Cache,
    Flight,
    Freshness,
    Guarded,
    LeasedStore,
    MemoryStore,
    RedisStore,
    TimeLimit,
    Upgrading,
)


def parts_of(top: Any) -> list[str]:
    """The names of the parts of this package in `top`, sorted, each as often as it is there. A default is none."""
    return sorted(type(part).__name__ for part in _within(top) if type(part) in PARTS and part != Freshness())


def entries_in(top: Any) -> int:
    """How many entries the memory stores in `top` hold."""
    return sum(len(part) for part in _within(top) if isinstance(part, MemoryStore))


def _within(top: Any) -> Iterator[Any]:
    """The objects of this package that `top` refers to, each once, however they are nested."""
    seen, left = set[int](), [top]
    while left:
        part = left.pop()
        module = type(part).__module__
        if id(part) in seen or not module.startswith("cachelab.") or ".sim." in module:
            continue
        seen.add(id(part))
        yield part
        left += vars(part).values() if hasattr(part, "__dict__") else ()
        left += [getattr(part, name) for name in getattr(type(part), "__slots__", ()) if hasattr(part, name)]
