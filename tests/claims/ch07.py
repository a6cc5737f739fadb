"""Chapter 7: what it says of five pods under random traffic, and of random evictions."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("07")


def loads(run: Any, begin: float = 0, end: float = 99) -> int:
    """How many loads were asked for between two moments."""
    return sum(query.kind == "read" and begin <= query.asked < end for query in run.queries)


def longest_wait(run: Any, begin: float, end: float) -> float:
    """The longest wait of a reader that came between two moments."""
    return max(float(row.latency_s) for row in run.reads if begin <= row.when < end)


def stale(run: Any) -> int:
    """How many answers were out of date."""
    return sum(row.stale_s > 0 for row in run.rows)


@claim("The deploy empties five caches, which load again. Redis keeps its entries")
def they_load_again(each: Any, shared: Any) -> None:
    """In the five seconds after the deploy the caches load half as much again as before, and with Redis fewer."""
    assert loads(each, 15, 20) > 1.5 * loads(each, 10, 15)
    assert loads(shared, 15, 20) < loads(shared, 10, 15)


@claim("Measured: 3.4 times.")
def more_than_three_times(each: Any, shared: Any) -> None:
    """From 3 to 4 times."""
    assert 3 < loads(each) / loads(shared) < 4


@claim("Loads: 1655 against 492.")
def loads_of_both(each: Any, shared: Any) -> None:
    """Within a tenth."""
    assert loads(each) == pytest.approx(1_655, rel=0.1)
    assert loads(shared) == pytest.approx(492, rel=0.1)


@claim("If each pod has a cache, each pod loads a popular user, and each new pod loads it again.")
def each_pod_again(each: Any) -> None:
    """User 1 is loaded five times at least before the deploy, and five times at least after it."""
    of_user_1 = [query.asked for query in each.queries if query.kind == "read" and query.key == 1]
    before = sum(when < 15 for when in of_user_1)
    assert min(before, len(of_user_1) - before) >= 5


@claim("The five empty caches ask for 394 loads in five seconds; before, it was 194.")
def after_the_deploy(each: Any) -> None:
    """Within 15 %."""
    assert loads(each, 10, 15) == pytest.approx(194, rel=0.15)
    assert loads(each, 15, 20) == pytest.approx(394, rel=0.15)


@claim("In the first two seconds this is more than the database can answer: the longest wait is 553 ms.")
def more_than_it_can_do(each: Any) -> None:
    """More than 160 in both together; and in every sample a reader waits for several queries."""
    assert loads(each, 15, 17) > 160
    assert longest_wait(each, 15, 20) > 4 * 0.05


@claim("Redis keeps the entries: 44 loads, and 64 before.")
def redis_keeps_the_entries(shared: Any) -> None:
    """Fewer after than before, and no reader waits for more than a load and some round trips."""
    assert loads(shared, 15, 20) < loads(shared, 10, 15) == pytest.approx(64, rel=0.25)
    assert longest_wait(shared, 15, 20) == pytest.approx(0.052, abs=0.002)


@claim("476 stale answers in this sample. In Redis a delete counts for all pods: 0 here.")
def stale_answers(each: Any, shared: Any) -> None:
    """In every sample there are hundreds with a cache in each pod, and a third as many at most with Redis."""
    assert stale(each) > 300
    assert stale(shared) < stale(each) / 3


@claim("A hit in Redis takes a round trip, 1 ms.")
def a_round_trip(each: Any, shared: Any) -> None:
    """The quickest answer, which is a hit."""
    assert min(row.latency_s for row in each.reads) == 0
    assert min(row.latency_s for row in shared.reads) == pytest.approx(0.001, abs=0.0001)


@claim("With five, Redis's default, the hit ratio is most of the way from there to that of LRU.")
def most_of_the_way(SampledLRU: Any, LRU: Any, Random: Any, count_hits: Any, trace: Any) -> None:  # noqa: N803 - the notebook's names
    """Four fifths of it."""
    one, five = (count_hits(SampledLRU(1_000, sample, Random(1)), trace).hit_ratio for sample in (1, 5))
    lru = count_hits(LRU(1_000), trace).hit_ratio
    assert five - one > 0.8 * (lru - one)


@claim("So 10 stands for a hundred hits, 19 for a thousand, 146 for a hundred thousand, and 255 for a million.")
def the_counter(counter_after: Any, Random: Any) -> None:  # noqa: N803 - a name of the notebook
    """Averages of 200 counters, within 3 %, and within one for the smallest."""
    draw = Random(1).random
    for hits, counter in ((100, 10), (1_000, 19), (100_000, 146), (1_000_000, 255)):
        assert sum(counter_after(hits, draw) for _ in range(200)) / 200 == pytest.approx(counter, rel=0.03, abs=1)


@claim("A hundred pods load hardly more than one.")
def hardly_more_than_one(fleet: Any) -> None:
    """Less than a tenth more."""
    assert len(simulated(fleet, 100).queries) < 1.1 * len(simulated(fleet, 1).queries)
