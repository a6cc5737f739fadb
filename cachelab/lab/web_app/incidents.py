"""The service of chapter 15 for half a minute: in a calm time, in three incidents, and after a cold start.

Two workers share a Redis and a database that serves 160 queries a second. 100 requests a second come for 500 users.
Before the first one, each user is fetched once within a minute, so Redis is warm and its entries end one by one. In a
cold start Redis is empty, and the workers have just begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.lab.traffic.workload import Workload
from cachelab.lab.web_app import application
from cachelab.lab.web_app.profiles import ProfileDatabase
from cachelab.lab.web_app.serving import serving
from cachelab.lab.web_app.traffic import Numbers, Watch, watch

__all__ = ["DURING", "INCIDENTS", "SEEN", "watch_incident"]

DURING = (8.0, 20.0)
"""The incident lasts from the first of these seconds to the second. A flush takes no time: it is at the first."""
INCIDENTS = ("calm", "flush", "Redis hangs", "slow database", "cold start")
SEEN: dict[tuple[str, int], list[Numbers]] = {}
"""The numbers of each incident and seed that was watched, with the application of the chapter: exercise 15.2 asks."""
WARM_UP_S = 60.0
USERS = 500


async def watch_incident(incident: str, create: Callable[..., Any] = application.create, *, seed: int = 1) -> Watch:
    """Half a minute with one of `INCIDENTS`, in virtual time. `create` builds the application; `seed` is the traffic's.

    Raises ValueError for another name.
    """
    if incident not in INCIDENTS:
        raise ValueError(f"incident must be one of {', '.join(INCIDENTS)}, not {incident!r}.")
    warm_up_s = 0.0 if incident == "cold start" else WARM_UP_S
    start, end = (warm_up_s + second for second in DURING)
    redis = FakeRedis(*([Hanging(start, end)] if incident == "Redis hangs" else []))
    db, loop = ProfileDatabase(users=USERS), asyncio.get_running_loop()
    if incident == "slow database":
        loop.call_at(start, setattr, db, "service_s", 20 * db.service_s)
        loop.call_at(end, setattr, db, "service_s", db.service_s)
    traffic = Workload(rate=100, seconds=30, keys=USERS, write_rate=0.5, nodes=2, seed=seed).requests()
    nodes = [serving(create(lambda: db, lambda node=node: redis.client(node))) for node in "AB"]
    async with nodes[0] as first, nodes[1] as second:
        if warm_up_s:
            for user_id in range(1, USERS + 1):
                await first.get(f"/users/{user_id}")
                await asyncio.sleep(user_id * WARM_UP_S / USERS - loop.time())
        if incident == "flush":
            loop.call_at(start, lambda: loop.create_task(_flush(redis)))
        seen = await watch([first, second], traffic)
    if create is application.create:
        SEEN[incident, seed] = seen.numbers
    return seen


async def _flush(redis: FakeRedis) -> None:
    await redis.client().flushall()
