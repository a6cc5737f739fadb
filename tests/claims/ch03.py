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


@claim("For example, request 50 on the left comes at 0.54 s and is answered at 1.7 s.")
def request_50(held: Any) -> None:
    """It waits for longer than it takes all 80 requests to come."""
    read = sorted(held.reads, key=lambda read: read.when)[49]
    assert read.when < 0.7
    assert read.latency_s > 0.8


@claim("A lock held across the load makes hits wait for the misses of others")
def hits_wait(held: Any) -> None:
    """On average longer than ten loads take."""
    assert mean_wait_of_a_hit(held) > 10 * 0.05


@claim("On the left, a hit waits until all requests before it are answered; the longest wait is 1.7 s.")
def each_hit_waits(held: Any) -> None:
    """The answers come in the order of the requests. Somebody waits for longer than 20 loads take."""
    assert max(read.latency_s for read in held.reads) > 20 * 0.05
    in_order = sorted(held.reads, key=lambda read: read.when)
    answered = [read.when + read.latency_s for read in in_order]
    assert all(earlier <= later + 1e-9 for earlier, later in itertools.pairwise(answered))


@claim("On the right, no hit waits.")
def no_hit_waits(quick: Any) -> None:
    """Every hit is answered at once."""
    assert mean_wait_of_a_hit(quick) == 0


@claim("There is a price: 53 queries instead of 50.")
def loaded_again(held: Any, quick: Any) -> None:
    """In every sample some users are loaded again, and few."""
    assert 1 <= len(quick.queries) - len(held.queries) <= 10


@claim("and both load it: a small stampede (chapter 5 is about large ones).")
def small_here(quick: Any) -> None:
    """No user is loaded more than a few times."""
    loaded = [query.key for query in quick.queries]
    assert max(map(loaded.count, loaded)) <= 5


@claim("Without a TTL, answers are more and more out of date; a TTL of 10 s sets a limit")
def more_and_more(minutes: Any) -> None:
    """Without a TTL the worst answer of each quarter of the minute is worse than before; with one, it has a limit."""
    worst = [max(stale(minutes[None], 15 * n, 15 * n + 15), default=0) for n in range(4)]
    assert worst == sorted(worst)
    assert worst[3] > 3 * worst[0]
    assert all(minutes[ttl].max_stale_s <= ttl + 0.051 for ttl in minutes if ttl)


@claim("The highest is a popular user that changed after 2 s: at the end, it has been out of date for 58.0 s.")
def as_old_as_the_dict(minutes: Any) -> None:
    """Nearly the whole minute."""
    assert 50 < minutes[None].max_stale_s < 60


@claim("With a TTL of 10 s, 8.6 s is the longest.")
def nearly_the_ttl(minutes: Any) -> None:
    """Some answer is out of date for nearly as long as the TTL allows."""
    assert 8 < minutes[10].max_stale_s < 10.051


@claim("It can never be more than the TTL plus the time of one query")
def a_promise(minutes: Any) -> None:
    """With every TTL."""
    assert all(minutes[ttl].max_stale_s <= ttl + 0.051 for ttl in minutes if ttl)


@claim("10 s gives 78.0% hits here, so 44 of 200 requests a second go to the database, which can do 160.")
def far_below_capacity(minutes: Any) -> None:
    """Less than half of what the database can do."""
    assert 40 < 200 * (1 - minutes[10].hit_ratio) < 80


@claim("The price is in the table: the shorter the TTL, the fewer the hits.")
def fewer_hits(minutes: Any) -> None:
    """The hit ratio rises with each longer TTL, and is highest without one."""
    ratios = [run.hit_ratio for run in minutes.values()]
    assert list(minutes) == [5, 10, 20, 40, None]
    assert all(shorter < longer for shorter, longer in itertools.pairwise(ratios))


def mean_wait_of_a_hit(run: Any) -> float:
    """In seconds."""
    waits = [float(read.latency_s) for read in run.reads if read.outcome == "hit"]
    return sum(waits) / len(waits)


def stale(run: Any, since: float, until: float) -> list[float]:
    """How long answers between these seconds had been out of date."""
    return [float(read.stale_s) for read in run.reads if since <= read.when < until and read.stale_s > 0]
