"""Chapter 6: what it says of expiries under random traffic, and of random TTLs."""

import itertools
from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("06")
EARLY = "flight, early (β = 1)"
STALE = "flight, stale for 20 s"


def waiting(run: Any) -> int:
    """How many readers had to wait, after the cold start."""
    return sum(row.latency_s > 0 for row in run.reads if row.when > 1)


def stale(run: Any) -> int:
    """How many readers got an old value."""
    return sum(row.outcome == "stale" for row in run.reads)


def errors(run: Any) -> list[Any]:
    """The reads that ended in an error."""
    return [row for row in run.reads if row.result == "error"]


def worst_second(run: Any) -> float:
    """The loads in the worst second."""
    return float(max(run.queries_per_second()))


def first_loads(run: Any) -> list[float]:
    """When the first load of each expiry began: the one that comes more than a second after the load before it."""
    asked = [query.asked for query in run.queries]
    return [asked[0], *(after for before, after in itertools.pairwise(asked) if after - before > 1)]


@claim("Each expiry of one popular key sends about 50 queries at once")
def about_fifty(plain: Any, later: Any) -> None:
    """All within half a second of the first, and on average 51, within three standard deviations of four expiries."""
    begins = first_loads(plain)
    assert all(any(0 <= query.asked - begin <= 0.5 for begin in begins) for query in plain.queries)
    assert len(begins) == 1 + 4
    assert len(later) / 4 == pytest.approx(51, abs=3 * 50**0.5 / 2)


@claim("here 1 + 100 × 0.5 = 51, and in this sample 50.")
def in_this_sample(later: Any) -> None:
    """Within three standard deviations of four expiries."""
    assert len(later) / 4 == pytest.approx(50, abs=3 * 50**0.5 / 2)


@claim("The needles are eleven seconds apart, not ten.")
def eleven_seconds(plain: Any) -> None:
    """Within a tenth of a second."""
    begins = first_loads(plain)
    distances = [after - before for before, after in itertools.pairwise(begins)]
    assert distances == pytest.approx([11] * len(distances), abs=0.1)


@claim("The flight removes the needle. Stale answers or early loads remove the wait")
def needle_and_waiting(runs: Any) -> None:
    """With the flight there is at most one load a second; nobody waits with the two others."""
    assert all(worst_second(runs[name]) == 1 for name in list(runs)[1:])
    assert waiting(runs["flight"]) > 0 == waiting(runs[STALE]) == waiting(runs[EARLY])


@claim("No protection: 199 readers wait, and each of them loads.")
def each_of_them_loads(plain: Any) -> None:
    """About 200, a load each."""
    assert waiting(plain) == pytest.approx(199, rel=0.2)
    assert waiting(plain) == sum(query.asked > 1 for query in plain.queries)


@claim("Flight: about as many wait, 201, but for one load at each expiry.")
def about_as_many(runs: Any) -> None:
    """About 200, for four loads after the first."""
    assert waiting(runs["flight"]) == pytest.approx(201, rel=0.2)
    assert len(runs["flight"].queries) == 1 + 4


@claim("Stale for 20 s: nobody waits. 201 answers are stale, by up to half a second.")
def stale_while_revalidate(runs: Any) -> None:
    """As many as would have waited. Each comes within half a second of the first load of its expiry."""
    assert waiting(runs[STALE]) == 0
    assert stale(runs[STALE]) == waiting(runs["flight"])
    begins = first_loads(runs[STALE])
    moments = [row.when for row in runs[STALE].reads if row.outcome == "stale"]
    assert all(any(0 <= moment - begin <= 0.5 for begin in begins) for moment in moments)


@claim("It costs a load more (6 instead of 5), since each entry is replaced about two seconds before its end.")
def early(runs: Any) -> None:
    """One load more than with the flight alone, or two. An entry is replaced from half a second to six before it."""
    assert waiting(runs[EARLY]) == stale(runs[EARLY]) == 0
    assert 1 <= len(runs[EARLY].queries) - len(runs["flight"].queries) <= 2
    loads = [(query.asked, query.ended) for query in runs[EARLY].queries]
    before_its_end = [ended + 10 - asked for (_, ended), (asked, _) in itertools.pairwise(loads)]
    assert min(before_its_end) > 0.5
    assert max(before_its_end) < 6
    assert sum(before_its_end) / len(before_its_end) == pytest.approx(2.25, abs=0.75)


@claim("Without jitter the worst second has 160 loads. With 30% it has 26:")
def jitter_flattens(peaks: Any) -> None:
    """Within a tenth, and within a third."""
    assert peaks[0] == pytest.approx(160, rel=0.1)
    assert peaks[0.3] == pytest.approx(26, rel=1 / 3)


@claim("so the expiries spread over nine seconds.")
def over_nine_seconds(jittered: Any) -> None:
    """The first 200 loads begin after 10.5 s, and nearly all of the 200 users are loaded again before 20.5 s."""
    first: dict[int, float] = {}
    for query in jittered[0.3].queries:
        first.setdefault(query.key, query.asked - jittered[0.3].start)
    assert min(first.values()) > 10.4
    assert sum(moment < 20.5 for moment in first.values()) > 190


@claim("Jitter saves no loads, it only spreads them.")
def saves_none(jittered: Any) -> None:
    """With any jitter there are as many loads, or a few more."""
    least = len(jittered[0].queries)
    assert all(least <= len(run.queries) < 1.1 * least for run in jittered.values())


@claim("Without jitter the second wave is lower, too:")
def second_wave(jittered: Any) -> None:
    """Its worst second has three quarters of the first wave's at most."""
    rates = jittered[0].queries_per_second()
    assert max(rates[25:]) < 0.75 * max(rates[:25])


@claim("Stale answers spare the readers, and jitter spares the origin")
def they_go_together(waves: Any) -> None:
    """With all three nobody waits, and the worst second has a fourth of the loads at most."""
    assert waiting(waves["stale for 30 s"]) == waiting(waves["all three"]) == 0
    assert worst_second(waves["all three"]) < worst_second(waves["flight only"]) / 4
    assert worst_second(waves["jitter 30%"]) < worst_second(waves["flight only"]) / 4


@claim("Stale answers help the readers alone: nobody waits, and the origin has the same wave.")
def the_wave_is_the_same(waves: Any) -> None:
    """The same loads, at the same moments."""
    assert waves["stale for 30 s"].queries_per_second(0.5) == waves["flight only"].queries_per_second(0.5)


@claim("Jitter helps the origin alone: the worst second has 26 loads, and 429 readers wait, as many as before.")
def as_many_as_before(waves: Any) -> None:
    """Within a tenth."""
    assert waiting(waves["jitter 30%"]) == pytest.approx(429, rel=0.1)
    assert waiting(waves["jitter 30%"]) == pytest.approx(waiting(waves["flight only"]), rel=0.1)


@claim("Early recomputation does little here.")
def does_little(waves: Any) -> None:
    """At least three quarters of the worst second and of the waiting stay."""
    assert worst_second(waves["early (β = 1)"]) > 0.75 * worst_second(waves["flight only"])
    assert waiting(waves["early (β = 1)"]) > 0.75 * waiting(waves["flight only"])


@claim("All three: nobody waits, and the worst second has 26 loads.")
def all_three(waves: Any) -> None:
    """Within a third."""
    assert worst_second(waves["all three"]) == pytest.approx(26, rel=1 / 3)


@claim("An expiry costs 1 + λδ loads")
def the_law(dots: Any) -> None:
    """Each of the twelve dots within three standard deviations of the mean of its expiries, which are Poisson."""
    for name, (rates, found) in dots.items():
        load_time_s = float(name.split()[2])
        for rate, loads in zip(rates, found, strict=True):
            expiries = 4_000 / rate / (2 + load_time_s)
            deviation = (rate * load_time_s / expiries) ** 0.5
            assert loads == pytest.approx(1 + rate * load_time_s, abs=3 * deviation)


@claim("In this sample no dot is further than 6% from its line.")
def the_dots(gaps: Any) -> None:
    """In every sample within 25 %: with 80 requests a second there are 20 expiries for a dot."""
    assert max(gaps) < 0.25


@claim("An outage of 15 s: stale for 15 s leaves some errors, and stale for 30 s none")
def some_errors(outages: Any) -> None:
    """From 1 to 40."""
    assert 1 <= len(errors(outages["stale for 15 s"])) <= 40
    assert not errors(outages["stale for 30 s"])


@claim("Without stale answers 73.90% of the reads are answered.")
def answered(outages: Any) -> None:
    """Three of four."""
    assert outages["no stale answers"].error_share == pytest.approx(0.26, abs=0.04)


@claim("But with 15 s, as long as the outage, 20 readers get an error.")
def gone_before_the_end(outages: Any) -> None:
    """Each of their keys had last been loaded so early that its TTL ended before the outage began."""
    run = outages["stale for 15 s"]
    for row in errors(run):
        filled = [query.ended for query in run.queries if query.key == row.key and query.ended < 20]
        assert max(filled, default=0.05) + 5 < 20
    assert len(errors(run)) < len(errors(outages["no stale answers"])) / 5


@claim("In each of the runs 272 loads are refused:")
def refused(outages: Any) -> None:
    """The same number, about 270."""
    counts = {len(run.refused) for run in outages.values()}
    assert len(counts) == 1
    assert counts.pop() == pytest.approx(272, rel=0.2)


@claim("With the flight alone 210 readers wait, with early recomputation 209, and with stale answers 6.")
def few_readers(rare: Any) -> None:
    """About 200; early recomputation spares six at most, and stale answers nineteen of twenty."""
    alone, with_beta, with_stale = map(waiting, rare.values())
    assert alone == pytest.approx(210, rel=0.2)
    assert 0 <= alone - with_beta <= 6
    assert with_stale < alone / 20


@claim("It is 0.72% half a second before the end, and 37.11% a tenth of a second before it.")
def the_chance(one_life: Any, entry: Any) -> None:
    """10,000 draws each."""
    for now, chance, room in ((9.5, 0.72, 0.35), (9.9, 37.11, 2)):
        measured = 100 * sum(one_life.should_refresh(entry, now) for _ in range(10_000)) / 10_000
        assert measured == pytest.approx(chance, abs=room)


@claim("Without a flight, e^(1/β) readers recompute: at β = 1 nearly three, not one")
def nearly_three(means: Any, math: Any) -> None:
    """Each mean of 600 cycles within a twelfth."""
    for beta, mean in means.items():
        assert mean == pytest.approx(math.exp(1 / beta), rel=1 / 12)


@claim("we measure 2.74. In 36% of the cycles it is exactly one;")
def measured_at_one(means: Any, counts: Any) -> None:
    """Within a twelfth, and within five points."""
    assert means[1] == pytest.approx(2.74, rel=1 / 12)
    assert counts[1].count(1) / 600 == pytest.approx(0.36, abs=0.05)


@claim("A jitter of 10% turns 100,000 in one second into 1763 in the worst one, a 57th.")
def divides_the_peak(first_expiries: Any) -> None:
    """Within one in twenty-five."""
    worst = max(first_expiries(0.1).values())
    assert worst == pytest.approx(1_763, rel=0.04)
    assert 100_000 / worst == pytest.approx(57, rel=0.04)


@claim("With a hundred nodes a key costs a hundred loads per TTL, whatever each node does.")
def a_hundred_loads(fleet: Any) -> None:
    """A load for each node in ten seconds, or a little more."""
    assert len(simulated(fleet, 100).queries) / 6 == pytest.approx(102, abs=4)
