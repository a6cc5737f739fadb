# pyright: strict, reportUnnecessaryTypeIgnoreComment=error
"""Programs that both type checkers accept in their strictest mode, and the types that they infer."""

from dataclasses import dataclass
from typing import Any, assert_type

from redis.asyncio import Redis

from cachelab import (
    Absent,
    AlsoDeleting,
    Bloom,
    Breaker,
    Bulkhead,
    Bus,
    Cache,
    CachetoolsStore,
    Entry,
    Flight,
    Freshness,
    Guarded,
    LeasedStore,
    Locked,
    MemoryStore,
    Miss,
    RedisStore,
    Store,
    TimeLimit,
    Upgrading,
    schema_fingerprint,
)
from cachelab.entry import Loader


@dataclass(frozen=True)
class User:
    """A value."""

    name: str


async def fetch(key: int) -> User:
    """A loader of users."""
    return User(f"user {key}")


async def fetch_or_absent(key: int) -> User | Absent:
    """A loader that knows of keys that do not exist."""
    return Absent.ABSENT if key < 0 else User(f"user {key}")


async def fetch_or_none(key: int) -> User | None:
    """A loader for which None is a value."""
    return None if key < 0 else User(f"user {key}")


async def fetch_entry(key: int) -> Entry[User | Absent]:
    """A loader that says itself how long its answer lives."""
    return Entry(User(f"user {key}"), expires=60.0)


async def unannotated_stores() -> None:
    """The type of the value comes from the loader."""
    of_users = Cache(MemoryStore(1_000), fetch, ttl=60)
    assert_type(of_users, Cache[int, User])
    assert_type(await of_users.get(42), User | Absent)
    assert_type(Cache(MemoryStore(1_000), fetch_or_absent, ttl=60), Cache[int, User])
    assert_type(Cache(MemoryStore(1_000), fetch_or_none, ttl=60), Cache[int, User | None])
    assert_type(Cache(MemoryStore(1_000), fetch_entry, ttl=60), Cache[int, User])
    assert_type(Cache(Locked(MemoryStore(1_000)), fetch, ttl=60), Cache[int, User])
    assert_type(Cache(CachetoolsStore(1_000), fetch, ttl=60), Cache[int, User])


async def annotated_stores(redis: Redis) -> None:
    """The type of the value is the store's, and the loader fits."""
    Cache(MemoryStore[User](1_000), fetch, ttl=60)
    Cache(MemoryStore[User](1_000), fetch_or_absent, ttl=60)
    Cache(MemoryStore[User](1_000, max_bytes=1_000, size_of=lambda user: len(user.name)), fetch, ttl=60)
    Cache(Locked(MemoryStore[User](1_000)), fetch, ttl=60)
    Cache(CachetoolsStore[User](1_000), fetch, ttl=60)
    some_store: Store[User] = MemoryStore(1_000)
    assert_type(Cache(some_store, fetch, ttl=60), Cache[int, User])
    any_store: Store[Any] = MemoryStore(1_000)
    Cache(any_store, fetch, ttl=60)
    assert_type(RedisStore(redis, User, namespace="user", version=1), RedisStore[User])
    assert_type(Cache(RedisStore(redis, User, namespace="user", version=1), fetch, ttl=60), Cache[int, User])
    assert_type(LeasedStore(redis, User, namespace="user", version=1, lease_s=2.0), LeasedStore[User])
    assert_type(Cache(LeasedStore(redis, User, namespace="user", version=1), fetch, ttl=60), Cache[int, User])
    or_none: RedisStore[User | None] = RedisStore(redis, User | None, namespace="user", version=1)
    assert_type(Cache(or_none, fetch_or_none, ttl=60), Cache[int, User | None])
    Cache(RedisStore[User | None](redis, User | None, namespace="user", version=1), fetch_or_none, ttl=60)


async def stacks(redis: Redis) -> None:
    """A cache is a loader for the cache above it."""
    async with Cache(RedisStore(redis, User, namespace="user", version=1), fetch, ttl=60, flight=Flight()) as l2:
        async with Cache(MemoryStore(1_000), load=l2, ttl=5, freshness=Freshness(jitter=0.1)) as l1:
            assert_type(await l1.get(42), User | Absent)
        Cache(MemoryStore[User](1_000), load=l2, ttl=5)
        async with Bus(redis, "user:v1:bus", l2, l1) as bus:
            await bus.delete(42)
    none_below = Cache(MemoryStore(1_000), fetch_or_none, ttl=60)
    assert_type(Cache(MemoryStore(1_000), load=none_below, ttl=5), Cache[int, User | None])


async def annotated_caches(load_anything: Loader[int, Any]) -> None:
    """An annotation says what the loader does not."""
    of_users: Cache[int, User] = Cache(MemoryStore(1_000), fetch, ttl=60)
    above: Cache[int, User] = Cache(MemoryStore(1_000), of_users, ttl=60)
    loaded: Cache[int, User] = Cache(MemoryStore(1_000), load_anything, ttl=60)
    assert_type(await above.get(42), User | Absent)
    assert_type(await loaded.get(42), User | Absent)


async def guards_of_loaders() -> None:
    """A guard is a loader of the same type, and so are guards around it, also around a cache."""
    load = Bulkhead(Breaker(TimeLimit(fetch_or_absent, 1.0), failures=3), running=4, waiting=16)
    assert_type(load, Bulkhead[int, User | Absent])
    assert_type(await load(42), User | Absent)
    assert_type(Cache(MemoryStore[User](1_000), load, ttl=60), Cache[int, User])
    assert_type(Cache(MemoryStore[User](1_000), Guarded(load, {1, 2}), ttl=60), Cache[int, User])
    assert_type(Cache(MemoryStore[User](1_000), Breaker(fetch_entry), ttl=60), Cache[int, User])
    below = Cache(MemoryStore[User](1_000), load, ttl=60)
    assert_type(Cache(MemoryStore[User](1_000), Bulkhead(below, running=4), ttl=5), Cache[int, User])


async def guards_of_stores(redis: Redis) -> None:
    """A guard is a store of the same type, and its state can be read."""
    store = Breaker(TimeLimit(LeasedStore(redis, User, namespace="user", version=1), 0.1), open_s=1.0)
    assert_type(store, Breaker[Any, User])
    assert_type(await store.get(42), Entry[User] | Miss)
    assert_type(Cache(store, fetch, ttl=60), Cache[int, User])
    assert_type(Cache(store, Bulkhead(fetch, running=4), ttl=60), Cache[int, User])
    if store.state == "half open":
        print(store.opened, store.refused)


async def guards() -> None:
    """A guard has the type of the loader below it, and may stand between two caches."""
    known = Bloom(1_000)
    assert_type(Guarded(fetch, known), Guarded[int, User])
    assert_type(Guarded(fetch_or_absent, known), Guarded[int, User])
    assert_type(Cache(MemoryStore(1_000), Guarded(fetch, {1, 2}), ttl=60), Cache[int, User])
    below = Cache(MemoryStore(1_000), fetch_or_none, ttl=60)
    above = Cache(MemoryStore(1_000), Guarded(below, known, upto=1_000), ttl=5)
    assert_type(above, Cache[int, User | None])


@dataclass(frozen=True)
class OldUser:
    """The value of the release before."""

    user_name: str


def upgrade(old: OldUser) -> User | Miss:
    """What the new release makes of it."""
    return User(old.user_name)


async def two_releases(redis: Redis) -> None:
    """The old store has the old type, and the new store, the loader and what `upgrade` returns have the new one."""
    old = RedisStore(redis, OldUser, namespace="user", version=1)
    new = RedisStore(redis, User, namespace=f"user-{schema_fingerprint(User)}", version=2)
    assert_type(AlsoDeleting(old, new), AlsoDeleting[OldUser])
    assert_type(Upgrading(old, upgrade, fetch), Upgrading[int, User])
    assert_type(Cache(new, Upgrading(old, upgrade, fetch_or_absent), ttl=60), Cache[int, User])
    below = Cache(new, Upgrading(AlsoDeleting(old, new), upgrade, fetch), ttl=60)
    assert_type(Cache(MemoryStore(1_000), below, ttl=5), Cache[int, User])
    Cache(AlsoDeleting(MemoryStore[User](1_000), new), fetch, ttl=60)
