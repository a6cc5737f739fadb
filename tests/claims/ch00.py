"""Chapter 0: what it says of random arrivals at a database."""

from itertools import pairwise
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


@claim("waits in the grey area (on the left there is hardly any)")
def hardly_any_grey(lanes: Any) -> None:
    """At 80/s one in eight waits at most, and all together less than a hundredth of the waits at 240/s."""
    quiet, busy = ([query.began - query.asked for query in lanes[f"{rate} requests/s"].queries] for rate in (80, 240))
    assert sum(wait > 0 for wait in quiet) < len(quiet) / 8
    assert sum(quiet) < 0.01 * sum(busy)


@claim("8 / 0.05 s = 160 requests/s.")
def answers_up_to_the_capacity(runs: Any, rates: Any) -> None:
    """Above it not many more than 160 queries a second begin; below it, nearly as many as come."""
    for rate in rates:
        begun = runs[rate].queries_per_second(30)[0]
        if rate > 160:
            assert 155 < begun < 160.5
        elif rate < 160:
            assert begun == pytest.approx(len(runs[rate].rows) / 30, rel=0.03)


@claim("at 200/s the p99 of these 30 s is 7.2 s.")
def p99_at_200(runs: Any) -> None:
    """Within a fifth of it; it is a quarter of the half minute, as (λ − μ)·t / μ is."""
    assert runs[200].percentile_s(99) == pytest.approx(7.2, rel=0.2)


@claim("When more come, the queue grows as long as they do:")
def grows_as_long(runs: Any) -> None:
    """Above the capacity the wait of each ten seconds is longer than that of the ten before."""
    for rate in (170, 180, 200, 240):
        thirds = [[row.latency_s for row in runs[rate].rows if row.when // 10 == third] for third in range(3)]
        means = [sum(third) / len(third) for third in thirds]
        assert means == sorted(means)


@claim("Latency climbs steeply earlier, from the knee on: random arrivals come in bunches,")
def the_knee(runs: Any) -> None:
    """Already at 150/s the p99 is half as much again as at 120/s, and more at 160/s."""
    p99 = {rate: run.percentile_s(99) for rate, run in runs.items()}
    assert 1.5 * p99[120] < p99[150] < p99[160] < p99[170] < p99[180] < p99[200]


@claim("random arrivals come in bunches,")
def bunches(lanes: Any) -> None:
    """At 80/s, half the capacity, 50 ms have four requests on average, and nine at some time."""
    asked = sorted(query.asked for query in lanes["80 requests/s"].queries)
    assert any(later - earlier < 0.05 for earlier, later in zip(asked, asked[8:], strict=False))


@claim("If you want a p99 below twice the service time, for example, stop at 120/s, three quarters of the capacity:")
def three_quarters(runs: Any) -> None:
    """Up to 120/s the p99 grows and is below 100 ms; at 140/s it is above. At 120/s it is longer by half already."""
    p99 = {rate: run.percentile_s(99) for rate, run in runs.items()}
    assert p99[80] < p99[100] < p99[120] < 2 * 0.05 < p99[140]
    assert p99[120] > 1.5 * 0.05


@claim("there it is 96 ms, at 140/s 239 ms.")
def p99_at_120(runs: Any) -> None:
    """At 120/s other samples are within a fifth of it. At 140/s they differ much, and all have a longer p99."""
    assert runs[120].percentile_s(99) == pytest.approx(0.096, rel=0.2)
    assert runs[140].percentile_s(99) > 1.2 * runs[120].percentile_s(99)


@claim("From 170/s on, the dots form a ramp:")
def a_ramp(runs: Any) -> None:
    """The last hundred wait nearly as long as anybody."""
    for rate in (170, 180, 200, 240):
        assert last_hundred(runs[rate]) > 0.8 * longest(runs[rate])


@claim("the longer the overload lasts, the longer the wait.")
def longer_and_longer(runs: Any) -> None:
    """Each ten seconds have a longer wait than the ten before."""
    for rate in (170, 180, 200, 240):
        thirds = [max(row.latency_s for row in runs[rate].rows if row.when // 10 == third) for third in range(3)]
        assert thirds == sorted(thirds)


@claim("equal leaves no spare time to clear a queue.")
def equal_is_not_enough(runs: Any) -> None:
    """The longest latency is more than five service times, and longer than at 150/s."""
    assert longest(runs[160]) > max(5 * 0.05, longest(runs[150]))


@claim("The p99 climbs slowly up to 120 requests/s, and steeply above")
def slowly_then_steeply(below: Any, p99s: Any) -> None:
    """The step to 140/s adds more than any before, and the step to 160/s more than twice as much again."""
    steps = [after - before for before, after in pairwise(p99s)]
    assert list(below)[-2:] == [140, 160]
    assert steps[-2] > max(steps[:-2])
    assert steps[-1] > 2 * steps[-2]


@claim("the p99 of this half minute is 464 ms: a capacity equal to the load is not enough.")
def exactly_enough(sizes: Any) -> None:
    """With ten connections the p99 is several service times."""
    assert sizes[10].percentile_s(99) > 4 * 0.05


@claim("For a p99 under 100 ms, take 14 connections.")
def fourteen_will_do(sizes: Any) -> None:
    """With 14 and 16 it is below 100 ms, and with 11, which is the minimum, it is not."""
    assert sizes[16].percentile_s(99) < sizes[14].percentile_s(99) < 0.1 < sizes[11].percentile_s(99)


@claim("The marks are not exactly on the lines, because the arrivals are random and the formula gives the mean.")
def marks_beside_the_lines(runs: Any, waits: Any, overloaded: Any) -> None:
    """Within three standard deviations: n arrivals are √n more or fewer, and each costs 1/160 s."""
    for rate in overloaded:
        for when, wait in zip(*waits(runs[rate]), strict=True):
            assert wait == pytest.approx((rate / 160 - 1) * when, abs=0.05 + 3 * (rate * when) ** 0.5 / 160)


@claim("Above the capacity, the wait grows along a straight line")
def along_a_straight_line(runs: Any, waits: Any, overloaded: Any) -> None:
    """The wait grows from interval to interval."""
    for rate in overloaded:
        _, means = waits(runs[rate])
        assert means == sorted(means)


@claim("At 70 % busy, the mean wait already exceeds the service time")
def exceeds_the_service_time(shares: Any, means: Any) -> None:
    """It grows with each share, and at 70 % busy it is longer than the service time."""
    assert means == sorted(means)
    assert dict(zip(shares, means, strict=True))[0.7] > 0.05


@claim("Several connections wait less at the same ρ:")
def shorter_with_several(runs: Any, sizes: Any) -> None:
    """The mean wait of 8 connections, and of 11, is below the formula for one."""
    waits = {rate / 160: runs[rate].mean_latency_s - 0.05 for rate in (80, 120, 140)}
    waits[200 / 220] = sizes[11].mean_latency_s - 0.05
    assert all(wait < share * 0.05 / (2 * (1 - share)) for share, wait in waits.items())


@claim("11 connections that are 91 % busy have a mean latency of 76 ms, which is a wait of 26 ms,")
def eleven_wait(sizes: Any) -> None:
    """Other samples wait a quarter as long at least and three times at most: half of what one connection has."""
    wait = sizes[11].mean_latency_s - 0.05
    assert 0.026 / 4 < wait < 3 * 0.026
    assert wait < 0.5 * 0.25


@claim("The dots are one sample, `seed=3`, so they are not exactly on the curve.")
def off_the_formula(shares: Any, means: Any) -> None:
    """At 90 % within two fifths, and up to 50 % busy within a quarter."""
    for share, mean in zip(shares, means, strict=True):
        if share in {0.1, 0.3, 0.5, 0.9}:
            exact = share * 0.05 / (2 * (1 - share))
            assert mean == pytest.approx(exact, rel=0.4 if share == 0.9 else 0.25)


def longest(run: Any) -> float:
    """The longest latency, in seconds."""
    return max(float(row.latency_s) for row in run.rows)


def last_hundred(run: Any) -> float:
    """The mean latency of the last hundred requests, in seconds."""
    return sum(float(row.latency_s) for row in run.rows[-100:]) / 100
