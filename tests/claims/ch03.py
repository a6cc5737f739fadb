"""Chapter 3: what it says of a dict with a lock under random traffic."""

import itertools
from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("03")


@claim("Held across the load, the lock makes hits wait for other people's misses")
def hits_wait(held: Any) -> None:
    """On average longer than ten loads take."""
    assert mean_wait_of_a_hit(held) > 10 * 0.05


@claim("20 queries a second reach a database that could do 160.")
def one_at_a_time(held: Any) -> None:
    """One load after the other, without a gap."""
    assert len(held.queries) / max(query.ended for query in held.queries) == pytest.approx(20, abs=0.5)


@claim("Right, no hit waits.")
def no_hit_waits(quick: Any) -> None:
    """Every hit is answered at once."""
    assert mean_wait_of_a_hit(quick) == 0


@claim("The price: in this sample 3 loads were for users whom somebody was loading already.")
def loaded_again(quick: Any) -> None:
    """In every sample some are, and few."""
    loaded = [query.key for query in quick.queries]
    assert 1 <= len(loaded) - len(set(loaded)) <= 10


@claim("That is a stampede, small here, and the subject of chapter 5.")
def small_here(quick: Any) -> None:
    """No user is loaded more than a few times."""
    loaded = [query.key for query in quick.queries]
    assert max(map(loaded.count, loaded)) <= 5


@claim("Each doubling of the TTL buys fewer hits; staleness goes on growing")
def fewer_hits(ttls: Any, minutes: Any) -> None:
    """The gain in hits shrinks from step to step; stale answers become more with each."""
    gains = [minutes[after].hit_ratio - minutes[before].hit_ratio for before, after in itertools.pairwise(ttls)]
    assert gains == sorted(gains, reverse=True)
    stale = [minutes[ttl].stale_share for ttl in ttls]
    assert stale == sorted(stale)


@claim("After a minute an answer of the dict had been out of date for 58.0 s, and after a day it will be a day.")
def as_old_as_the_dict(minutes: Any) -> None:
    """Nearly the whole minute."""
    assert 50 < minutes[None].max_stale_s < 60


@claim("A TTL is a promise: with 10 s it was 8.6 s, never more than the TTL and one query.")
def a_promise(ttls: Any, minutes: Any) -> None:
    """With every TTL."""
    assert all(minutes[ttl].max_stale_s <= ttl + 0.051 for ttl in ttls)
    assert minutes[10].max_stale_s > 8


def mean_wait_of_a_hit(run: Any) -> float:
    """In seconds."""
    waits = [float(read.latency_s) for read in run.reads if read.outcome == "hit"]
    return sum(waits) / len(waits)
