"""Rolling deploys: which release a node runs when, what a warm site holds, and what a half-deployed fleet answers."""

import asyncio
from functools import partial
from math import inf
from typing import Any

import pytest

from cachelab import Cache, MemoryStore, RedisStore, lab

TRAFFIC = lab.Workload(rate=40, seconds=6, keys=50, nodes=2, seed=3)


def release(site: lab.Site, version: int) -> Cache[int, lab.UserProfile]:
    """A release whose keys have this version."""
    store = RedisStore(site.redis.client(), lab.UserProfile, namespace="user", version=version)
    return Cache(store, site.db.fetch_user, ttl=site.ttl)


old, new = partial(release, version=1), partial(release, version=2)


def answering(name: str) -> Cache[int, str]:
    """A cache that answers with a name, and keeps nothing."""

    async def load(key: int) -> str:
        return name

    return Cache(MemoryStore(10), load, ttl=inf)


def test_a_node_changes_at_its_moment() -> None:
    """Before it the old release answers, from it on the new one; a node without a moment never changes."""

    async def scenario() -> list[tuple[float, bool, str]]:
        olds, news = [answering("old") for _ in range(2)], [answering("new") for _ in range(2)]
        fleet = lab.Rollout(olds, news, [2.0, inf])
        requests = [lab.Request(when, node, 1) for when in (1.9, 2.0) for node in (0, 1)]
        await lab.replay(requests, fleet.nodes)
        return [(answer.when, answer.is_new, answer.value) for answer in fleet.answers]

    answers = [(1.9, False, "old"), (1.9, False, "old"), (2.0, True, "new"), (2.0, False, "old")]
    assert lab.run(scenario) == answers


def test_nodes_take_turns_at_deleting() -> None:
    """Each delete goes to the next node, in the release that it runs now."""

    async def scenario() -> list[str]:
        deleted: list[str] = []

        class Deleting(Cache[int, str]):
            async def delete(self, key: int) -> None:
                deleted.append(self.name)

        async def load(key: int) -> str:
            return ""

        caches = [[Deleting(MemoryStore(9), load, ttl=1, name=f"{r} {n}") for n in (1, 2)] for r in ("old", "new")]
        fleet = lab.Rollout(caches[0], caches[1], [0.0, inf])
        for _ in range(3):
            await fleet.delete(7)
        return deleted

    assert lab.run(scenario) == ["new 1", "old 2", "new 1"]


def test_a_fleet_that_does_not_fit_is_refused() -> None:
    """There is an old cache, a new one and a moment for each node."""

    async def scenario() -> None:
        lab.Rollout([answering("old")], [answering("new")], [1.0, 2.0])

    with pytest.raises(ValueError, match="there are 1, 1 and 2 of them"):
        lab.run(scenario)


def test_a_warm_site_is_as_warm_as_one_in_use() -> None:
    """The hit ratio from the first request on is the one that the traffic comes to by itself: h = Σ p·rT/(1 + rT)."""
    traffic = lab.Workload(rate=60, seconds=40, keys=300, nodes=2, seed=8)
    deployed = lab.run(partial(lab.roll_out, old, old, [inf, inf], traffic, ttl=20))
    in_a_ttl = [share * traffic.rate * 20 for share in traffic.popularity()]
    expected = sum(share * many / (1 + many) for share, many in zip(traffic.popularity(), in_a_ttl, strict=True))
    for start, end in ((0, 10), (30, 40)):
        reads = [row for row in deployed.run.reads if start <= row.when < end]
        hits = sum(row.outcome == "hit" for row in reads)
        assert hits / len(reads) == pytest.approx(expected, abs=0.04)


def test_what_was_loaded_beforehand_is_no_query_of_the_run() -> None:
    """A site whose entries never end asks nothing for what it holds."""
    deployed = lab.run(partial(lab.roll_out, old, old, [inf, inf], TRAFFIC, ttl=3_000))
    asked = {query.key for query in deployed.run.queries}
    assert len(asked) < 10
    assert len(deployed.answers) == len(deployed.run.reads)


def test_a_warm_up_takes_a_ttl() -> None:
    """Each key is loaded once, at some moment of it."""

    async def scenario() -> tuple[list[int], float]:
        loaded: list[int] = []

        async def get(key: int) -> None:
            loaded.append(key)

        await lab.warm_up(get, TRAFFIC, ttl=20)
        return loaded, asyncio.get_running_loop().time()

    loaded, took = lab.run(scenario)
    assert len(loaded) == len(set(loaded)) > 40
    assert took == pytest.approx(20)


def test_a_deploy_with_another_version_is_a_cold_start() -> None:
    """After it each user is loaded again, at the first request for it."""
    deployed = lab.run(partial(lab.roll_out, old, new, [3, 3], TRAFFIC, ttl=30))
    first: dict[int, Any] = {}
    for row in deployed.run.reads:
        if row.when >= 3:
            first.setdefault(row.key, row)
    assert {row.outcome for row in first.values()} == {"miss"}
    assert all(answer.is_new == (answer.when >= 3) for answer in deployed.answers if abs(answer.when - 3) > 0.2)


def test_a_script_runs_beside_the_traffic() -> None:
    """What it has filled by the moment of the deploy is no miss after it; its own queries are counted."""

    async def script(site: lab.Site) -> None:
        for key in range(1, 26):  # half of the users, in 2.5 s
            await new(site).get(key)

    deployed = lab.run(partial(lab.roll_out, old, new, [3, 3], TRAFFIC, ttl=30, script=script))
    missed = {row.key for row in deployed.run.reads if row.when >= 3 and row.outcome == "miss"}
    assert missed
    assert min(missed) > 25
    assert {query.key for query in deployed.run.queries} >= set(range(1, 26))


def test_a_half_deployed_fleet_gives_old_values() -> None:
    """The other generation is not deleted. A fleet with one release gives hardly any."""
    writes = lab.Workload(rate=40, seconds=20, keys=50, nodes=2, seed=3, write_rate=2)
    whole, half = (lab.run(partial(lab.roll_out, old, late, [0, inf], writes)).run for late in (old, new))
    assert whole.stale_share < 0.01 < 0.1 < half.stale_share
