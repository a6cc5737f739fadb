"""cachelab: caching strategies, one per file, short enough to read in class and correct enough to copy.

The strategies stand here; the instruments of the notebooks stand in `cachelab.lab`, which nothing here imports.
"""

import sys
from typing import TYPE_CHECKING

if sys.version_info < (3, 11):  # before any import below, so that an old Python gets a sentence and not a traceback
    _sentence = (
        "cachelab needs Python 3.11 or newer and this is {}.{}: start it with a newer one, e.g. python3.12.".format(
            *sys.version_info[:2]
        )
    )
    raise SystemExit(_sentence) if sys.argv[0] == "-m" else ImportError(_sentence)

from cachelab._facade import lazy_names

if TYPE_CHECKING:
    from cachelab.bloom import Bloom as Bloom
    from cachelab.bus import Bus as Bus
    from cachelab.cache import Cache as Cache
    from cachelab.entry import (
        ABSENT as ABSENT,
        MISS as MISS,
        Absent as Absent,
        Entry as Entry,
        Loader as Loader,
        Miss as Miss,
        Store as Store,
    )
    from cachelab.events import (
        CacheError as CacheError,
        Fact as Fact,
        InvalidationFailed as InvalidationFailed,
        Listener as Listener,
        LoadAbandoned as LoadAbandoned,
        Record as Record,
        Refused as Refused,
    )
    from cachelab.flight import Flight as Flight
    from cachelab.freshness import Freshness as Freshness
    from cachelab.guarded import Guarded as Guarded
    from cachelab.guards.breaker import Breaker as Breaker
    from cachelab.guards.bulkhead import Bulkhead as Bulkhead
    from cachelab.guards.time_limit import TimeLimit as TimeLimit
    from cachelab.lease import LeasedStore as LeasedStore
    from cachelab.opentelemetry_metrics import OpenTelemetryMetrics as OpenTelemetryMetrics
    from cachelab.prometheus_metrics import PrometheusMetrics as PrometheusMetrics
    from cachelab.stores.also_deleting import AlsoDeleting as AlsoDeleting
    from cachelab.stores.cachetools_store import CachetoolsStore as CachetoolsStore
    from cachelab.stores.codec import Codec as Codec, Undecodable as Undecodable
    from cachelab.stores.fingerprint import schema_fingerprint as schema_fingerprint
    from cachelab.stores.locked import Locked as Locked
    from cachelab.stores.memory import MemoryStore as MemoryStore
    from cachelab.stores.redis_store import RedisStore as RedisStore, redis_client as redis_client
    from cachelab.thread_flight import ThreadFlight as ThreadFlight
    from cachelab.upgrading import Upgrading as Upgrading

else:
    __all__, __getattr__, __dir__ = lazy_names(__name__, extra="redis")
