"""Chapter 0: what it says of random arrivals at a database."""

from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("00")


@claim("The same database: at 240/s nearly everybody waits, and longer and longer")
def nearly_everybody_waits(busy: Any) -> None:
    """A query waits if it begins later than it was asked for."""
    waits = [query.began - query.asked for query in busy.queries]
    assert sum(wait > 0 for wait in waits) > 0.9 * len(waits)
    quarter = len(waits) // 4
    assert sum(waits[-quarter:]) > 2 * sum(waits[:quarter])


@claim("On the left hardly anybody waits.")
def hardly_anybody_waits(quiet: Any) -> None:
    """One request in eight at most."""
    assert sum(query.began > query.asked for query in quiet.queries) < len(quiet.queries) / 8


@claim("It answers what is offered, up to 160/s, and not one more")
def answers_up_to_the_capacity(runs: Any, answered: Any) -> None:
    """Until 150/s what comes in half a minute is answered in it."""
    assert all(
        answered(runs[rate]) == pytest.approx(len(runs[rate].rows) / 30, rel=0.01) for rate in (40, 80, 120, 140, 150)
    )
    assert all(answered(run) <= 160 for run in runs.values())


@claim("Below that, everything offered is answered. (Arrivals are random; what is offered is the mean.)")
def the_mean_is_offered(runs: Any) -> None:
    """The requests that came differ from those that were offered by a few percent."""
    assert all(len(run.rows) / 30 == pytest.approx(rate, rel=0.06) for rate, run in runs.items())


@claim("Latency has a knee: it bends before the capacity, and past it there is no end to it")
def bends_before_the_capacity(runs: Any) -> None:
    """Past it the last hundred wait longest; before it, at seven eighths, the p99 has doubled."""
    assert runs[140].percentile_s(99) > 2 * runs[40].percentile_s(99)
    for rate in (180, 200, 240):
        assert last_hundred(runs[rate]) > 0.9 * longest(runs[rate])


@claim("At 120/s, three quarters of the capacity, the p99 (99 of 100 users are at least this fast) is 96 ms.")
def p99_at_120(runs: Any) -> None:
    """Within a fifth of it."""
    assert runs[120].percentile_s(99) == pytest.approx(0.096, rel=0.2)


@claim("At 200/s it is 7.2 s, and that is no property of the database: it is how long the experiment went on.")
def p99_at_200(runs: Any) -> None:
    """Within a fifth of it; it is a quarter of the half minute, as (λ/μ − 1)·t is."""
    assert runs[200].percentile_s(99) == pytest.approx(7.2, rel=0.2)


@claim(
    "At 150/s there are hills, and smaller ones at 140/s: by chance, a few come together, and the line needs a while "
    "to get short again."
)
def hills(runs: Any) -> None:
    """Latencies of more than three and of more than two service times; at 150/s all wait for more than a second."""
    assert 2 * 0.05 < longest(runs[140]) < longest(runs[150])
    assert longest(runs[150]) > 3 * 0.05
    assert max(hill_lengths_s(runs[150])) > 1


def hill_lengths_s(run: Any) -> list[float]:
    """How long each stretch of requests lasted that all had to wait."""
    lengths, begin = [0.0], None
    for row in run.rows:
        if row.latency_s < 0.051:
            begin = None
        else:
            begin = row.when if begin is None else begin
            lengths.append(row.when - begin)
    return lengths


@claim("At 160/s it is exactly enough, on average, and the line wanders further and comes back ever more rarely.")
def wanders_further(runs: Any) -> None:
    """The longest line grows from rate to rate, and the share of requests that find none falls."""
    rates = (140, 150, 160)
    assert sorted(rates, key=lambda rate: longest(runs[rate])) == list(rates)
    assert sorted(rates, key=lambda rate: sum(row.latency_s > 0.051 for row in runs[rate].rows)) == list(rates)


@claim("From 170/s on it is a ramp.")
def a_ramp(runs: Any) -> None:
    """The last hundred wait nearly as long as anybody."""
    for rate in (170, 180, 200, 240):
        assert last_hundred(runs[rate]) > 0.8 * longest(runs[rate])


@claim("the p99 of this half minute is still 464 ms: exactly enough is not enough when arrivals are random.")
def exactly_enough(sizes: Any) -> None:
    """With ten connections the p99 is several service times."""
    assert sizes[10].percentile_s(99) > 4 * 0.05


@claim("With 12 it is 144 ms.")
def a_little_more(sizes: Any) -> None:
    """Two connections more take more than half of it away."""
    assert sizes[12].percentile_s(99) < sizes[10].percentile_s(99) / 2


@claim("Well below that, latency is the service time; from about three quarters on it climbs; above, it is a slope.")
def below_and_above(runs: Any) -> None:
    """At half the capacity the mean is the service time; at three quarters the p99 is above it by a half."""
    assert runs[80].mean_latency_s == pytest.approx(0.05, rel=0.05)
    assert runs[120].percentile_s(99) > 1.5 * 0.05


@claim("The dots wander around the lines: arrivals are random, and the lines are their mean.")
def dots_wander(runs: Any, waits: Any, overloaded: Any) -> None:
    """Within three standard deviations: n arrivals are √n more or fewer, and each costs 1/160 s."""
    for rate in overloaded:
        for when, wait in zip(*waits(runs[rate]), strict=True):
            assert wait == pytest.approx((rate / 160 - 1) * when, abs=0.05 + 3 * (rate * when) ** 0.5 / 160)


@claim("Beyond the capacity, waiting is a line through time")
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
