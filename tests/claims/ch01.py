"""Chapter 1: what it says of a site with random traffic."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("01")
OUTAGES = ((30, 20), (30, 30), (2, 20))
"""The TTL and the beginning of each outage that the chapter shows."""


@claim("Without a cache the database is busy at its capacity of 160 queries/s to the very end")
def busy_to_the_end(bare: Any) -> None:
    """In every two seconds of the 45, after the first few."""
    assert all(rate == pytest.approx(160, abs=1) for rate in bare.queries_per_second(2)[2:22])


@claim("200/s come, 160/s go, and the p99 is 10.8 s.")
def p99_without_a_cache(bare: Any) -> None:
    """Within a sixth of it."""
    assert bare.percentile_s(99) == pytest.approx(10.8, rel=1 / 6)


@claim("With the cache the hit ratio is 86.2%, and the database sees what is left over: 27.5/s.")
def what_is_left_over(cached: Any) -> None:
    """Within a point, and within one query a second."""
    assert cached.hit_ratio == pytest.approx(0.862, abs=0.01)
    assert cached.origin_load == pytest.approx(27.5, abs=1)


@claim("(The step at 30 s? What was loaded in the first seconds expires in the same seconds.")
def the_step(cached: Any) -> None:
    """The two seconds after it have half as many queries again as those before."""
    rates = cached.queries_per_second(2)
    assert rates[15] > 1.5 * rates[14]


@claim("The mean latency is on the formula as long as nobody queues")
def on_the_formula(runs: Any) -> None:
    """From a TTL of 1 s on within 7 %; the rest are misses that queue in the cold start."""
    for ttl in (1, 2, 4, 8, 32):
        assert runs[ttl].mean_latency_s == pytest.approx(0.05 * (1 - runs[ttl].hit_ratio), rel=0.07)


@claim("the misses also wait for each other: 47.8 ms, where the formula has 34.9 ms.")
def above_the_formula(runs: Any) -> None:
    """Both within a sixth."""
    assert runs[0.25].mean_latency_s == pytest.approx(0.0478, rel=1 / 6)
    assert 0.05 * (1 - runs[0.25].hit_ratio) == pytest.approx(0.0349, rel=1 / 6)


@claim("It falls to 50 ms, a full query, and no further, although the mean falls to almost nothing.")
def p99_falls_to_a_query(runs: Any) -> None:
    """With the longest TTL the p99 is a query, and the mean a seventh of one."""
    assert all(run.percentile_s(99) >= 0.05 for run in runs.values())
    assert runs[32].percentile_s(99) == pytest.approx(0.05, abs=0.001)
    assert runs[32].mean_latency_s < 0.05 / 7


@claim("Compared with no cache at all (10.8 s) that is heaven, since the queue is gone")
def the_queue_is_gone(bare: Any, runs: Any) -> None:
    """Seconds against milliseconds, with every TTL of the table."""
    assert all(run.percentile_s(99) < bare.percentile_s(99) / 40 for run in runs.values())


@claim("A higher hit ratio moves the step to the right, and a miss still takes its 50 ms")
def the_step_moves_right(runs: Any) -> None:
    """Answers take no time up to the share h; beyond it, 50 ms at least."""
    assert runs[1].hit_ratio < runs[8].hit_ratio < runs[32].hit_ratio
    for ttl in (1, 8, 32):
        latencies = sorted(row.latency_s for row in runs[ttl].reads)
        hits = round(runs[ttl].hit_ratio * len(latencies))
        assert latencies[hits - 1] == 0
        assert latencies[hits] >= 0.049999


@claim("Between 0.25 s and 0.05 s the load passes the capacity")
def the_load_passes_the_capacity(runs: Any, by_hand: Any) -> None:
    """The load that the misses make: below 160 with the one, above with the other."""
    assert runs[0.25].origin_load < 160 < simulated(by_hand, 0.05).origin_load


@claim("the p99 suffers long before, from a TTL of 2 s down.")
def p99_suffers(runs: Any) -> None:
    """The shorter the TTL, the longer the p99."""
    p99s = [runs[ttl].percentile_s(99) for ttl in (2, 1, 0.5, 0.25)]
    assert p99s == sorted(p99s)
    assert p99s[0] > 0.055


@claim("You pay for a quiet origin with stale answers, and the TTL sets the price")
def the_price(cost: Any) -> None:
    """The longest TTL has the lowest load and the most stale answers."""
    assert cost[32].origin_load == min(run.origin_load for run in cost.values())
    assert cost[32].stale_share == max(run.stale_share for run in cost.values())


@claim("From 1 to 8 seconds the load falls by half, and from 8 to 32 seconds once more by nearly half")
def two_halves(cost: Any) -> None:
    """Both by 44 to 54 %."""
    assert cost[8].origin_load / cost[1].origin_load == pytest.approx(0.51, abs=0.05)
    assert cost[32].origin_load / cost[8].origin_load == pytest.approx(0.51, abs=0.05)


@claim("but the first half is about 50 queries/s, the second about 20.")
def the_first_half_is_larger(cost: Any) -> None:
    """Within four queries a second."""
    assert cost[1].origin_load - cost[8].origin_load == pytest.approx(50, abs=4)
    assert cost[8].origin_load - cost[32].origin_load == pytest.approx(20, abs=4)


@claim("Both cost stale answers.")
def both_cost(cost: Any) -> None:
    """Each half adds some."""
    assert cost[1].stale_share < cost[8].stale_share < cost[32].stale_share


@claim("with two dozen writes: another `seed` moves the points to the left or to the right, and hardly up or down.)")
def moves_left_or_right(cost: Any) -> None:
    """The loads of the other samples are those of the notebook's, within a twentieth; the stale answers are not."""
    loads = [100.3, 82.1, 64.8, 48.9, 35.6, 26.6]
    assert [run.origin_load for run in cost.values()] == pytest.approx(loads, rel=0.05)
    assert 12 <= sum(row.op == "write" for row in cost[8].rows) <= 36


@claim("no answer is out of date for longer than the TTL plus the time of one query.")
def staleness_is_bounded(cost: Any) -> None:
    """With every TTL of the table."""
    assert all(run.max_stale_s <= ttl + 0.051 for ttl, run in cost.items())


@claim("With 8 s the worst was 8.01 s, with 32 s it was 30.12 s.")
def the_worst(cost: Any) -> None:
    """The worst is near the bound: within a fourth of the TTL."""
    assert cost[8].max_stale_s == pytest.approx(8.01, rel=0.25)
    assert cost[32].max_stale_s == pytest.approx(30.12, rel=0.25)


@claim("The same traffic, the same hit ratio (86.2%), the same load")
def the_same_cache(cached: Any, ours: Any) -> None:
    """The package's cache loads when the one by hand does."""
    assert ours.hit_ratio == cached.hit_ratio
    assert [query.asked for query in ours.queries] == [query.asked for query in cached.queries]


@claim("half a minute of traffic hardly meets the same one again:")
def hardly_the_same_again(flat: Any) -> None:
    """Fewer than one request in thirty is a hit."""
    assert flat[1].hit_ratio < 1 / 30


@claim("A hit ratio of 2.2%, for the memory of thousands of entries.")
def thousands_of_entries(flat: Any) -> None:
    """About two percent, and each load leaves an entry."""
    assert flat[1].hit_ratio == pytest.approx(0.022, abs=0.007)
    assert len(flat[1].queries) > 4_000


@claim("In this sample the median user waits 64 ms instead of 71 ms.")
def the_median(flat: Any) -> None:
    """In every sample a little less than without the cache, and more than a query."""
    assert 0.05 < flat[1].percentile_s(50) < flat[0].percentile_s(50) < 2 * flat[1].percentile_s(50)


@claim("Hits go on, misses fail, and no error was remembered: afterwards 0.0% fail.")
def nothing_remembered(outage: Any, failed: Any) -> None:
    """After each of the three outages."""
    assert [failed(simulated(outage, ttl, start), start + 10, 45) for ttl, start in OUTAGES] == ["0.0%"] * 3


@claim(
    "6.7% if the outage falls into the entries' life, 79.1% if it comes just as they expire, 94.0% with a TTL of 2 s."
)
def a_matter_of_luck(outage: Any, failed: Any) -> None:
    """Within three points."""
    shares = [float(failed(simulated(outage, ttl, start), start, start + 10)[:-1]) for ttl, start in OUTAGES]
    assert shares == pytest.approx([6.7, 79.1, 94.0], abs=3)


@claim("a peak of 90 queries/s here, which it can carry.")
def the_peak(cached: Any) -> None:
    """Within a fifth, and below 160."""
    assert max(cached.queries_per_second(2)) == pytest.approx(90, rel=0.2)


@claim("The hit ratio of a TTL can be read off the popularity of the keys")
def read_off_the_popularity(some: Any, dots: Any, formula: Any, popularity: Any) -> None:
    """Dot and line differ by two points at most."""
    for ttl, dot in zip(some, dots, strict=True):
        assert dot == pytest.approx(formula(ttl, popularity, 100), abs=0.02)


@claim("The hit ratio falls from 86.2% to 31.8%: the users do not come back to the same node.")
def a_hundred_nodes(fleet: Any) -> None:
    """Within a point and a half."""
    assert simulated(fleet, 1).hit_ratio == pytest.approx(0.862, abs=0.015)
    assert simulated(fleet, 100).hit_ratio == pytest.approx(0.318, abs=0.015)
