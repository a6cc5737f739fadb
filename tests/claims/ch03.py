"""Chapter 3: what it says of a dict with a lock, and of a TTL, under random traffic."""

import itertools
from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("03")


@claim("That makes 1 / 0.05 = 20 queries a second")
def one_at_a_time(held: Any) -> None:
    """One load after the other, without a gap."""
    assert len(held.queries) / max(query.ended for query in held.queries) == pytest.approx(20, abs=0.5)


@claim("It comes at 0.8 s and is answered at 2.5 s: it waits for 1.7 s.")
def the_last_request(held: Any) -> None:
    """It waits for about as long as any other: for the loads of nearly all misses."""
    last = max(held.reads, key=lambda read: read.when)
    assert last.when == pytest.approx(0.8, abs=0.1)
    assert last.latency_s > 20 * 0.05


@claim("A lock held across the load makes requests wait for the loads of others")
def all_wait(held: Any) -> None:
    """Hits and misses wait, on average for longer than ten loads take."""
    assert mean_wait(held, "hit") > 10 * 0.05
    assert mean_wait(held, "miss") > 10 * 0.05


@claim("Without the lock, the database gets 63 queries a second instead of 20, and can do 160.")
def three_times_the_queries(held: Any, plain: Any) -> None:
    """About three times as many, and far fewer than the database can do."""
    assert 2.5 * queries_per_second(held) < queries_per_second(plain) < 90


@claim("The slowest answer takes 0.05 s instead of 1.71 s.")
def slowest(held: Any, plain: Any) -> None:
    """Seldom does a query wait for a connection for a few milliseconds. No hit waits at all."""
    assert max(read.latency_s for read in held.reads) > 20 * 0.05
    assert max(read.latency_s for read in plain.reads) < 2 * 0.05
    assert mean_wait(plain, "hit") == 0


@claim("There is a price: 53 queries instead of 50.")
def loaded_again(held: Any, plain: Any) -> None:
    """In every sample some users are loaded again, and few."""
    assert 1 <= len(plain.queries) - len(held.queries) <= 10


@claim("and both load it: a small stampede (chapter 5 is about large ones).")
def small_here(plain: Any) -> None:
    """No user is loaded more than a few times."""
    loaded = [query.key for query in plain.queries]
    assert max(map(loaded.count, loaded)) <= 5


@claim("Without a TTL, answers are more and more out of date; a TTL of 10 s sets a limit")
def more_and_more(minutes: Any) -> None:
    """Without a TTL the worst answer of each quarter of the minute is worse than before; with one, it has a limit."""
    worst = [max(stale(minutes[None], 15 * n, 15 * n + 15), default=0) for n in range(4)]
    assert worst == sorted(worst)
    assert worst[3] > 3 * worst[0]
    assert all(minutes[ttl].max_stale_s <= ttl + 0.051 for ttl in minutes if ttl)


@claim("The highest is a popular one that changed after 2 s: at the end, its answers are out of date for 58.0 s")
def as_old_as_the_dict(minutes: Any) -> None:
    """Nearly the whole minute."""
    assert 50 < minutes[None].max_stale_s < 60


@claim("With a TTL of 10 s, 8.6 s is the longest.")
def nearly_the_ttl(minutes: Any) -> None:
    """Some answer is out of date for nearly as long as the TTL allows."""
    assert 8 < minutes[10].max_stale_s < 10.051


@claim("The limit is 10.05 s: a query reads the profile when it begins")
def a_promise(minutes: Any) -> None:
    """With every TTL, if no query waits for a connection."""
    assert all(minutes[ttl].max_stale_s <= ttl + 0.051 for ttl in minutes if ttl)


@claim("Where blue dots are alone, the TTL has made `BoundedCache` load the profile again.")
def loaded_anew(minutes: Any) -> None:
    """Each has a load after the first one before it."""
    loads: dict[Any, list[float]] = {}
    for query in minutes[10].queries:
        loads.setdefault(query.key, []).append(query.began)
    alone = [a for a, b in pairs(minutes) if a.stale_s > 0 and b.stale_s == 0]
    assert alone
    assert all(sum(began <= read.when for began in loads[read.key]) > 1 for read in alone)


@claim("Where orange dots are alone, the profile has changed twice: `PlainDict` still serves the first version")
def changed_twice(minutes: Any) -> None:
    """Then `PlainDict` is out of date too, and for longer."""
    alone = [(a, b) for a, b in pairs(minutes) if b.stale_s > 0 and abs(a.stale_s - b.stale_s) > 0.001]
    assert alone
    assert all(a.stale_s > b.stale_s for a, b in alone)


@claim("10 s gives 78.0% hits, so 44 of 200 requests a second go to the database.")
def far_below_capacity(minutes: Any) -> None:
    """Less than half of what the database can do."""
    assert 40 < 200 * (1 - minutes[10].hit_ratio) < 80


@claim("In the first second, with an empty cache, more of them do, but fewer than the 160 that it can serve.")
def just_after_a_deploy(minutes: Any) -> None:
    """Between twice the mean and the capacity."""
    assert 2 * 44 < sum(query.began < 1 for query in minutes[10].queries) < 160


@claim("The shorter the TTL, the fewer the hits.")
def fewer_hits(minutes: Any) -> None:
    """The hit ratio rises with each longer TTL, and is highest without one."""
    ratios = [run.hit_ratio for run in minutes.values()]
    assert list(minutes) == [10, 20, 40, None]
    assert all(shorter < longer for shorter, longer in itertools.pairwise(ratios))


def mean_wait(run: Any, outcome: str) -> float:
    """In seconds, for the answers with this outcome: a hit or a miss."""
    waits = [float(read.latency_s) for read in run.reads if read.outcome == outcome]
    return sum(waits) / len(waits)


def queries_per_second(run: Any) -> float:
    """Until the last query has ended."""
    return len(run.queries) / max(float(query.ended) for query in run.queries)


def pairs(minutes: Any) -> list[tuple[Any, Any]]:
    """The reads without a TTL and with one of 10 s, side by side."""
    assert [read.when for read in minutes[None].reads] == [read.when for read in minutes[10].reads]
    return list(zip(minutes[None].reads, minutes[10].reads, strict=True))


def stale(run: Any, since: float, until: float) -> list[float]:
    """How long answers between these seconds had been out of date."""
    return [float(read.stale_s) for read in run.reads if since <= read.when < until and read.stale_s > 0]
