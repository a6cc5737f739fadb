"""The store of a service that is deployed again and again, and whose workers are killed.

Each release of the service has keys of its own, because its type of a user may differ. During a deploy workers of two
releases run side by side, so a delete reaches the keys of the release before and of the one after, too
(`cachelab.stores.also_deleting`). And the store grants leases: no fill that is late brings an old user back, whichever
worker wrote and whichever loaded (`cachelab.lease`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from cachelab.entry import Store
from cachelab.lab.web_app.application import OpenStore
from cachelab.lab.web_app.profiles import Profile
from cachelab.lease import LeasedStore
from cachelab.stores.also_deleting import AlsoDeleting

__all__ = ["LEASE_S", "store_of_release"]

LEASE_S = 1.0
"""So long the other workers wait for one that loads. A load takes 50 ms; a worker that is killed costs a second."""


def store_of_release(release: int) -> OpenStore:
    """What opens the store of this release: 1, 2 and so on, without a gap."""

    @asynccontextmanager
    async def open_store(redis: Any, namespace: str) -> AsyncIterator[Store[Profile]]:
        async with AsyncExitStack() as stack:
            before, this, after = [
                await stack.enter_async_context(
                    LeasedStore(redis, Profile, namespace=namespace, version=version, lease_s=LEASE_S)
                )
                for version in (release - 1, release, release + 1)
            ]
            yield AlsoDeleting(AlsoDeleting(this, after), before)

    return open_store
