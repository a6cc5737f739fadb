"""The site of the day: what a node gives to a plan, and the two releases of its profile."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis

from cachelab.bloom import Bloom
from cachelab.entry import Absent
from cachelab.stores.redis_store import RedisStore

__all__ = ["Plan", "Profile", "ProfileWithPlan", "Site"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A user's profile, as the first release knows it. `commit` is the number of the commit that wrote the row."""

    id: int
    username: str
    email: str
    commit: int = 0


@dataclass(frozen=True, slots=True)
class ProfileWithPlan:
    """The profile of the second release. Every row has the plan "gold": a "free" one is the default, and invented."""

    id: int
    username: str
    email: str
    commit: int = 0
    plan: str = "free"


@dataclass(frozen=True)
class Site:
    """What a plan may use on one node.

    `load`     an async function of a user's id: the query at the origin. It returns the profile, or `ABSENT`.
    `known`    a filter of all ids that exist. A new id is in it before its row is committed.
    `release`  1 until the deploy at 15 h, then 2
    `node`     the number of the node, from 0
    """

    load: Callable[[int], Coroutine[Any, Any, Profile | ProfileWithPlan | Absent]]
    known: Bloom
    release: int
    node: int
    client: Redis

    def redis(self, *, version: int) -> RedisStore[Any]:
        """The store in Redis which all nodes share. Its keys begin with `user:v1:` for the version 1."""
        kind = Profile if self.release == 1 else ProfileWithPlan
        return RedisStore(self.client, kind, namespace="user", version=version)


Plan: TypeAlias = Callable[[Site], Any]
"""Called once for each node and release. Returns a `Cache`, or an async function of a user's id."""
