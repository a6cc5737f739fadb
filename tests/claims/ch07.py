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
    """The longest wait of a reader who came between two moments."""
    return max(float(row.latency_s) for row in run.reads if begin <= row.when < end)


def stale(run: Any) -> int:
    """How many answers were out of date."""
    return sum(row.stale_s > 0 for row in run.rows)


@claim("Memory in each pod: a deploy (at 15 s) takes all the database has. One Redis: nothing")
def takes_all(each: Any, shared: Any) -> None:
    """In each of the two seconds after the deploy 76 of 80 queries at least; with Redis fewer after it than before."""
    assert min(each.queries_per_second(1)[15:17]) >= 76
    assert loads(shared, 15, 20) < loads(shared, 10, 15)


@claim("Loads: 1655 against 492; a popular user is loaded by each of five pods, and by each again after the deploy.")
def loads_of_both(each: Any, shared: Any) -> None:
    """Within a tenth; and user 1 is loaded ten times at least."""
    assert loads(each) == pytest.approx(1_655, rel=0.1)
    assert loads(shared) == pytest.approx(492, rel=0.1)
    assert sum(query.key == 1 for query in each.queries) >= 10


@claim("394 loads in the five seconds after it, 194 in those before; that is nearly all the database can do")
def after_the_deploy(each: Any) -> None:
    """Nine of ten of the 400 that it can do; twice as many, about, as before."""
    assert loads(each, 10, 15) == pytest.approx(194, rel=0.15)
    assert 0.9 * 400 <= loads(each, 15, 20) < 1.1 * 400


@claim("and in this sample the longest wait grows to 553 ms.")
def the_wait_grows(each: Any) -> None:
    """In every sample to several times a query."""
    assert longest_wait(each, 15, 20) > 4 * 0.05


@claim("With Redis 44 after and 64 before, and a wait of 52 ms: what is in Redis outlives a pod.")
def outlives_a_pod(shared: Any) -> None:
    """Fewer after than before, and nobody waits for more than a load and two round trips."""
    assert loads(shared, 15, 20) < loads(shared, 10, 15) == pytest.approx(64, rel=0.25)
    assert longest_wait(shared, 15, 20) == pytest.approx(0.052, abs=0.002)


@claim("Old answers: 476 against 0 in this run")
def old_answers(each: Any, shared: Any) -> None:
    """In every run far fewer with Redis."""
    assert stale(shared) < stale(each) / 3


@claim("a hit in Redis takes a round trip, 1 ms, where the memory takes none.")
def a_round_trip(each: Any, shared: Any) -> None:
    """The quickest hit."""
    assert min(row.latency_s for row in each.reads if row.outcome == "hit") == 0
    assert min(row.latency_s for row in shared.reads if row.outcome == "hit") == pytest.approx(0.001, abs=0.0001)


@claim("Every reader is answered, by the origin, after the time-out and the load at the latest: 150 ms, 550 ms, 2.0 s.")
def every_reader_is_answered(hanging: Any) -> None:
    """No error, and no wait that is longer."""
    for timeout_s, run in hanging.items():
        assert run.error_share == 0
        assert longest_wait(run, 0, 99) == pytest.approx(timeout_s + 0.05, abs=0.005)


@claim("Half of them wait for no more than 118 ms, 332 ms, 1.1 s")
def half_of_them(hanging: Any, median_wait: Any) -> None:
    """Within a fifth."""
    assert [median_wait(run) for run in hanging.values()] == pytest.approx([0.118, 0.332, 1.1], rel=0.2)


@claim("nothing reaches the origin for two seconds, and then 102 queries a second.")
def a_heap(hanging: Any) -> None:
    """No query from just after 8 s to just before 10 s, and then about a hundred a second."""
    assert loads(hanging[2.0], 8.01, 9.99) == 0
    assert max(hanging[2.0].queries_per_second(0.5)) == pytest.approx(102, rel=0.25)


@claim("With a time-out of 0.5 s the origin gets it a little later, in small heaps")
def small_heaps(hanging: Any) -> None:
    """Nothing in the first half second, and more than the average of the three in the half second after it."""
    assert loads(hanging[0.5], 8.01, 8.49) == 0 < loads(hanging[0.5], 8.49, 8.99)


@claim("(A longer time-out means fewer queries, since more readers wait for the same load. That is no gain.)")
def fewer_queries(hanging: Any) -> None:
    """From each time-out to the next."""
    queries = [len(run.queries) for run in hanging.values()]
    assert queries == sorted(queries, reverse=True)
    assert len(set(queries)) == 3


@claim("while Redis is away, nearly all of the traffic is the origin's.")
def nearly_all_of_the_traffic(hanging: Any) -> None:
    """Of the readers of those six seconds four of five cause a load, where nobody waits long for another's."""
    readers = sum(8 <= row.when < 14 for row in hanging[0.1].reads)
    assert loads(hanging[0.1], 8.1, 14.1) > 0.8 * readers


@claim("While Redis hangs (8 s to 14 s) readers give up after 0.1 s, and the origin gets nearly all")
def readers_give_up(hanging: Any) -> None:
    """The readers of those seconds wait for the time-out and a load at most, and four of five cause a load."""
    assert longest_wait(hanging[0.1], 8, 14) <= 0.151
    readers = sum(8 <= row.when < 14 for row in hanging[0.1].reads)
    assert loads(hanging[0.1], 8.1, 14.1) > 0.8 * readers


@claim("With 2 s: nothing for two seconds, and then a heap; and so on")
def and_so_on(hanging: Any) -> None:
    """Three times: no query in the second before a heap, which is all in half a second."""
    for heap in (10, 12, 14):
        assert loads(hanging[2.0], heap - 1.4, heap - 0.01) == 0 < loads(hanging[2.0], heap - 0.01, heap + 0.6)


@claim("With five keys a draw, Redis's default, most of the way from random to LRU is made.")
def most_of_the_way(SampledLRU: Any, LRU: Any, count_hits: Any, trace: Any) -> None:  # noqa: N803 - names of the notebook
    """Four fifths of it."""
    random, five = (count_hits(SampledLRU(1_000, sample), trace).hit_ratio for sample in (1, 5))
    lru = count_hits(LRU(1_000), trace).hit_ratio
    assert five - random > 0.8 * (lru - random)


@claim("A counter of 10 is a hundred hits, 19 a thousand, 146 a hundred thousand, 255 a million")
def the_counter(counter_after: Any, Random: Any) -> None:  # noqa: N803 - a name of the notebook
    """Averages of 200 counters, within 3 %, and within one for the smallest."""
    draw = Random(1).random
    for hits, counter in ((100, 10), (1_000, 19), (100_000, 146), (1_000_000, 255)):
        assert sum(counter_after(hits, draw) for _ in range(200)) / 200 == pytest.approx(counter, rel=0.03, abs=1)


@claim("A hundred pods load hardly more than one.")
def hardly_more_than_one(fleet: Any) -> None:
    """Less than a tenth more."""
    assert len(simulated(fleet, 100).queries) < 1.1 * len(simulated(fleet, 1).queries)
