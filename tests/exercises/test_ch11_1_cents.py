"""Exercise 11.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from cachelab import MISS, AlsoDeleting, Cache, Entry, Flight, LeasedStore, RedisStore, Upgrading
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


def stores(redis: Any) -> tuple[LeasedStore[int], LeasedStore[int]]:
    """The stores of both versions."""
    old: LeasedStore[int] = LeasedStore(redis, int, namespace="credit", version=1)
    new: LeasedStore[int] = LeasedStore(redis, int, namespace="credit", version=2)
    return old, new


def cached(store: Any, load: Any) -> Cache[Any, Any]:
    return Cache(store, load, ttl=60, flight=Flight())


def in_cents(euros: int) -> int:
    return 100 * euros


class DualRead:
    """As in the chapter."""

    def __init__(self, old_store: Any, upgrade: Any, load: Any) -> None:
        self.old_store, self.upgrade, self.load = old_store, upgrade, load

    async def __call__(self, user_id: Any) -> Any:
        old = await self.old_store.get(user_id)
        if old is MISS:
            return await self.load(user_id)
        return Entry(self.upgrade(old.value), old.expires)

    async def delete(self, user_id: Any) -> None:
        await self.old_store.delete(user_id)


class DeletesBoth:
    """As in the chapter."""

    def __init__(self, store: Any, other: Any) -> None:
        self.store, self.other = store, other
        self.get, self.set, self.claim = store.get, store.set, store.claim

    async def delete(self, user_id: Any) -> None:
        await self.store.delete(user_id)
        await self.other.delete(user_id)


class OnlyReads(DualRead):
    """A dual read whose delete does not reach the old key."""

    async def delete(self, user_id: Any) -> None: ...


def euros_1(redis: Any, load: Any) -> Any:
    return cached(stores(redis)[0], load)


def euros_1b(redis: Any, load: Any) -> Any:
    return cached(DeletesBoth(*stores(redis)), load)


def cents_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(new, DualRead(old, in_cents, load))


def by_the_package_1b(redis: Any, load: Any) -> Any:
    return cached(AlsoDeleting(*stores(redis)), load)


def by_the_package_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(new, Upgrading(old, in_cents, load))


class DeletingLoader:
    """The second delete in the loader: a cache calls it before its own."""

    def __init__(self, load: Any, other: Any) -> None:
        self.load, self.other = load, other

    async def __call__(self, user_id: Any) -> Any:
        return await self.load(user_id)

    async def delete(self, user_id: Any) -> None:
        await self.other.delete(user_id)


def by_a_loader_1b(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(old, DeletingLoader(load, new))


class Deletes(Cache[Any, Any]):
    """A cache whose delete does more."""

    other: Any = None

    async def delete(self, key: Any) -> None:
        await super().delete(key)
        await self.other.delete(key)


def by_inheritance_1b(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    cache = Deletes(old, load, ttl=60)
    cache.other = new
    return cache


def by_its_name_1b(redis: Any, load: Any) -> Any:
    """The key of version 2 by its name in Redis."""
    cache = Deletes(stores(redis)[0], load, ttl=60)

    class Named:
        async def delete(self, key: Any) -> None:
            await redis.delete(f"credit:v2:{key}")

    cache.other = Named()
    return cache


class Both:
    """A store that reads the old generation, too, and fills only the new one."""

    def __init__(self, old: Any, new: Any) -> None:
        self.old, self.new = old, new
        self.set = new.set

    async def get(self, key: Any) -> Any:
        found = await self.new.get(key)
        if found is MISS:
            found = await self.old.get(key)
            if found is not MISS:
                found = Entry(100 * found.value, found.expires)
        return found

    async def delete(self, key: Any) -> None:
        await asyncio.gather(self.old.delete(key), self.new.delete(key))


def by_a_store_2(redis: Any, load: Any) -> Any:
    return cached(Both(*stores(redis)), load)


def in_another_namespace_1b(redis: Any, load: Any) -> Any:
    old: RedisStore[int] = RedisStore(redis, int, namespace="credit", version=1)
    new: RedisStore[int] = RedisStore(redis, int, namespace="cents", version=1)
    return cached(AlsoDeleting(old, new), load)


def in_another_namespace_2(redis: Any, load: Any) -> Any:
    old: RedisStore[int] = RedisStore(redis, int, namespace="credit", version=1)
    new: RedisStore[int] = RedisStore(redis, int, namespace="cents", version=1)
    return cached(new, Upgrading(old, in_cents, load))


class SelfDescribing:
    """One key for both: new code stores the unit, which old code cannot decode, and takes a bare number for euros."""

    def __init__(self, redis: Any) -> None:
        self.store: RedisStore[Any] = RedisStore[Any](redis, int | dict[str, int], namespace="credit", version=1)
        self.delete = self.store.delete

    async def get(self, key: Any) -> Any:
        found = await self.store.get(key)
        if found is MISS:
            return found
        value = found.value["cents"] if isinstance(found.value, dict) else 100 * found.value
        return Entry(value, found.expires)

    async def set(self, key: Any, entry: Any) -> None:
        await self.store.set(key, Entry({"cents": entry.value}, entry.expires))


def self_describing_2(redis: Any, load: Any) -> Any:
    return cached(SelfDescribing(redis), load)


def same_key_2(redis: Any, load: Any) -> Any:
    return euros_1(redis, load)


def only_a_version_2(redis: Any, load: Any) -> Any:
    return cached(stores(redis)[1], load)


def cold_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(DeletesBoth(new, old), load)


def without_a_factor_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(new, DualRead(old, lambda euros: euros, load))


def twice_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)

    async def load_cents(user_id: Any) -> Any:
        return 100 * await load(user_id)

    return cached(new, DualRead(old, in_cents, load_cents))


def reads_only_2(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(new, OnlyReads(old, in_cents, load))


class DeletesTheOldOne(Both):
    async def delete(self, key: Any) -> None:
        await self.old.delete(key)


def deletes_the_old_one_2(redis: Any, load: Any) -> Any:
    return cached(DeletesTheOldOne(*stores(redis)), load)


def swapped_1b(redis: Any, load: Any) -> Any:
    old, new = stores(redis)
    return cached(DeletesBoth(new, old), load)


def strings_2(redis: Any, load: Any) -> Any:
    async def strings(user_id: Any) -> Any:
        return str(await load(user_id))

    store: RedisStore[str] = RedisStore(redis, str, namespace="credit", version=2)
    return cached(store, strings)


def elsewhere_2(redis: Any, load: Any) -> Any:
    async def wrong(user_id: Any) -> Any:
        return 1 + await load(user_id)

    return cached(stores(redis)[1], wrong)


def forgets_to_return(redis: Any, load: Any) -> Any:
    euros_1b(redis, load)


async def is_async(redis: Any, load: Any) -> Any:
    return euros_1b(redis, load)


def returns_a_store(redis: Any, load: Any) -> Any:
    return redis.get


class DeletesAtOnce:
    def __init__(self, cache: Any) -> None:
        self.get = cache.get

    def delete(self, key: Any) -> None: ...


def plain_delete_1b(redis: Any, load: Any) -> Any:
    return DeletesAtOnce(euros_1b(redis, load))


def misspells(redis: Any, load: Any) -> Any:
    return cached(DeletesBoth(*stores(redis)), laod)  # type: ignore[name-defined]  # noqa: F821


def never_ends(redis: Any, load: Any) -> Any:
    async def waits(user_id: Any) -> Any:
        await asyncio.sleep(math.inf)

    return cached(stores(redis)[0], waits)


def is_still_a_stub(redis: Any, load: Any) -> Any: ...


ANSWERS: list[tuple[Any, str]] = [
    ([euros_1b, cents_2], "Correct."),
    ((by_the_package_1b, by_the_package_2), "Correct."),
    ([by_a_loader_1b, cents_2], "Correct."),
    ([by_inheritance_1b, by_a_store_2], "Correct."),
    ([by_its_name_1b, by_a_store_2], "Correct."),
    ([in_another_namespace_1b, in_another_namespace_2], "Correct."),
    ([self_describing_2], "Correct."),
    ([euros_1, same_key_2], "has the same key as release 1b, and takes its euros for cents"),
    ([euros_1, only_a_version_2], "Release 1b writes, and deletes its own key"),
    ([euros_1, cents_2], "Release 1b writes, and deletes its own key"),
    ([cents_2], "Release 1 writes, and knows nothing of your new key"),
    ([euros_1b, only_a_version_2], "Release 2 writes, and deletes its own key"),
    ([euros_1b, cold_2], "Right, but release 2 begins with a cold cache"),
    ([euros_1b, without_a_factor_2], "Release 2 reads the entry of release 1b, and takes its euros for cents"),
    ([euros_1b, twice_2], "multiplies an amount by 100 that was in cents already"),
    ([euros_1b, reads_only_2], "Release 2 writes, and deletes its own key. The old amount is still in the entry of"),
    ([euros_1b, deletes_the_old_one_2], "still gives the old amount: it finds one that was not deleted"),
    ([swapped_1b, cents_2], "Release 2 has the same key as release 1b"),
    ([euros_1b, strings_2], "something that is no whole number"),
    ([euros_1b, elsewhere_2], "has never been there"),
    ([forgets_to_return, cents_2], "is a return missing?"),
    ([is_async, cents_2], "not an async one"),
    ([returns_a_store, cents_2], "A release returns a cache"),
    ([plain_delete_1b, cents_2], "delete has to be async"),
    ([misspells, cents_2], "name 'laod' is not defined, at line"),
    ([never_ends, cents_2], "Your code waits for something that never comes"),
    ([euros_1b, cents_2, cents_2], "Deploy two releases"),
    ([], "Deploy two releases"),
    (cents_2, "Give the check a list of the functions themselves"),
    ([euros_1b, "cents_2"], "Give the check a list of the functions themselves"),
    ([is_still_a_stub, cents_2], "Nothing to check yet"),
    ([euros_1b, ...], "Nothing to check yet"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("11.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("11.1", ANSWERS, capsys)
