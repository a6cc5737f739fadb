"""A plan's day: four nodes over one Redis and one origin, in virtual time, and its score.

Problem: whether parts that are each right are right together shows only when they meet, and each event of a day meets
    them in another state.
Idea: play the whole day against the plan, and count what each reader got.
Guarantee: the same plan and seed give the same score. A plan that raises when it is called, or whose answers raise what
    only a mistake raises (a NameError, a TypeError), ends the day with that error; one that returns no cache, with a
    `BadPlan`.
Not guaranteed: an end in real time. `cachelab.lab.day.trial` sees to that.
Cost: two to four seconds for a day.
Source: game days and chaos experiments do the same to a real site.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cachelab.bloom import Bloom
from cachelab.cache import Cache
from cachelab.entry import ABSENT, Absent, Entry
from cachelab.events import InvalidationFailed
from cachelab.lab.day.parts import entries_in, parts_of
from cachelab.lab.day.score import Quarter, Score
from cachelab.lab.day.site import Plan, ProfileWithPlan, Site
from cachelab.lab.day.traffic import DAY_S, EVENTS, HOUR_S, NODES, SIGN_UPS, USERS, day_requests
from cachelab.lab.sim.database import SlowDatabase, UserProfile
from cachelab.lab.sim.fake_redis import FakeRedis, Hanging
from cachelab.lab.sim.simulation import run
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["BadPlan", "Invented", "run_day"]

CONNECTIONS, SERVICE_S, BACKUP_SERVICE_S = 1, 0.1, 0.2
REDIS_TIMEOUT_S = 0.1
PATIENCE_S, SLOW_S, STALE_S, SIGN_UP_S = 1.0, 0.3, 60.0, 1.0
BETWEEN_NODES_S = 5.0  # of the deploy
MISTAKES = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError)
"""What is a mistake in the plan and no outage: the first of them ends the day."""
QUARTER_S: Final = HOUR_S / 4
MOST_ID: Final = USERS + SIGN_UPS


class BadPlan(Exception):
    """The plan is none: the sentence says why."""


class Invented(Exception):
    """The answer is not what the database has, or ever had."""


def run_day(plan: Plan, seed: int = 1) -> Score:
    """Let the plan live through the day, and return its score. Raises `BadPlan`, or what the plan raises."""
    state = random.getstate()
    random.seed(seed)  # what a `Freshness` draws
    try:
        return run(_day, plan, seed)
    finally:
        random.setstate(state)


async def _day(plan: Plan, seed: int) -> Score:
    site = _DaySite(plan)
    site.begin()
    watch = asyncio.ensure_future(site.watch())
    playing: asyncio.Future[Any] = asyncio.ensure_future(
        replay(day_requests(seed), [site.getter(node) for node in range(NODES)], db=site.db, write=site.write)
    )
    await asyncio.wait([playing, site.failed], return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    if site.failed.done():
        playing.cancel()
        site.failed.result()
    parts = parts_of(site.tops[0])
    for top in site.made:
        if isinstance(top, Cache):
            await top.aclose()
    result = playing.result()
    return Score(
        quarters=_quarters(result, site),
        queue_s=_longest(site.queues),
        queries=sum(query.kind == "read" for query in result.queries),
        packets=site.redis.packets,
        entries=site.most_entries,
        parts=parts,
    )


class _DaySite:
    """The nodes, their Redis and their origin, in the order of the day's events."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self.db = SlowDatabase(users=USERS, connections=CONNECTIONS, service_s=SERVICE_S)
        self.redis = FakeRedis(Hanging(*EVENTS["hang"].seconds), timeout_s=REDIS_TIMEOUT_S)
        self.known = Bloom(MOST_ID, 0.01)
        for user_id in range(1, USERS + 1):
            self.known.add(user_id)
        self._clients = [self.redis.client() for _ in range(NODES)]
        self._writers = 0
        self.made: list[Any] = []
        self.tops: list[Any] = []
        self.queues: list[int] = []
        self.most_entries = 0
        self.failed: asyncio.Future[None] = self._loop.create_future()

    def begin(self) -> None:
        """Build the first release, and plan the events."""
        self.tops = [self._build(node, release=1) for node in range(NODES)]
        start, end = EVENTS["backup"].seconds
        self._loop.call_at(start, setattr, self.db, "service_s", BACKUP_SERVICE_S)
        self._loop.call_at(end, setattr, self.db, "service_s", SERVICE_S)
        for node in range(NODES):
            self._loop.call_at(EVENTS["deploy"].seconds[0] + node * BETWEEN_NODES_S, self._deploy, node)

    def _deploy(self, node: int) -> None:
        try:
            self.tops[node] = self._build(node, release=2)
        except Exception as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    def _build(self, node: int, *, release: int) -> Any:
        load = self.db.fetch_user if release == 1 else self._load_with_plan
        top = self._plan(Site(load=load, known=self.known, release=release, node=node, client=self._clients[node]))
        if inspect.iscoroutine(top):
            top.close()
            raise BadPlan("A plan is a plain function: write `def`, not `async def`.")
        if not callable(top):
            raise BadPlan(f"A plan returns a Cache, or an async function of a user's id, not {top!r:.60}.")
        self.made.append(top)
        return top

    async def _load_with_plan(self, user_id: int) -> ProfileWithPlan | Absent:
        user = await self.db.fetch_user(user_id)
        if isinstance(user, Absent):
            return user
        return ProfileWithPlan(user.id, user.username, user.email, user.commit, "gold")

    def getter(self, node: int) -> Callable[[int], Awaitable[Any]]:
        """What answers a read of this node."""

        async def get(user_id: int) -> Any:
            top = self.tops[node]
            try:
                async with asyncio.timeout(PATIENCE_S):
                    value = await (top.get(user_id) if isinstance(top, Cache) else top(user_id))
                return _checked(value, user_id)
            except MISTAKES as error:
                self._end(error)
                raise

        return get

    async def write(self, user_id: int) -> None:
        """Commit a change or a sign-up, then delete; a delete that fails is repeated every second."""
        if user_id > USERS:
            self.known.add(user_id)
            await self.db.add_user(user_id)
        else:
            await self.db.update_user(user_id)
        self._writers += 1
        node = self._writers % NODES
        while delete := getattr(self.tops[node], "delete", None):
            try:
                await delete(user_id)
                return
            except InvalidationFailed:
                await asyncio.sleep(1)

    async def watch(self) -> None:
        """Note every second whether a query waits for a connection, and every hour how many entries a node holds."""
        while True:
            if len(self.queues) % HOUR_S == 0:
                self.most_entries = max(self.most_entries, *(entries_in(top) for top in self.tops))
            self.queues.append(int(self.db.waiting > 0))
            await asyncio.sleep(1)


def _checked(answer: Any, user_id: int) -> Any:
    """The profile or the absence that was answered. Raises `Invented`, or TypeError for anything else."""
    value = answer.value if isinstance(answer, Entry) else answer
    if value is ABSENT:
        return value
    if not isinstance(value, UserProfile):
        raise TypeError(f"The plan answers with {value!r:.60}, which is neither a profile nor ABSENT.")
    if value.id != user_id or getattr(value, "plan", "gold") != "gold":
        raise Invented
    return value


def _quarters(result: ReplayResult, site: _DaySite) -> list[Quarter]:
    """What the readers got, by the quarter of an hour in which they asked."""
    counts: list[Counter[str]] = [Counter() for _ in range(int(DAY_S / QUARTER_S))]
    for row in result.reads:
        if row.key <= MOST_ID:  # the attacker's answers count for nothing
            quarter = counts[int(row.when / QUARTER_S)]
            quarter["readers"] += 1
            quarter[_kind(row, site.db)] += 1
    for second, waits in enumerate(site.queues[: int(DAY_S)]):
        counts[int(second / QUARTER_S)]["queue"] += waits
    return [Quarter(*(count[kind] for kind in Quarter._fields)) for count in counts]


def _kind(row: Row, db: SlowDatabase) -> str:
    """The kind of bad answer that a reader got, or "good"."""
    if row.error == "Invented":
        return "invented"
    if row.error or row.latency_s > SLOW_S:
        return "failed"
    if row.result == "absent" and (row.key <= USERS or db.stale_s(row.key, 0, row.when) > SIGN_UP_S):
        return "not_found"
    return "stale" if row.stale_s > STALE_S else "good"


def _longest(waits: list[int]) -> int:
    """The most ones in a row."""
    longest = length = 0
    for one in waits:
        length = length + 1 if one else 0
        longest = max(longest, length)
    return longest
