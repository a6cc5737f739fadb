"""The simulation against the formulas of the literature."""

import math

import pytest

from cachelab import Cache, MemoryStore, lab

SERVICE_S = 0.05
CONNECTIONS = 8
CAPACITY = CONNECTIONS / SERVICE_S


def uncached(rate: float, seconds: float, connections: int = CONNECTIONS) -> lab.ReplayResult:
    """Replay reads that go straight to the database."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=1_000, connections=connections, service_s=SERVICE_S)
        workload = lab.Workload(rate=rate, seconds=seconds, keys=1_000, seed=5)
        return await lab.replay(workload, db.fetch_user, db=db)

    return lab.run(scenario)


def cached(
    ttl: float, *, rate: float = 100.0, seconds: float = 200.0, keys: int = 500, connections: int = 80
) -> lab.ReplayResult:
    """Replay reads through a cache that never fills up, over a database in which no query waits."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=keys, connections=connections, service_s=SERVICE_S)
        cache = Cache(MemoryStore(keys), db.fetch_user, ttl=ttl, listen=lab.listen)
        return await lab.replay(lab.Workload(rate=rate, seconds=seconds, keys=keys, seed=5), cache, db=db)

    return lab.run(scenario)


@pytest.mark.parametrize("ttl", [pytest.param(0.5, marks=pytest.mark.long), 5.0, 50.0])
def test_the_origin_sees_the_misses(ttl: float) -> None:
    """The origin load is exactly (1 - h) times the arrival rate."""
    result = cached(ttl)
    assert result.origin_load == pytest.approx((1 - result.hit_ratio) * len(result.rows) / result.seconds)


@pytest.mark.parametrize("ttl", [pytest.param(0.5, marks=pytest.mark.long), 5.0, 50.0])
def test_the_mean_latency_comes_from_the_misses(ttl: float) -> None:
    """Without a queue E[T] = h * 0 + (1 - h) * t_origin, because a look-up takes no virtual time."""
    result = cached(ttl)
    assert result.mean_latency_s == pytest.approx((1 - result.hit_ratio) * SERVICE_S, rel=1e-6)


@pytest.mark.parametrize("ttl", [pytest.param(0.5, marks=pytest.mark.long), 5.0, 50.0])
def test_the_p99_is_a_miss_until_h_passes_99_percent(ttl: float) -> None:
    """While more than 1 % of the reads are misses, the p99 is the latency of the origin; after that, that of a hit."""
    result = cached(ttl)
    assert result.percentile_s(99) == (SERVICE_S if result.hit_ratio < 0.99 else 0.0)


def test_the_p99_falls_when_h_passes_99_percent() -> None:
    """With ten keys that never expire, only the first reads and those during the first loads are misses."""
    result = cached(math.inf, keys=10)
    assert (result.hit_ratio > 0.99, result.percentile_s(99)) == (True, 0.0)


@pytest.mark.parametrize("ttl", [pytest.param(1.0, marks=pytest.mark.long), 4.0])
def test_the_hit_ratio_of_a_ttl(ttl: float) -> None:
    """After the cold start, h is the sum of p * λp·TTL / (1 + λpδ + λp·TTL) over all keys, within .01."""
    rate, keys = 100.0, 200
    result = cached(ttl, rate=rate, seconds=60 * ttl + 100, keys=keys)
    later = [row.outcome for row in result.reads if row.when > 5 * ttl]
    popularity = lab.Workload(rate=rate, seconds=1.0, keys=keys).popularity()
    expected = sum(p * rate * p * ttl / (1 + rate * p * (SERVICE_S + ttl)) for p in popularity)
    assert later.count("hit") / len(later) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("share", [0.5, 0.9, 1.25, pytest.param(2.0, marks=pytest.mark.long)])
def test_the_knee_is_at_the_capacity(share: float) -> None:
    """The database answers the offered rate, but at most C/s queries per second, within 2 %."""
    seconds = 60.0
    result = uncached(share * CAPACITY, seconds)
    answered = sum(query.ended <= seconds for query in result.queries) / seconds
    assert answered == pytest.approx(min(len(result.rows) / seconds, CAPACITY), rel=0.02)


@pytest.mark.parametrize("share", [1.25, pytest.param(2.0, marks=pytest.mark.long)])
def test_beyond_the_knee_the_wait_is_a_ramp(share: float) -> None:
    """A request that comes at t waits (λ/μ - 1)·t: the mean of the last hundred of a minute agrees within 5 %."""
    result = uncached(share * CAPACITY, 60.0)
    last = result.rows[-100:]
    offered = len(result.rows) / 60.0
    expected = sum((offered / CAPACITY - 1) * row.when for row in last) / 100
    assert sum(row.latency_s - SERVICE_S for row in last) / 100 == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("busy", [0.3, *(pytest.param(share, marks=pytest.mark.long) for share in (0.5, 0.7))])
def test_one_connection_is_an_m_d_1_queue(busy: float) -> None:
    """The mean wait is ρs / 2(1 - ρ), within 5 %."""
    result = uncached(busy / SERVICE_S, 4_000.0, connections=1)
    wait = result.mean_latency_s - SERVICE_S
    assert wait == pytest.approx(busy * SERVICE_S / (2 * (1 - busy)), rel=0.05)


def test_a_bigger_hit_ratio_multiplies_the_capacity() -> None:
    """With a cache that answers a share h, the site serves C / (s·(1 - h)) requests per second, within 3 %."""
    share, seconds = 0.75, 10.0
    base = lab.Workload(rate=1.3 * CAPACITY / (1 - share), seconds=seconds, keys=1_000, zipf=0.0, seed=5).requests()
    mixed = [r._replace(key=1 if r.key <= 1_000 * share else 10 + n) for n, r in enumerate(base)]

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=1_000, connections=CONNECTIONS, service_s=SERVICE_S)
        cache = Cache(MemoryStore(100_000), db.fetch_user, ttl=math.inf, negative_ttl=math.inf, listen=lab.listen)
        return await lab.replay(mixed, cache, db=db)

    result = lab.run(scenario)
    served = sum(query.ended <= seconds for query in result.queries) / seconds / (1 - share)
    assert served == pytest.approx(CAPACITY / (1 - share), rel=0.03)
