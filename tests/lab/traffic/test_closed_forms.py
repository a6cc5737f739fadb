"""The simulation against what the literature says it must give."""

import math

import pytest

from cachelab import Cache, MemoryStore, lab

SERVICE_S = 0.05
CONNECTIONS = 8
CAPACITY = CONNECTIONS / SERVICE_S


def uncached(rate: float, seconds: float, connections: int = CONNECTIONS) -> lab.ReplayResult:
    """Reads straight from the database."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=1_000, connections=connections, service_s=SERVICE_S)
        workload = lab.Workload(rate=rate, seconds=seconds, keys=1_000, seed=5)
        return await lab.replay(workload, db.fetch_user, db=db)

    return lab.run(scenario)


def cached(
    ttl: float, *, rate: float = 100.0, seconds: float = 200.0, keys: int = 500, connections: int = 80
) -> lab.ReplayResult:
    """Reads through a cache that is never full, over a database that is never busy."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=keys, connections=connections, service_s=SERVICE_S)
        cache = Cache(MemoryStore(keys), db.fetch_user, ttl=ttl, listen=lab.listen)
        return await lab.replay(lab.Workload(rate=rate, seconds=seconds, keys=keys, seed=5), cache, db=db)

    return lab.run(scenario)


@pytest.mark.parametrize("ttl", [0.5, 5.0, 50.0])
def test_the_origin_sees_the_misses(ttl: float) -> None:
    """Origin load is (1 - h) times the arrival rate, exactly."""
    trace = cached(ttl)
    assert trace.origin_load == pytest.approx((1 - trace.hit_ratio) * len(trace.rows) / trace.seconds)


@pytest.mark.parametrize("ttl", [0.5, 5.0, 50.0])
def test_the_mean_latency_is_that_of_the_misses(ttl: float) -> None:
    """E[T] = h * 0 + (1 - h) * t_origin while nobody queues, since a look-up takes no virtual time."""
    trace = cached(ttl)
    assert trace.mean_latency_s == pytest.approx((1 - trace.hit_ratio) * SERVICE_S, rel=1e-6)


@pytest.mark.parametrize("ttl", [0.5, 5.0, 50.0])
def test_the_p99_is_a_miss_until_h_passes_99_percent(ttl: float) -> None:
    """As long as more than 1 % miss, the p99 is the latency of the origin; beyond, it is that of a hit."""
    trace = cached(ttl)
    assert trace.percentile_s(99) == (SERVICE_S if trace.hit_ratio < 0.99 else 0.0)


def test_the_p99_falls_when_h_passes_99_percent() -> None:
    """Ten keys that live for ever miss ten times and whatever comes during the first loads, and no more."""
    trace = cached(math.inf, keys=10)
    assert (trace.hit_ratio > 0.99, trace.percentile_s(99)) == (True, 0.0)


@pytest.mark.parametrize("ttl", [1.0, 4.0])
def test_the_hit_ratio_of_a_ttl(ttl: float) -> None:
    """h is the sum of p * λp·TTL / (1 + λpδ + λp·TTL) over all keys, within .01, once the cold start has worn off."""
    rate, keys = 100.0, 200
    trace = cached(ttl, rate=rate, seconds=60 * ttl + 100, keys=keys)
    later = [row.outcome for row in trace.reads if row.when > 5 * ttl]
    popularity = lab.Workload(rate=rate, seconds=1.0, keys=keys).popularity()
    expected = sum(p * rate * p * ttl / (1 + rate * p * (SERVICE_S + ttl)) for p in popularity)
    assert later.count("hit") / len(later) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.25, 2.0])
def test_the_knee_is_at_the_capacity(share: float) -> None:
    """It answers what is offered, up to C/s queries per second, within 2 %."""
    seconds = 60.0
    trace = uncached(share * CAPACITY, seconds)
    answered = sum(query.ended <= seconds for query in trace.queries) / seconds
    assert answered == pytest.approx(min(len(trace.rows) / seconds, CAPACITY), rel=0.02)


@pytest.mark.parametrize("share", [1.25, 2.0])
def test_beyond_the_knee_the_wait_is_a_ramp(share: float) -> None:
    """Who comes at t waits (λ/μ - 1)·t; the last hundred of a minute within 5 %."""
    trace = uncached(share * CAPACITY, 60.0)
    last = trace.rows[-100:]
    offered = len(trace.rows) / 60.0
    expected = sum((offered / CAPACITY - 1) * row.when for row in last) / 100
    assert sum(row.latency_s - SERVICE_S for row in last) / 100 == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("busy", [0.3, 0.5, 0.7])
def test_one_connection_is_an_m_d_1_queue(busy: float) -> None:
    """The mean wait is ρs / 2(1 - ρ), within 5 %."""
    trace = uncached(busy / SERVICE_S, 4_000.0, connections=1)
    wait = trace.mean_latency_s - SERVICE_S
    assert wait == pytest.approx(busy * SERVICE_S / (2 * (1 - busy)), rel=0.05)


def test_a_bigger_hit_ratio_multiplies_the_capacity() -> None:
    """Behind a cache that answers a share h the site carries C / (s·(1 - h)), within 3 %."""
    share, seconds = 0.75, 10.0
    base = lab.Workload(rate=1.3 * CAPACITY / (1 - share), seconds=seconds, keys=1_000, zipf=0.0, seed=5).requests()
    mixed = [r._replace(key=1 if r.key <= 1_000 * share else 10 + n) for n, r in enumerate(base)]

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=1_000, connections=CONNECTIONS, service_s=SERVICE_S)
        cache = Cache(MemoryStore(100_000), db.fetch_user, ttl=math.inf, negative_ttl=math.inf, listen=lab.listen)
        return await lab.replay(mixed, cache, db=db)

    trace = lab.run(scenario)
    carried = sum(query.ended <= seconds for query in trace.queries) / seconds / (1 - share)
    assert carried == pytest.approx(CAPACITY / (1 - share), rel=0.03)
