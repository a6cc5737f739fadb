"""How old answers are in a fleet of four nodes with two levels, in virtual time: without a bus, with it, with losses.

Twenty keys, 400 reads and 5 writes a second, a memory with a TTL of 5 s above Redis. A load takes 20 ms.
"""

import asyncio
from itertools import cycle
from typing import Any

import pytest

from cachelab import Bus, Cache, Flight, LeasedStore, MemoryStore, lab
from cachelab.lab.sim.simulation import run
from tests.support.tiers import tiers

CHANNEL, NODES, L1_TTL_S, LOAD_S, ROUND_TRIP_S = "user:v1:bus", 4, 5.0, 0.02, 0.001


async def staleness(seconds: float, *faults: Any, is_bus: bool = True, l1_ttl: float = L1_TTL_S) -> lab.ReplayResult:
    """The replay of so many seconds of traffic. Each write commits, and then deletes through the bus of a node."""
    db = lab.SlowDatabase(users=20, connections=100, service_s=LOAD_S)
    redis = lab.FakeRedis(*faults, latency_s=ROUND_TRIP_S)
    memories, stores, buses = [], [], []
    for _ in range(NODES):
        client = redis.client()
        stores.append(LeasedStore[Any](client, lab.UserProfile, namespace="user", version=1))
        l2: Cache[int, Any] = Cache(stores[-1], db.fetch_user, ttl=60.0, flight=Flight())
        memories.append(Cache(MemoryStore(100), l2, ttl=l1_ttl, flight=Flight()))
        buses.append(Bus(client, CHANNEL, l2, memories[-1]))
    turns = cycle(range(NODES))

    async def write(user_id: int) -> None:
        await db.update_user(user_id)
        node = next(turns)
        await (buses[node] if is_bus else memories[node]).delete(user_id)

    if is_bus:
        for bus in buses:
            await bus.__aenter__()
    await asyncio.sleep(0.1)
    workload = lab.Workload(rate=400.0, seconds=seconds, keys=20, zipf=0.0, write_rate=5.0, nodes=NODES)
    result = await lab.replay(workload, [memory.get for memory in memories], db=db, write=write)
    for bus, memory, store in zip(buses, memories, stores, strict=True):
        await bus.__aexit__()
        await memory.aclose()
        await store.aclose()
    return result


def figures(result: lab.ReplayResult) -> tuple[float, float, float]:
    """The share of answers that were out of date, their median age and the greatest, in seconds."""
    ages = sorted(row.stale_s for row in result.reads if row.stale_s > 0) or [0.0]
    assert not [row for row in result.rows if row.error]
    return sum(age > 0 for age in ages) / len(result.reads), ages[len(ages) // 2], ages[-1]


def losing(share: float, start: float = 0.5, end: float = 1e9, *, breaks: bool = False) -> lab.Losing:
    """A loss of messages of the bus; those of the leases arrive."""
    return lab.Losing(start, end, share, channel=CHANNEL, breaks=breaks)


def test_the_bus_makes_staleness_rare_and_short() -> None:
    """Without it a fifth of all answers and more are out of date, by seconds; with it one in a thousand, by a load."""
    without, with_bus = (figures(run(lambda bus=bus: staleness(10.0, is_bus=bus))) for bus in (False, True))
    assert without[0] > 0.2
    assert without[1] > 0.8
    assert with_bus[0] < 0.003
    assert with_bus[2] < LOAD_S + 5 * ROUND_TRIP_S


CASES: dict[str, tuple[dict[str, Any], tuple[float, float], tuple[float, float]]] = {
    "no bus": ({"is_bus": False}, (0.25, 0.36), (4.5, 5.03)),
    "bus": ({}, (0.0, 0.002), (0.0, 0.03)),
    "1 % lost": ({"fault": losing(0.01)}, (0.0005, 0.01), (1.0, 5.03)),
    "10 % lost": ({"fault": losing(0.1)}, (0.015, 0.06), (3.0, 5.03)),
    "all lost": ({"fault": losing(1.0)}, (0.25, 0.36), (4.5, 5.03)),
    "deaf for two seconds, then all is forgotten": (
        {"fault": losing(1.0, 30.0, 32.0, breaks=True)},
        (0.0005, 0.006),
        (0.5, 2.2),
    ),
    "deaf for two seconds, unnoticed": ({"fault": losing(1.0, 30.0, 32.0)}, (0.001, 0.02), (2.0, 5.03)),
    "a TTL of 60 s, no bus": ({"is_bus": False, "l1_ttl": 60.0}, (0.5, 0.75), (20.0, 60.03)),
    "a TTL of 60 s, 1 % lost": ({"fault": losing(0.01), "l1_ttl": 60.0}, (0.0005, 0.02), (1.0, 60.03)),
}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
def test_the_table_of_staleness(case: str) -> None:
    """The share of answers that are out of date, and the age of the oldest, over a minute."""
    options, shares, oldest = CASES[case]
    faults = [options.pop("fault")] if "fault" in (options := dict(options)) else []
    share, median_s, oldest_s = figures(run(lambda: staleness(60.0, *faults, **options)))
    print(f"{case}: {share:.2%} out of date, by {median_s:.3f} s in the median and {oldest_s:.3f} s at most")
    assert shares[0] <= share <= shares[1]
    assert oldest[0] <= oldest_s <= oldest[1]


@pytest.mark.parametrize("reads", tiers(1_000_000, quick=4_000, soak_timeout_s=3_600))
def test_no_answer_is_older_than_the_ttl_of_the_memory(reads: int) -> None:
    """Nor than that and a load and a round trip, with a tenth of the messages lost, and for a second in ten all."""
    seconds = reads / 400.0
    faults = [losing(0.1), *(losing(1.0, start, start + 1.0) for start in range(5, int(seconds), 10))]
    share, _, oldest_s = figures(run(lambda: staleness(seconds, *faults)))
    assert share > 0.01
    assert 1.0 < oldest_s <= L1_TTL_S + LOAD_S + 3 * ROUND_TRIP_S
