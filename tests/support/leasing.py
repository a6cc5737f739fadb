"""A store that grants leases, and that notes what becomes of each."""

import asyncio
from collections.abc import Collection, Hashable
from typing import Any

from cachelab.entry import Entry, Lease, Miss
from tests.support.fakes import BrokenStore

__all__ = ["LeasingStore", "TokenLease"]


class LeasingStore(BrokenStore):
    """A remote store with `claim`. A claim takes `claim_s` seconds, and grants the right to fill until a delete.

    `broken`     the operations that raise: "get", "delete" and "claim", and a lease's "set", "drop" and "release"
    `found`      the entry that a claim returns, if this is set: another process has just filled the key
    `tokens`     the token of each key that may be filled: a claim makes one if there is none, a delete removes it
    `settled`    what became of the leases, in order: "set", "refused", "dropped" or "released". A fault of the cache
                 shows here too: "used twice", or "set without a lease"
    `unsettled`  how many leases have been granted and not used yet
    `claims`     the arguments of each claim: the key, and the entry that its caller had seen
    """

    def __init__(self, latency_s: float = 0.0, claim_s: float = 0.0, broken: Collection[str] = ()) -> None:
        super().__init__(*broken, latency_s=latency_s)
        self.claim_s = claim_s
        self.found: Entry[Any] | None = None
        self.tokens: dict[Hashable, object] = {}
        self.settled: list[str] = []
        self.unsettled = 0
        self.claims: list[tuple[Hashable, Entry[Any] | Miss]] = []

    async def claim(self, key: Hashable, seen: Entry[Any] | Miss) -> Entry[Any] | Lease[Any]:
        self.claims.append((key, seen))
        await self.arrive("claim")
        if self.found is not None:
            return self.found
        self.unsettled += 1
        return TokenLease(self, key, self.tokens.setdefault(key, object()))

    async def set(self, key: Hashable, entry: Entry[Any]) -> None:
        self.settled.append("set without a lease")
        await super().set(key, entry)

    async def delete(self, key: Hashable) -> None:
        await super().delete(key)
        self.tokens.pop(key, None)

    async def arrive(self, operation: str) -> None:
        """Take the time that a claim, or a lease's operation, needs to get here; then raise if it is broken."""
        await asyncio.sleep(self.claim_s if operation == "claim" else self.latency_s)
        self.may_raise(operation)


class TokenLease:
    """The right to fill `key` while its token is in the store."""

    def __init__(self, store: LeasingStore, key: Hashable, token: object) -> None:
        self.store, self.key, self.token = store, key, token
        self.used = False

    async def set(self, entry: Entry[Any]) -> bool:
        await self.use("set")
        if not self.give_up_token():
            self.store.settled.append("refused")
            return False
        self.store.settled.append("set")
        self.store.entries[self.key] = entry
        return True

    async def drop(self) -> None:
        await self.use("drop")
        self.store.settled.append("dropped")
        if self.give_up_token():
            self.store.entries.pop(self.key, None)

    async def release(self) -> None:
        await self.use("release")
        self.store.settled.append("released")
        self.give_up_token()

    async def use(self, operation: str) -> None:
        """Note that the lease is used, and let the operation arrive."""
        if self.used:
            self.store.settled.append("used twice")
        else:
            self.used = True
            self.store.unsettled -= 1
        await self.store.arrive(operation)

    def give_up_token(self) -> bool:
        """Remove the token. False if it was not there: the key was deleted, or another process has filled it."""
        if self.store.tokens.get(self.key) is not self.token:
            return False
        del self.store.tokens[self.key]
        return True
