"""Deletes for the next release: the code that runs now also deletes the keys of the version that comes.

Problem: a deploy takes minutes or days, and for as long old code and new code run side by side. The new code has keys
    of its own. When the old code writes a row and deletes its key, the new generation keeps the old value until its TTL
    ends.
Idea: two releases. Release N gets this wrapper around its store, and deletes the key of version N + 1 as well as its
    own. Only when all nodes have it does release N + 1 come, which reads and fills the new keys, and deletes both
    (`cachelab.upgrading`).
Guarantee: a `delete` tries both stores, also if the first fails; if it returns, both have forgotten the key. Every
    other verb is the one of `store`, and no other is there.
Not guaranteed: anything for a delete that does not go through the wrapper: one of a script, or of a process with the
    code from before. Nor for a value that the new code loads from the old row and fills after the delete: a lease of
    the new generation refuses it, if `next_store` is a `LeasedStore` too.
Cost: a second command for each delete, after the first. A read and a fill cost nothing.
Source: expand and contract, also called parallel change: https://martinfowler.com/bliki/ParallelChange.html.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from cachelab.entry import Entry, Miss, Store, checked_store

__all__ = ["AlsoDeleting"]

V = TypeVar("V")


class AlsoDeleting(Generic[V]):
    """`store` with its verbs and its counters; a `delete` also reaches `next_store`, which nothing else uses.

    `store`       the store of this release
    `next_store`  the store of the release to come, with its namespace and version: any type of value will do, as in
                  `RedisStore(redis, dict, namespace="user", version=2)`. If that release uses a `LeasedStore`, so must
                  this: its delete also takes the lease away.

    Raises TypeError for what is no store.
    """

    def __init__(self, store: Store[V], next_store: Store[Any]) -> None:
        checked_store(store)
        checked_store(next_store, "next_store")
        self._store, self._next_store = store, next_store

    async def get(self, key: Hashable) -> Entry[V] | Miss:
        """As `store` does."""
        return await self._store.get(key)

    async def set(self, key: Hashable, entry: Entry[V]) -> None:
        """As `store` does."""
        await self._store.set(key, entry)

    async def delete(self, key: Hashable) -> None:
        """Forget the key in both stores. Both are tried; raises what one of them raises.

        A cancelled delete may have reached the first only: call it again.
        """
        try:
            await self._store.delete(key)
        except Exception:
            await self._next_store.delete(key)
            raise
        await self._next_store.delete(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)  # each verb that the store has, and no other

    def __dir__(self) -> list[str]:
        return dir(self._store)
