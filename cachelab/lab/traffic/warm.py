"""Fill a store as it is in the middle of a day: every user is there, and the entries expire one after the other.

A scenario that begins with an empty cache begins with a stampede. Under a load that the origin cannot bear without a
cache, it may never get any further.
"""

from __future__ import annotations

import asyncio
from random import Random

from cachelab.entry import Entry, checked_count, checked_number
from cachelab.lab.sim.database import UserProfile
from cachelab.stores.in_process import InProcessStore

__all__ = ["warm"]


def warm(store: InProcessStore[UserProfile], users: int, *, ttl: float, seed: int = 1) -> None:
    """Put the users 1 to `users` into the store, as `SlowDatabase` has them before the first write.

    Each entry has a random part of `ttl` seconds to live. Call it in the scenario. Raises ValueError unless there is at
    least 1 user, and `ttl` is above 0.
    """
    if not checked_number("ttl", ttl) > 0:
        raise ValueError(f"ttl must be more than 0 seconds, not {ttl!r}.")
    now, random = asyncio.get_running_loop().time(), Random(f"{seed}/warm")
    for user_id in range(1, checked_count("users", users) + 1):
        name = f"user_{user_id}"
        store.put(user_id, Entry(UserProfile(user_id, name, f"{name}@example.com"), now + ttl * random.random()))
