"""cachelab: caching strategies, one per file, short enough to read in class and correct enough to copy.

The strategies stand here; the instruments of the notebooks stand in `cachelab.lab`, which nothing here imports.
"""

import sys
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 11):  # before any import below, so that an old Python gets a sentence and not a traceback
    _sentence = (
        "cachelab needs Python 3.11 or newer and this is {}.{}: start it with a newer one, e.g. python3.12.".format(
            *sys.version_info[:2]
        )
    )
    raise SystemExit(_sentence) if sys.argv[0] == "-m" else ImportError(_sentence)

from cachelab.cache import Cache
from cachelab.cachetools_store import CachetoolsStore
from cachelab.entry import ABSENT, MISS, Absent, Entry, Loader, Miss, Store
from cachelab.events import CacheError, Fact, InvalidationFailed, Listener, LoadAbandoned, Record
from cachelab.flight import Flight
from cachelab.freshness import Freshness
from cachelab.locked import Locked
from cachelab.memory import MemoryStore
from cachelab.thread_flight import ThreadFlight

if TYPE_CHECKING:
    from cachelab.codec import Codec, Undecodable
    from cachelab.redis_store import RedisStore, redis_client

_LAZY = {"Codec": "codec", "Undecodable": "codec", "RedisStore": "redis_store", "redis_client": "redis_store"}


def __getattr__(name: str) -> Any:
    """What needs redis or msgspec is loaded when it is first used: a service without them can copy the rest."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


__all__ = [
    "ABSENT",
    "Absent",
    "Cache",
    "CacheError",
    "CachetoolsStore",
    "Codec",
    "Entry",
    "Fact",
    "Flight",
    "Freshness",
    "InvalidationFailed",
    "Listener",
    "LoadAbandoned",
    "Loader",
    "Locked",
    "MISS",
    "MemoryStore",
    "Miss",
    "Record",
    "RedisStore",
    "Store",
    "ThreadFlight",
    "Undecodable",
    "redis_client",
]
