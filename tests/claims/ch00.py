"""Chapter 0: what it says of random arrivals at a database."""

from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("00")


@claim("At 240 requests/s nearly all of them wait, longer and longer")
def nearly_all_wait(lanes: Any) -> None:
    """Nine of ten queries begin later than they were asked for, and the last quarter waits longest."""
    waits = [query.began - query.asked for query in lanes["240 requests/s"].queries]
    assert sum(wait > 0 for wait in waits) > 0.9 * len(waits)
    quarter = len(waits) // 4
    assert sum(waits[-quarter:]) > 2 * sum(waits[:quarter])


@claim("first a quiet second, then a busy one.")
def a_quiet_second(lanes: Any) -> None:
    """At 80/s one request in eight at most has to wait."""
    queries = lanes["80 requests/s"].queries
    assert sum(query.began > query.asked for query in queries) < len(queries) / 8


@claim("8 / 0.05 s = 160 requests/s.")
def answers_up_to_the_capacity(runs: Any, rates: Any) -> None:
    """Above it not many more than 160 queries a second begin; below it, nearly as many as come."""
    for rate in rates:
        begun = runs[rate].queries_per_second(30)[0]
        if rate > 160:
            assert 155 < begun < 160.5
        elif rate < 160:
            assert begun == pytest.approx(len(runs[rate].rows) / 30, rel=0.03)


@claim("At 120/s, three quarters of the capacity, the p99 is 96 ms.")
def p99_at_120(runs: Any) -> None:
    """Within a fifth of it."""
    assert runs[120].percentile_s(99) == pytest.approx(0.096, rel=0.2)


@claim("At 200/s it is 7.2 s.")
def p99_at_200(runs: Any) -> None:
    """Within a fifth of it; it is a quarter of the half minute, as (λ/μ − 1)·t is."""
    assert runs[200].percentile_s(99) == pytest.approx(7.2, rel=0.2)


@claim("Between them is the knee, where the latency begins to climb steeply.")
def the_knee(runs: Any) -> None:
    """At 80/s the p99 is below two service times. At 160/s it is twice that of 120/s or more, at 200/s 20 times."""
    p99 = {rate: run.percentile_s(99) for rate, run in runs.items()}
    assert p99[80] < 2 * 0.05
    assert 2 * p99[120] < p99[160] < p99[170] < p99[180] < p99[200]
    assert p99[200] > 20 * p99[120]


@claim("From 170/s on, the latency is a ramp.")
def a_ramp(runs: Any) -> None:
    """The last hundred wait nearly as long as anybody."""
    for rate in (170, 180, 200, 240):
        assert last_hundred(runs[rate]) > 0.8 * longest(runs[rate])


@claim("The longer the experiment, the longer the wait:")
def longer_and_longer(runs: Any) -> None:
    """Each ten seconds have a longer wait than the ten before."""
    for rate in (170, 180, 200, 240):
        thirds = [max(row.latency_s for row in runs[rate].rows if row.when // 10 == third) for third in range(3)]
        assert thirds == sorted(thirds)


@claim("At 160/s requests come as fast as they are answered, but only on average.")
def only_on_average(runs: Any) -> None:
    """The longest latency is more than five service times, and longer than at 150/s."""
    assert longest(runs[160]) > max(5 * 0.05, longest(runs[150]))


@claim("From about three quarters of that on, latency climbs.")
def three_quarters(runs: Any) -> None:
    """At half the capacity the mean is the service time; at three quarters the p99 is above it by a half."""
    assert runs[80].mean_latency_s == pytest.approx(0.05, rel=0.05)
    assert runs[120].percentile_s(99) > 1.5 * 0.05


@claim("Above the capacity, the p99 depends on how long you measure")
def depends_on_how_long(runs: Any, brief: Any) -> None:
    """After thirty seconds it is twice as large as after ten, or more."""
    for rate in (180, 200, 240):
        assert runs[rate].percentile_s(99) > 2 * brief[rate].percentile_s(99)


@claim("To the left of the capacity both are alike.")
def both_are_alike(runs: Any, brief: Any) -> None:
    """Within two service times."""
    for rate in (80, 120, 140):
        assert runs[rate].percentile_s(99) == pytest.approx(brief[rate].percentile_s(99), abs=0.1)


@claim("the p99 of this half minute is still 464 ms. When requests arrive at random, exactly enough is not enough.")
def exactly_enough(sizes: Any) -> None:
    """With ten connections the p99 is several service times."""
    assert sizes[10].percentile_s(99) > 4 * 0.05


@claim("With 12 connections it is 144 ms.")
def a_little_more(sizes: Any) -> None:
    """Two connections more take more than half of it away."""
    assert sizes[12].percentile_s(99) < sizes[10].percentile_s(99) / 2


@claim("The dots wander around the lines, because arrivals are random and the lines are their mean.")
def dots_wander(runs: Any, waits: Any, overloaded: Any) -> None:
    """Within three standard deviations: n arrivals are √n more or fewer, and each costs 1/160 s."""
    for rate in overloaded:
        for when, wait in zip(*waits(runs[rate]), strict=True):
            assert wait == pytest.approx((rate / 160 - 1) * when, abs=0.05 + 3 * (rate * when) ** 0.5 / 160)


@claim("Above the capacity, the wait is a line through time")
def a_line_through_time(runs: Any, waits: Any, overloaded: Any) -> None:
    """The wait grows from interval to interval."""
    for rate in overloaded:
        _, means = waits(runs[rate])
        assert means == sorted(means)


@claim("The wait grows long before the capacity is reached")
def grows_long_before(shares: Any, means: Any) -> None:
    """It grows with each share, and at 70 % busy it is longer than the service time."""
    assert means == sorted(means)
    assert dict(zip(shares, means, strict=True))[0.7] > 0.05


def longest(run: Any) -> float:
    """The longest latency, in seconds."""
    return max(float(row.latency_s) for row in run.rows)


def last_hundred(run: Any) -> float:
    """The mean latency of the last hundred requests, in seconds."""
    return sum(float(row.latency_s) for row in run.rows[-100:]) / 100
