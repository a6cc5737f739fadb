"""The site of the day: what a node gives to a plan, and the profile of its second release."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis

from cachelab.bloom import Bloom
from cachelab.entry import Absent
from cachelab.lab.sim.database import UserProfile
from cachelab.stores.redis_store import RedisStore

__all__ = ["Plan", "ProfileWithPlan", "Site"]


@dataclass(frozen=True, slots=True)
class ProfileWithPlan(UserProfile):
    """The profile of the second release. Every row has the plan "gold": a "free" one is the default, and invented."""

    plan: str = "free"


@dataclass(frozen=True)
class Site:
    """What a plan may use on one node.

    `load`     an async function of a user's id: the query at the origin. It returns the profile, or `ABSENT`.
    `known`    a filter of all ids that exist. A new id is in it before its row is committed.
    `release`  1 until the deploy at 15 h, then 2
    `node`     the number of the node, from 0
    """

    load: Callable[[int], Coroutine[Any, Any, UserProfile | Absent]]
    known: Bloom
    release: int
    node: int
    client: Redis

    def redis(self, *, version: int) -> RedisStore[Any]:
        """The store in Redis which all nodes share. Its keys begin with `user:v1:` for the version 1."""
        kind = UserProfile if self.release == 1 else ProfileWithPlan
        return RedisStore(self.client, kind, namespace="user", version=version)


Plan: TypeAlias = Callable[[Site], Any]
"""Called once for each node and release. Returns a `Cache`, or an async function of a user's id."""
