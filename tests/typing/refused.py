# pyright: strict, reportUnnecessaryTypeIgnoreComment=error
"""Programs that both type checkers must refuse. Each error is ignored here, and an ignore without an error is one."""

from typing import Any

from redis.asyncio import Redis

from cachelab import (
    AlsoDeleting,
    Bloom,
    Breaker,
    Bulkhead,
    Cache,
    CachetoolsStore,
    Entry,
    Guarded,
    LeasedStore,
    Locked,
    MemoryStore,
    RedisStore,
    Upgrading,
)
from tests.typing.accepted import OldUser, User, fetch, fetch_or_absent, fetch_or_none, upgrade


async def a_store_of_another_type(redis: Redis) -> None:
    """The central mistake: a store of `str` under a loader of `User`."""
    Cache(MemoryStore[str](1_000), fetch, ttl=60)  # type: ignore[call-overload]
    Cache(MemoryStore[str](1_000), fetch_or_absent, ttl=60)  # type: ignore[call-overload]
    Cache(Locked(MemoryStore[str](1_000)), fetch, ttl=60)  # type: ignore[call-overload]
    Cache(CachetoolsStore[str](1_000), fetch, ttl=60)  # type: ignore[call-overload]
    Cache(RedisStore(redis, str, namespace="user", version=1), fetch, ttl=60)  # type: ignore[call-overload]
    Cache(LeasedStore(redis, str, namespace="user", version=1), fetch, ttl=60)  # type: ignore[call-overload]
    LeasedStore(redis, User, namespace="user", version=1, lease=2.0)  # type: ignore[call-overload]
    Cache(AlsoDeleting(MemoryStore[str](1_000), MemoryStore[User](1_000)), fetch, ttl=60)  # type: ignore[call-overload]
    Cache(MemoryStore[str](1_000), Guarded(fetch, Bloom(1_000)), ttl=60)  # type: ignore[misc]
    of_strings: RedisStore[str] = RedisStore(redis, str, namespace="user", version=1)
    Cache(of_strings, fetch, ttl=60)  # type: ignore[call-overload]


async def a_guard_of_another_type(load: Bulkhead[int, User], store: Breaker[Any, str]) -> None:
    """A guard hides no type, neither the loader's nor the store's."""
    Cache(MemoryStore[str](1_000), load, ttl=60)  # type: ignore[arg-type]
    Cache(store, fetch, ttl=60)  # type: ignore[call-overload]
    await load("42")  # type: ignore[arg-type]


async def a_store_that_has_no_room_for_none(redis: Redis) -> None:
    """A loader that may return None needs a store of `User | None`: Redis would refuse to decode None as a `User`."""
    Cache(RedisStore(redis, User, namespace="user", version=1), fetch_or_none, ttl=60)  # type: ignore[call-overload]


async def a_stack_of_two_types() -> None:
    """The upper store holds what the lower cache returns."""
    lower = Cache(MemoryStore(1_000), fetch, ttl=60)
    Cache(MemoryStore[str](1_000), lower, ttl=5)  # type: ignore[misc]


async def a_key_of_another_type() -> None:
    """The loader takes an `int`."""
    cache = Cache(MemoryStore(1_000), fetch, ttl=60)
    await cache.get("42")  # type: ignore[arg-type]


async def an_absence_is_forgotten() -> None:
    """`get` may return ABSENT."""
    cache = Cache(MemoryStore(1_000), fetch, ttl=60)
    user: User = await cache.get(42)  # type: ignore[assignment]
    print(user)


def an_entry_is_changed(entry: Entry[User], other: User) -> None:
    """Entries are shared."""
    entry.value = other  # type: ignore[misc]
    entry.expires = 70.0  # type: ignore[misc]
    entry.fresh_until = 60.0  # type: ignore[misc]
    entry.refresh_from = 50.0  # type: ignore[misc]
    entry.load_time_s = 1.0  # type: ignore[misc]


async def an_annotation_of_another_type() -> None:
    """The cache is what its loader makes it."""
    cache: Cache[int, str] = Cache(MemoryStore(1_000), fetch, ttl=60)  # type: ignore[call-overload]
    print(cache)


async def a_generation_of_another_type(redis: Redis) -> None:
    """The old store holds what `upgrade` takes, and the new store what it returns."""
    old = RedisStore(redis, OldUser, namespace="user", version=1)
    new = RedisStore(redis, User, namespace="user", version=2)
    Upgrading(new, upgrade, fetch)  # type: ignore[call-overload]
    Cache(old, Upgrading(old, upgrade, fetch), ttl=60)  # type: ignore[misc]
