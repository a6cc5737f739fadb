"""Chapter 1: what it says of a site with random traffic."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("01")
OUTAGES = ((30, 20), (30, 30), (2, 20))
"""The TTL and the beginning of each outage that the chapter shows."""


def failed(run: Any, start: float, end: float) -> float:
    """The share of the requests between two moments that failed."""
    results = [row.result for row in run.reads if start <= row.when < end]
    return results.count("error") / len(results)


@claim("Without a cache, 198.6 queries a second are asked of a database that serves 160.")
def asked_and_served(bare: Any) -> None:
    """The one within a twentieth; the other in every two seconds of the 45, after the first few."""
    assert bare.origin_load == pytest.approx(198.6, rel=0.05)
    assert all(rate == pytest.approx(160, abs=1) for rate in bare.queries_per_second(2)[2:22])


@claim(
    "The rest waits, and the queue grows as long as the traffic lasts: after these 45 s the p99 is 10.8 s, "
    "on its way to the 15 s of the incident."
)
def p99_without_a_cache(bare: Any) -> None:
    """The p99 within a sixth of it; in each nine seconds the mean wait is longer than in those before."""
    waits = [[row.latency_s for row in bare.reads if 9 * n <= row.when < 9 * n + 9] for n in range(5)]
    means = [sum(part) / len(part) for part in waits]
    assert means == sorted(means)
    assert bare.percentile_s(99) == pytest.approx(10.8, rel=1 / 6)


@claim("With the cache, only the misses, 27.5/s, reach the database.")
def what_is_left_over(cached: Any) -> None:
    """Within a point, and within one query a second."""
    assert cached.hit_ratio == pytest.approx(0.862, abs=0.01)
    assert cached.origin_load == pytest.approx(27.5, abs=1)


@claim(
    "At 30 s the origin load jumps, because the entries of the first seconds expire together. "
    "Those that came later are still there, so it jumps less high than at the start."
)
def the_step(cached: Any) -> None:
    """The bin of the picture after it has half as many queries again as the one before, and fewer than the first."""
    rates = cached.queries_per_second(2.5, asked=True)
    assert 1.5 * rates[11] < rates[12] < rates[0]


@claim("With short TTLs the forecast is too high: while the query of an entry runs, requests for it miss, too.")
def forecast_too_high(runs: Any, forecast: Any, log: Any) -> None:
    """Up to 2 s it is above the hit ratio, by a twentieth at most."""
    for ttl in (0.25, 1, 2):
        assert runs[ttl].hit_ratio < forecast(log, ttl) < runs[ttl].hit_ratio + 0.05


@claim("From 1 s on it is within 0.03 of h.")
def forecast_is_close(runs: Any, forecast: Any, log: Any) -> None:
    """As it says."""
    assert all(abs(forecast(log, ttl) - runs[ttl].hit_ratio) < 0.03 for ttl in (1, 2, 4, 8, 32))


@claim("The mean is close to the formula as long as hardly any query has to queue.")
def on_the_formula(runs: Any) -> None:
    """From a TTL of 1 s on within 7 %; the rest are misses that queue in the cold start."""
    for ttl in (1, 2, 4, 8, 32):
        assert runs[ttl].mean_latency_s == pytest.approx(0.05 * (1 - runs[ttl].hit_ratio), rel=0.07)


@claim("With a TTL of 0.25 s it is 47.8 ms where the formula has 34.9 ms.")
def above_the_formula(runs: Any) -> None:
    """Both within a sixth."""
    assert runs[0.25].mean_latency_s == pytest.approx(0.0478, rel=1 / 6)
    assert 0.05 * (1 - runs[0.25].hit_ratio) == pytest.approx(0.0349, rel=1 / 6)


@claim("The origin load of 138.6/s is below the capacity")
def below_the_capacity(runs: Any) -> None:
    """Within a twentieth, and below it by far."""
    assert runs[0.25].origin_load == pytest.approx(138.6, rel=0.05)


@claim("It falls to 50 ms, a full query, and no further.")
def p99_falls_to_a_query(runs: Any) -> None:
    """With the longest TTL the p99 is a query, and the mean a seventh of one."""
    assert all(run.percentile_s(99) >= 0.05 for run in runs.values())
    assert runs[32].percentile_s(99) == pytest.approx(0.05, abs=0.001)
    assert runs[32].mean_latency_s < 0.05 / 7


@claim("As long as more than 1 % of the requests miss, the slowest percent are misses")
def the_slowest_are_misses(runs: Any) -> None:
    """No hit is among them, with any TTL."""
    for run in runs.values():
        slowest = sorted(run.reads, key=lambda row: row.latency_s)[-len(run.reads) // 100 :]
        assert {row.outcome for row in slowest} == {"miss"}


@claim("A higher hit ratio moves the step to the right, and a miss still takes its 50 ms")
def the_step_moves_right(runs: Any) -> None:
    """Answers take no time up to the share h; beyond it, 50 ms at least."""
    assert runs[4].hit_ratio < runs[8].hit_ratio < runs[32].hit_ratio
    for ttl in (4, 8, 32):
        latencies = sorted(row.latency_s for row in runs[ttl].reads)
        hits = round(runs[ttl].hit_ratio * len(latencies))
        assert latencies[hits - 1] == 0
        assert latencies[hits] >= 0.049999


@claim("With 0.1 s the origin load is about the capacity, and with 0.25 s it is below.")
def the_load_passes_the_capacity(runs: Any) -> None:
    """Above it with 0.05 s, within six percent of it with 0.1 s, and a tenth below it with 0.25 s."""
    assert runs[0.05].origin_load > 1.03 * 160
    assert runs[0.1].origin_load == pytest.approx(160, rel=0.06)
    assert runs[0.25].origin_load < 0.9 * 160


@claim("TTL 0.05 s, h = 0.13: 172 queries/s are asked, 160 can be served")
def too_short(runs: Any) -> None:
    """Within three points, and within a twentieth."""
    assert runs[0.05].hit_ratio == pytest.approx(0.13, abs=0.03)
    assert runs[0.05].origin_load == pytest.approx(172, rel=0.05)


@claim("with the 86.2% of a 30 s TTL, nearly 1,160 requests/s.")
def what_it_can_carry(cached: Any) -> None:
    """Within five percent."""
    assert 160 / (1 - cached.hit_ratio) == pytest.approx(1157, rel=0.05)


@claim("the p99 is 62 ms when half the capacity is asked for (2 s), and 172 ms at 87 % (0.25 s).")
def p99_rises(runs: Any) -> None:
    """The shorter the TTL, the longer the p99: the one is 55 to 75 ms, the other half as long again or more."""
    p99s = [runs[ttl].percentile_s(99) for ttl in (2, 1, 0.25)]
    assert p99s == sorted(p99s)
    assert 0.055 < p99s[0] < 0.075
    assert 1.5 * p99s[0] < p99s[-1] < 2 * 0.172
    assert [runs[ttl].origin_load / 160 for ttl in (2, 0.25)] == pytest.approx([0.5, 0.87], abs=0.05)


@claim("Once warm, a key with r requests/s has a hit ratio of about r·TTL/(1 + r·TTL).")
def hit_ratio_of_a_key(some: Any, dots: Any, formula: Any, popularity: Any) -> None:
    """Over all keys, with a TTL of twenty queries or more, within three points."""
    for ttl, dot in zip(some[1:], dots[1:], strict=True):
        assert dot == pytest.approx(formula(ttl, popularity, 100, 0), abs=0.03)


@claim(
    "If the same keys are asked for twice as often, h rises, from 86.2% to 91.0%; if 20 processes, each with an empty "
    "cache of its own, share the traffic, it falls to 52.1%."
)
def h_belongs_to_its_traffic(twice: Any, fleets: Any) -> None:
    """Within a point, and within a point and a half."""
    assert twice.hit_ratio == pytest.approx(0.910, abs=0.01)
    assert fleets[1].hit_ratio == pytest.approx(0.862, abs=0.01)
    assert fleets[20].hit_ratio == pytest.approx(0.521, abs=0.015)


@claim("At the far right the lines rise, because some misses also wait for each other.")
def the_lines_rise(runs: Any) -> None:
    """At the p99.9 a miss takes longer than its query."""
    assert all(runs[ttl].percentile_s(99.9) > 0.0505 for ttl in (4, 8, 32))


@claim("From 1 to 8 seconds the origin load falls by about 50 queries/s, and from 8 to 32 seconds by only about 20. ")
def the_first_step_is_larger(cost: Any) -> None:
    """In each run, within four queries a second."""
    for one, eight, long in zip(cost[1], cost[8], cost[32], strict=True):
        assert one.origin_load - eight.origin_load == pytest.approx(50, abs=4)
        assert eight.origin_load - long.origin_load == pytest.approx(20, abs=4)


@claim("Both steps cost stale answers; how many is chance, since a run has only some twenty writes.")
def both_cost(cost: Any) -> None:
    """Each step adds some in each run; the runs of a TTL differ, and have ten to forty writes."""
    for one, eight, long in zip(cost[1], cost[8], cost[32], strict=True):
        assert one.stale_share < eight.stale_share < long.stale_share
        assert 10 <= sum(row.op == "write" for row in one.rows) <= 40
    assert any(max(shares) > 1.2 * min(shares) for shares in [[run.stale_share for run in cost[ttl]] for ttl in cost])


@claim("no answer is out of date for longer than the TTL plus the time of one query (with 8 s the worst was 8.01 s).")
def staleness_is_bounded(cost: Any) -> None:
    """With every TTL of the table; the worst of three runs is near the bound."""
    assert all(run.max_stale_s <= ttl + 0.051 for ttl, three in cost.items() for run in three)
    assert max(run.max_stale_s for run in cost[8]) == pytest.approx(8.01, rel=0.25)


@claim(
    "With 100,000 equally popular users, 150 requests/s and a TTL of 30 s, "
    "the hit ratio of the first half minute is 2.2%."
)
def hardly_the_same_again(flat: Any) -> None:
    """Fewer than one request in thirty is a hit."""
    assert flat[1].hit_ratio < 1 / 30


@claim("The memory of thousands of entries buys a hit ratio of 2.2%.")
def thousands_of_entries(flat: Any) -> None:
    """About two percent, and each load leaves an entry."""
    assert flat[1].hit_ratio == pytest.approx(0.022, abs=0.007)
    assert len(flat[1].queries) > 4_000


@claim("In this sample the mean latency is 74 ms instead of 84 ms, since the database was nearly at its capacity.")
def the_mean(flat: Any) -> None:
    """In every sample less than without the cache, and more than a query."""
    assert 0.05 < flat[1].mean_latency_s < flat[0].mean_latency_s
    assert 0.9 * 160 < flat[0].origin_load < 160


@claim("Hits go on, misses fail, and no error is remembered: afterwards 0.0% fail.")
def nothing_remembered(outage: Any) -> None:
    """After each of the three outages."""
    assert [failed(simulated(outage, ttl, start), start + 10, 45) for ttl, start in OUTAGES] == [0, 0, 0]


@claim(
    "In ten seconds without the database and with a TTL of 30 s, 6.7% of the requests failed when most entries "
    "outlived the outage, 79.1% when it came just as they expired. With 2 s it was 94.0%."
)
def between(outage: Any) -> None:
    """Within three points, and both the TTL and the moment make a difference."""
    fails = {(ttl, start): 100 * failed(simulated(outage, ttl, start), start, start + 10) for ttl, start in OUTAGES}
    assert min(fails.values()) == fails[30, 20] == pytest.approx(6.7, abs=3)
    assert max(fails.values()) == fails[2, 20] == pytest.approx(94.0, abs=3)
    assert fails[30, 30] > 5 * fails[30, 20]


@claim(
    "6.7% fail if most entries outlive it, and 79.1% if it comes just as they expire. With a TTL of 2 s it is 94.0%."
)
def a_matter_of_luck(outage: Any) -> None:
    """Within three points."""
    shares = [100 * failed(simulated(outage, ttl, start), start, start + 10) for ttl, start in OUTAGES]
    assert shares == pytest.approx([6.7, 79.1, 94.0], abs=3)


@claim("Hits go on through an outage, until their entries expire")
def until_they_expire(outage: Any) -> None:
    """With the entries' life behind it, a second of the outage has more failures than its first one."""
    run = simulated(outage, 30, 30)
    assert failed(run, 36, 40) > failed(run, 30, 31)
    assert failed(simulated(outage, 2, 20), 23, 30) > 1.5 * failed(simulated(outage, 2, 20), 20, 21)


@claim("The formula gives the hit ratio of each TTL")
def read_off_the_popularity(some: Any, dots: Any, formula: Any, popularity: Any) -> None:
    """Dot and line differ by two points at most."""
    for ttl, dot in zip(some, dots, strict=True):
        assert dot == pytest.approx(formula(ttl, popularity, 100), abs=0.02)


@claim(
    "With twice the traffic the hit ratio rises to 91.0%, because each user is asked for twice as often within a TTL."
)
def twice_the_traffic(twice: Any, fleets: Any) -> None:
    """Within a point, and above that of the Monday traffic."""
    assert fleets[1].hit_ratio < twice.hit_ratio == pytest.approx(0.910, abs=0.01)


@claim("So the origin load is 36.0/s, and not twice 27.5/s.")
def not_twice_the_load(twice: Any, fleets: Any) -> None:
    """Within two queries a second."""
    assert twice.origin_load == pytest.approx(36.0, abs=2)
    assert fleets[1].origin_load == pytest.approx(27.5, abs=1)


@claim("A hundred empty caches ask for more than the origin can serve")
def a_hundred_empty_caches(fleets: Any) -> None:
    """In the first bin of the picture; over all 45 s they ask for less."""
    assert fleets[100].queries_per_second(2.5, asked=True)[0] > 165
    assert fleets[100].origin_load < 150


@claim(
    "With 100 nodes the hit ratio falls to 31.8%, because the next request for a user usually comes to another node."
)
def a_hundred_nodes(fleets: Any) -> None:
    """Within a point and a half."""
    assert fleets[100].hit_ratio == pytest.approx(0.318, abs=0.015)


@claim("Nearly everything is a miss in the first seconds: more than 160 queries/s are asked")
def cold_fleet(fleets: Any) -> None:
    """Nine of ten requests of the first second, and in 2.5 s the queue makes the p99 longer than ten queries."""
    first = [row.outcome for row in fleets[100].reads if row.when < 1]
    assert first.count("miss") > 0.9 * len(first)
    assert fleets[100].queries_per_second(2.5, asked=True)[0] > 165
    assert fleets[100].percentile_s(99) > 0.4
