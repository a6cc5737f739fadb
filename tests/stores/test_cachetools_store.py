"""The store over cachetools passes the contract of a bounded store."""

from typing import Any

from cachelab.clock import Clock
from cachelab.stores.cachetools_store import CachetoolsStore
from tests.support.contract import BoundedContract


class TestCachetoolsStore(BoundedContract):
    """A few lines over cachetools promise what `MemoryStore` promises."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> CachetoolsStore[Any]:
        return CachetoolsStore(max_entries, clock=clock)
