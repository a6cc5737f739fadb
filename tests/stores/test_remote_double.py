"""The test double for a store in another process passes the contract of a store."""

from cachelab.clock import Clock
from tests.support.contract import StoreContract
from tests.support.fakes import RemoteStore


class TestRemoteStore(StoreContract):
    """The double does what a store must do, so what other tests show with it holds for stores."""

    def make(self, max_entries: int = 100, clock: Clock | None = None) -> RemoteStore:
        return RemoteStore()
