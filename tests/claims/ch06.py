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
    assert all(worst_second(runs[name]) == 1 for name in ("flight", STALE, EARLY))
    assert waiting(runs["flight"]) > 0 == waiting(runs[STALE]) == waiting(runs[EARLY])


@claim("No protection: 199 readers wait, and each of them loads.")
def each_of_them_loads(plain: Any) -> None:
    """About 200, a load each."""
    assert waiting(plain) == pytest.approx(199, rel=0.2)
    assert waiting(plain) == sum(query.asked > 1 for query in plain.queries)


@claim("No flight, stale for 20 s: nobody waits, but each stale read starts a load of its own.")
def each_stale_read_loads(runs: Any) -> None:
    """As many loads, at the same moments, as with no protection: one for each reader that got a stale answer."""
    run = runs["no flight, stale for 20 s"]
    assert waiting(run) == 0
    assert stale(run) == sum(query.asked > 1 for query in run.queries) > 4 * 20
    assert run.queries_per_second() == runs["no protection"].queries_per_second()


@claim("Flight: 201 readers wait, for one load at each expiry.")
def about_as_many(runs: Any) -> None:
    """About 200, for four loads after the first."""
    assert waiting(runs["flight"]) == pytest.approx(201, rel=0.2)
    assert len(runs["flight"].queries) == 1 + 4


@claim("Flight, stale for 20 s: nobody waits. 201 answers are stale, by up to half a second.")
def stale_while_revalidate(runs: Any) -> None:
    """As many as would have waited. Each comes within half a second of the first load of its expiry."""
    assert waiting(runs[STALE]) == 0
    assert stale(runs[STALE]) == waiting(runs["flight"])
    begins = first_loads(runs[STALE])
    moments = [row.when for row in runs[STALE].reads if row.outcome == "stale"]
    assert all(any(0 <= moment - begin <= 0.5 for begin in begins) for moment in moments)


@claim(
    "It costs a load more (6 instead of 5, the first included), since each entry is replaced about two seconds before "
    "its end."
)
def early(runs: Any) -> None:
    """One load more than with the flight alone, or two. An entry is replaced from half a second to six before it."""
    assert waiting(runs[EARLY]) == stale(runs[EARLY]) == 0
    assert 1 <= len(runs[EARLY].queries) - len(runs["flight"].queries) <= 2
    loads = [(query.asked, query.ended) for query in runs[EARLY].queries]
    before_its_end = [ended + 10 - asked for (_, ended), (asked, _) in itertools.pairwise(loads)]
    assert min(before_its_end) > 0.5
    assert max(before_its_end) < 6
    assert sum(before_its_end) / len(before_its_end) == pytest.approx(2.25, abs=0.75)


@claim(
    "Without jitter the worst second has 160 loads, and most of the others come in the next one. "
    "With 30% the worst second has 26:"
)
def jitter_flattens(peaks: Any, jittered: Any) -> None:
    """Within a tenth, and within a third. Of the 200 users, most of those not loaded by 16 s are by 17 s."""
    assert peaks[0] == pytest.approx(160, rel=0.1)
    rates = jittered[0].queries_per_second()
    assert rates[16] > (200 - sum(rates[:16])) / 2
    assert peaks[0.3] == pytest.approx(26, rel=1 / 3)


@claim("so the expiries spread over nine seconds.")
def over_nine_seconds(jittered: Any) -> None:
    """The first loads begin at 10.5 s and end by 20.5 s, but for a few; at least a tenth come after 18.5 s."""
    first: dict[int, float] = {}
    for query in jittered[0.3].queries:
        first.setdefault(query.key, query.asked - jittered[0.3].start)
    assert 10.4 < min(first.values()) < 11.5
    assert sum(moment > 18.5 for moment in first.values()) > 20
    assert sum(moment < 20.5 for moment in first.values()) > 190


@claim("The first expiries of N keys spread over 2·j·ttl seconds, with about N/(2·j·ttl) in each: here 200/9 = 22.")
def about_22_in_each(jittered: Any) -> None:
    """In the seven whole seconds from 12 s to 19 s, on average, within a fifth."""
    rates = jittered[0.3].queries_per_second()[12:19]
    assert sum(rates) / len(rates) == pytest.approx(22, rel=0.2)


@claim("Jitter saves no loads (411 instead of 400), it spreads them.")
def saves_none(jittered: Any) -> None:
    """With any jitter there are as many loads, or a few more."""
    least = len(jittered[0].queries)
    assert all(least <= len(run.queries) < 1.1 * least for run in jittered.values())


@claim("Stale answers spare the readers, and jitter spares the origin")
def they_go_together(waves: Any) -> None:
    """With all three nobody waits, and the worst second has a fourth of the loads at most."""
    assert waiting(waves["stale for 30 s"]) == waiting(waves["all three"]) == 0
    assert worst_second(waves["all three"]) < worst_second(waves["flight only"]) / 4
    assert worst_second(waves["jitter 30%"]) < worst_second(waves["flight only"]) / 4


@claim("Stale answers help only the readers: nobody waits, and the origin has the same wave.")
def the_wave_is_the_same(waves: Any) -> None:
    """The same loads, at the same moments."""
    assert waves["stale for 30 s"].queries_per_second(0.5) == waves["flight only"].queries_per_second(0.5)


@claim("Jitter helps only the origin: the worst second has 26 loads, and 429 readers wait, as many as before.")
def as_many_as_before(waves: Any) -> None:
    """Within a tenth."""
    assert waiting(waves["jitter 30%"]) == pytest.approx(429, rel=0.1)
    assert waiting(waves["jitter 30%"]) == pytest.approx(waiting(waves["flight only"]), rel=0.1)


@claim("most keys find no reader in time.")
def does_little(waves: Any) -> None:
    """At least three quarters of the worst second and of the waiting stay."""
    assert worst_second(waves["early (β = 1)"]) > 0.75 * worst_second(waves["flight only"])
    assert waiting(waves["early (β = 1)"]) > 0.75 * waiting(waves["flight only"])


@claim("All three: nobody waits, and the worst second has 26 loads.")
def all_three(waves: Any) -> None:
    """Within a third."""
    assert waiting(waves["all three"]) == 0
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


@claim("the largest gap between a dot and its line: 6%")
def the_dots(gaps: Any) -> None:
    """In every sample within 25 %: with 80 requests a second there are 20 expiries for a dot."""
    assert max(gaps) < 0.25


@claim("An outage of 15 s: stale for 15 s leaves some errors, and stale for 30 s none")
def some_errors(outages: Any) -> None:
    """From 1 to 40."""
    assert 1 <= len(errors(outages["stale for 15 s"])) <= 40
    assert not errors(outages["stale for 30 s"])


@claim("Without stale answers 73.61% of the reads are answered.")
def answered(outages: Any) -> None:
    """Three of four."""
    assert outages["no stale answers"].error_share == pytest.approx(0.26, abs=0.04)


@claim("But with 15 s, as long as the outage, 22 readers get an error.")
def gone_before_the_end(outages: Any) -> None:
    """Each of their keys had last been loaded so early that its TTL ended before the outage began."""
    run = outages["stale for 15 s"]
    for row in errors(run):
        filled = [query.ended for query in run.queries if query.key == row.key and query.ended - run.start < 20]
        assert max(filled, default=run.start) - run.start + 5 < 20
    assert len(errors(run)) < len(errors(outages["no stale answers"])) / 5


@claim("In each of the runs 275 loads are refused:")
def refused(outages: Any) -> None:
    """The same number, about 275."""
    counts = {len(run.refused) for run in outages.values()}
    assert len(counts) == 1
    assert counts.pop() == pytest.approx(275, rel=0.2)


@claim("With the flight alone 210 readers wait, with early recomputation 209, and with stale answers 6.")
def few_readers(rare: Any) -> None:
    """About 200; early recomputation spares six at most, and stale answers nineteen of twenty."""
    alone, with_beta, with_stale = map(waiting, rare.values())
    assert alone == pytest.approx(210, rel=0.2)
    assert 0 <= alone - with_beta <= 6
    assert with_stale < alone / 20


@claim("the number of loads for an expiry is e^(1/β) on average, and it is exactly one with probability e^(−1/β).")
def nearly_three(means: Any, counts: Any, math: Any) -> None:
    """Each mean of 2,000 cycles within a tenth, and each share within four points."""
    for beta, mean in means.items():
        assert mean == pytest.approx(math.exp(1 / beta), rel=0.1)
        assert counts[beta].count(1) / 2_000 == pytest.approx(math.exp(-1 / beta), abs=0.04)


@claim("A higher rate changes neither.")
def whatever_the_rate(recomputations: Any) -> None:
    """With twice the rate the mean is the same, within a tenth, and the share, within four points."""
    found = recomputations(1, rate=800)
    assert sum(found) / len(found) == pytest.approx(2.72, rel=0.1)
    assert found.count(1) / len(found) == pytest.approx(0.37, abs=0.04)


@claim("A jitter of 10% turns 100,000 in one second into 1,763 in the worst one.")
def divides_the_peak(first_expiries: Any) -> None:
    """Within one in twenty-five."""
    worst = max(first_expiries(0.1).values())
    assert worst == pytest.approx(1_763, rel=0.04)


@claim("Each node loads the key once per TTL, or a little more often, so a hundred nodes make about a hundred loads.")
def a_hundred_loads(fleet: Any) -> None:
    """A load for each node in ten seconds, or a little more."""
    assert len(simulated(fleet, 100).queries) / 6 == pytest.approx(102, abs=4)


@claim("(A node with more readers refreshes earlier, so it loads more often.)")
def fewer_for_each_node(fleet: Any) -> None:
    """A node of one has more loads than a node of a hundred has on average."""
    alone, of_many = (len(simulated(fleet, nodes).queries) / nodes for nodes in (1, 100))
    assert of_many + 0.5 < alone < 1.5 * of_many


@claim("after the start of all nodes 87 in one second, and then they drift apart slowly.")
def come_together(fleet: Any) -> None:
    """Four of five in the first second. Of these a third is still together ten seconds later, and fewer at the end."""
    rates = simulated(fleet, 100).queries_per_second()
    assert rates[0] == pytest.approx(87, abs=10)
    assert max(rates[10:20]) > rates[0] / 3
    assert max(rates[50:60]) < 0.75 * max(rates[10:20])
