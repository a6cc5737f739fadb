"""Chapter 6: what it says of expiries under random traffic, and of random TTLs."""

import itertools
from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("06")
EARLY = "flight, early (β = 1)"
STALE = "flight, stale for 20 s"


def waiting(run: Any, since: float = 1) -> int:
    """How many readers had to wait, after the cold start."""
    return sum(row.latency_s > 0 for row in run.reads if row.when > since)


def stale(run: Any) -> int:
    """How many readers got an old value."""
    return sum(row.outcome == "stale" for row in run.reads)


def worst_rate(run: Any) -> float:
    """The loads per second in the worst half second."""
    return float(max(run.queries_per_second(0.5)))


def first_loads(run: Any) -> list[float]:
    """When the first load of each expiry began: the one that comes more than a second after the load before it."""
    asked = [query.asked for query in run.queries]
    return [asked[0], *(after for before, after in itertools.pairwise(asked) if after - before > 1)]


@claim("Each expiry of one popular key is a needle at the origin, and half a second of waiting")
def a_needle(plain: Any) -> None:
    """All loads begin within half a second of the first, and the longest wait is a load."""
    begins = first_loads(plain)
    assert all(any(0 <= query.asked - begin <= 0.5 for begin in begins) for query in plain.queries)
    assert max(row.latency_s for row in plain.reads) == pytest.approx(0.5, abs=0.001)


@claim("in this sample it was 52 on average.")
def about_fifty(expiries: Any) -> None:
    """Around 51: within three standard deviations of four expiries."""
    assert len(expiries) / 4 == pytest.approx(51, abs=3 * 50**0.5 / 2)


@claim("(The needles are eleven seconds apart:")
def eleven_seconds(plain: Any) -> None:
    """Within a tenth of a second."""
    begins = first_loads(plain)
    distances = [after - before for before, after in itertools.pairwise(begins)]
    assert distances == pytest.approx([11] * len(distances), abs=0.1)


@claim("An expiry costs 1 + λδ loads")
def the_law(measured: Any) -> None:
    """Each of the twelve dots within three standard deviations of the mean of its expiries, which are Poisson."""
    for (rate, load_time_s), loads in measured.items():
        expiries = 6_000 / rate / (2 + load_time_s)
        deviation = (rate * load_time_s / expiries) ** 0.5
        assert loads == pytest.approx(1 + rate * load_time_s, abs=3 * deviation)


@claim("In this sample the dots lie within 6% of their lines.")
def the_dots(gap: Any) -> None:
    """In every sample within 20 %: with 80 requests a second there are 30 expiries for a dot."""
    assert gap < 0.2


@claim("The needle goes with the flight; the waiting goes with stale or early answers")
def needle_and_waiting(runs: Any) -> None:
    """With the flight at most one load a half second; nobody waits with the two others."""
    assert all(worst_rate(runs[name]) <= 2 < worst_rate(runs["without protection"]) for name in list(runs)[1:])
    assert waiting(runs["single flight"]) > 0 == waiting(runs[STALE]) == waiting(runs[EARLY])


@claim("Without protection 206 readers wait at four expiries, and each of them loads.")
def each_of_them_loads(runs: Any) -> None:
    """About 200, a load each."""
    plain = runs["without protection"]
    assert waiting(plain) == pytest.approx(206, rel=0.2)
    assert len(first_loads(plain)) == 1 + 4
    assert waiting(plain) == sum(query.asked > 1 for query in plain.queries)


@claim("With a flight they still wait (177), but for one load.")
def they_still_wait(runs: Any) -> None:
    """About 180, for four loads after the first."""
    assert waiting(runs["single flight"]) == pytest.approx(177, rel=0.25)
    assert len(runs["single flight"].queries) == 1 + 4


@claim("Stale-while-revalidate: nobody waits, 177 answers are up to half a second too old.")
def stale_while_revalidate(runs: Any) -> None:
    """As many as would have waited."""
    assert waiting(runs[STALE]) == 0
    assert stale(runs[STALE]) == waiting(runs["single flight"])


@claim(
    "Early: nobody waits and nothing is stale; it costs a load more, since entries are replaced before they are old."
)
def early(runs: Any) -> None:
    """One load more than with the flight alone, or two."""
    assert waiting(runs[EARLY]) == stale(runs[EARLY]) == 0
    assert 1 <= len(runs[EARLY].queries) - len(runs["single flight"].queries) <= 2


@claim("with a load of 0.1 s it is 0.72% half a second before the end, and 37.11% a tenth of a second before it.")
def the_chance(MyFreshness: Any, Entry: Any, Random: Any, math: Any) -> None:  # noqa: N803 - names of the notebook
    """10,000 draws each."""
    rule = MyFreshness(beta=1, random=Random(1).random)
    entry = rule.stamp(Entry("Ana", math.inf), now=0.0, ttl=10.0, load_time_s=0.1)
    for now, chance, room in ((9.5, 0.72, 0.35), (9.9, 37.11, 2)):
        measured = 100 * sum(rule.should_refresh(entry, now) for _ in range(10_000)) / 10_000
        assert measured == pytest.approx(chance, abs=room)


@claim("With 100 readers a second somebody is early; with one in ten seconds hardly anybody is.")
def somebody_is_early(runs: Any, ten_seconds: Any, lab: Any, Flight: Any, freshness: Any) -> None:  # noqa: N803
    """Nobody waits with the one; with the other, early answers spare one wait in ten at most."""
    assert waiting(runs[EARLY]) == 0
    seldom = lab.Workload(rate=0.1, seconds=3_000, keys=1, seed=5)
    plain, with_beta = (
        simulated(lambda beta=beta: ten_seconds(seldom, 0.1, flight=Flight(), freshness=freshness(beta=beta)))
        for beta in (0, 1)
    )
    assert waiting(with_beta) > 0.9 * waiting(plain)


@claim("until then there is a wave every 15 seconds.")
def a_wave_every_15_seconds(jitters: Any) -> None:
    """Nine of ten loads are in the two seconds after 15 s, and in the four after 30 s."""
    asked = [query.asked for query in jitters[0].queries]
    waves = [moment for moment in asked if 15 <= moment < 17.1 or 30 <= moment < 34.2 or moment < 0.2]
    assert len(waves) > 0.9 * len(asked)


@claim("Without jitter the worst half second has 220 loads a second; with 30 % of jitter, ttl·(1 ± 0.3), it is 34.")
def jitter_flattens(jitters: Any) -> None:
    """Within a fifth each."""
    assert worst_rate(jitters[0]) == pytest.approx(220, rel=0.2)
    assert worst_rate(jitters[0.3]) == pytest.approx(34, rel=0.2)


@claim("Stale answers spare the readers, jitter spares the origin: they go together")
def they_go_together(waves: Any) -> None:
    """With all three nobody waits, and the worst rate is a fourth at most."""
    assert waiting(waves["stale for 30 s"], -1) == waiting(waves["all three, jitter 30%"], -1) == 0
    assert worst_rate(waves["all three, jitter 30%"]) < worst_rate(waves["flight only"]) / 4


@claim("Stale answers do not help the origin: nobody waits, and the wave is the same.")
def the_wave_is_the_same(waves: Any) -> None:
    """The same loads, at the same moments."""
    assert waves["stale for 30 s"].queries_per_second(0.5) == waves["flight only"].queries_per_second(0.5)


@claim("Early recomputation does little here: its window is a few βδ, and a load takes 50 ms.")
def does_little(waves: Any) -> None:
    """With β = 1 at least three quarters of the worst rate and of the waiting stay."""
    assert worst_rate(waves["early (β = 1)"]) > 0.75 * worst_rate(waves["flight only"])
    assert waiting(waves["early (β = 1)"]) > 0.75 * waiting(waves["flight only"])


@claim("To spread a wave it takes a very large β, and then it costs loads.")
def then_it_costs_loads(waves: Any) -> None:
    """With β = 40 the worst rate is a fourth, for half as many loads again."""
    assert worst_rate(waves["early (β = 40)"]) < worst_rate(waves["flight only"]) / 4
    assert len(waves["early (β = 40)"].queries) > 1.5 * len(waves["flight only"].queries)


@claim("What was in the cache when the outage began is served through it")
def served_through_it(outages: Any) -> None:
    """A key that was answered in the last seconds before the outage has no error in it."""
    reads = outages["stale for 30 s"][0].reads
    cached = {row.key for row in reads if 15 <= row.when < 20}
    assert not any(row.result == "error" and row.key in cached for row in reads)


@claim("With 30 s 100.00% of the reads are answered, against 75.55% without.")
def answered(outages: Any) -> None:
    """All of them, and three of four."""
    assert outages["stale for 30 s"][0].error_share == 0
    assert outages["no stale answers"][0].error_share == pytest.approx(0.245, abs=0.035)


@claim("With 5 s the insurance runs out in the middle.")
def runs_out_in_the_middle(outages: Any) -> None:
    """In its first four seconds one reader in twenty at most gets an error; in its last four nearly all do."""
    for begin, least, most in ((20, 0, 0.05), (31, 0.9, 1)):
        results = [row.result for row in outages["stale for 5 s"][0].reads if begin <= row.when < begin + 4]
        assert least <= results.count("error") / len(results) <= most


@claim("most expiries are found by the one who has to wait:")
def found_by_who_waits(rare: Any, Flight: Any, freshness: Any) -> None:  # noqa: N803 - a name of the notebook
    """Of the waits that there are without early answers, nine of ten are there with them."""
    plain, with_beta = (rarely(rare, Flight, freshness(beta=beta)) for beta in (0, 1))
    assert with_beta > 0.9 * plain


@claim("In this sample early recomputation spares one reader of 210.")
def spares_hardly_any(rare: Any, Flight: Any, freshness: Any) -> None:  # noqa: N803 - a name of the notebook
    """In every sample six at most, of about 200."""
    plain, with_beta = (rarely(rare, Flight, freshness(beta=beta)) for beta in (0, 1))
    assert plain == pytest.approx(210, rel=0.2)
    assert 0 <= plain - with_beta <= 6


@claim("Stale answers spare nearly all")
def spare_nearly_all(rare: Any, Flight: Any, freshness: Any) -> None:  # noqa: N803 - a name of the notebook
    """Nineteen of twenty."""
    assert rarely(rare, Flight, freshness(stale_for=20)) < rarely(rare, Flight, freshness()) / 20


def rarely(rare: Any, flight: Any, rule: Any) -> int:
    """How many of the seldom readers wait, with this rule of freshness."""
    return waiting(simulated(lambda: rare(flight=flight(), freshness=rule)), -1)


@claim("in the outage above 487 loads failed.")
def loads_failed(outages: Any) -> None:
    """About as many, whatever is served meanwhile."""
    failed = {count for _, count in outages.values()}
    assert len(failed) == 1
    assert failed.pop() == pytest.approx(487, rel=0.2)


@claim("Without a flight, e^(1/β) readers recompute: at β = 1 nearly three, not one")
def nearly_three(means: Any, math: Any) -> None:
    """Each mean of 600 cycles within a twelfth."""
    for beta, mean in means.items():
        assert mean == pytest.approx(math.exp(1 / beta), rel=1 / 12)


@claim("measured are 2.74 recomputations, and exactly one in 36% of the cycles.")
def measured_at_one(means: Any, counts: Any) -> None:
    """Within a twelfth, and within five points."""
    assert means[1] == pytest.approx(2.74, rel=1 / 12)
    assert counts[1].count(1) / 600 == pytest.approx(0.36, abs=0.05)


@claim("Ten percent turns 100,000 in one second into 1,763 at worst. That divides the peak by 57")
def divides_the_peak(peaks: Any) -> None:
    """Within one in twenty-five."""
    assert peaks[0.1] == pytest.approx(1_763, rel=0.04)
    assert 100_000 / peaks[0.1] == pytest.approx(57, rel=0.04)


@claim("At a hundred nodes a key costs a hundred loads per TTL, however clever each node is.")
def a_hundred_loads(fleet: Any) -> None:
    """A load for each node in ten seconds, or a little more."""
    assert len(simulated(fleet, 100).queries) / 6 == pytest.approx(102, abs=4)
