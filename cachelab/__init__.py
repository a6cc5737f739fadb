"""cachelab: caching strategies, one per file, short enough to read in class and correct enough to copy.

The strategies stand here; the instruments of the notebooks stand in `cachelab.lab`, which nothing here imports.
"""

import sys

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

__all__ = [
    "ABSENT",
    "Absent",
    "Cache",
    "CacheError",
    "CachetoolsStore",
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
    "Store",
    "ThreadFlight",
]
