"""Chapter 11: what it says of lies, of cold starts and of stale answers under random traffic."""

import asyncio
from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("11")

TTL_S = 30
IN_FLIGHT_S = 1.0
"""A load, its wait in the database's queue and some round trips: by so much an answer may be late."""
FEW = 0.004
"""The share of answers that a sample without a fault has out of date: those that were on their way during a write."""


def before_and_first(run: Any) -> tuple[float, float]:
    """Queries per second in the 10 s before the deploy, and in the first second after it."""
    asked = run.queries_per_second(asked=True)
    return sum(asked[:10]) / 10, asked[10]


def share_wrong(answers: Any) -> float:
    """The share of wrong answers among those of the new release about banned users."""
    banned = [answer.value.banned for answer in answers if answer.is_new and answer.key % 5 == 0]
    return banned.count(False) / len(banned)


@claim("In the 30 s after the deploy, 42% of the answers about banned users say that they are not banned.")
def many_are_wrong(same_key: Any) -> None:
    """About four in ten; the last of them before the TTL of the last old entry has ended."""
    assert share_wrong(same_key.answers) == pytest.approx(0.42, abs=0.12)


@claim("They come from entries of release 1, and there are none once the last of these has expired.")
def they_end_with_the_ttl(deploy: Any, release_2_same_key: Any) -> None:
    """With a TTL of 20 s, the traffic goes on for 10 s after that. A load may end just after the deploy."""
    answers = asyncio.run(deploy(release_2_same_key, ttl=20)).answers
    wrong = [a.when for a in answers if a.is_new and a.key % 5 == 0 and not a.value.banned]
    assert 10 + 10 < max(wrong, default=0) <= 10 + 20 + IN_FLIGHT_S


@claim("No answer is wrong. But in the first second after the deploy the database gets 37 queries; before, it got")
def far_more_than_before(bumps: Any) -> None:
    """Three times as much or more, and more than it can answer."""
    before, first = before_and_first(bumps[30].run)
    assert first > 2.5 * before
    assert first > bumps[30].run.capacity


@claim("37 with either TTL.")
def the_same_peak(bumps: Any) -> None:
    """To the query, or nearly: a load that is under way at the deploy may make a difference of one or two."""
    assert before_and_first(bumps[30].run)[1] == pytest.approx(before_and_first(bumps[300].run)[1], abs=2)


@claim("So there are as many queries as different users")
def one_load_for_each_user(bumps: Any) -> None:
    """As many queries as users, or nearly: a request at the end of the second is a query of the next."""
    users = {row.key for row in bumps[30].run.reads if 10 <= row.when < 11}
    assert before_and_first(bumps[30].run)[1] == pytest.approx(len(users), abs=2)


@claim("With a TTL of 30 s the peak is about 4 times that, with 300 s about 30 times.")
def further_from_what_it_is_used_to(bumps: Any) -> None:
    """About three to six times, and ten times or more."""
    ratios = {ttl: first / before for ttl, bump in bumps.items() for before, first in [before_and_first(bump.run)]}
    assert 2.5 < ratios[30] < 7
    assert ratios[300] > 10


@claim("All at once, the peak is far above the capacity; the other ways keep it lower")
def the_others_ask_for_less(deploys: Any) -> None:
    """In the two busiest seconds at once it is a quarter more than the capacity; in the other ways it is less."""
    peaks = {way: max(run.queries_per_second(2, asked=True)) for way, (run, _) in deploys.items()}
    at_once = peaks.pop("all at once")
    assert at_once > 1.25 * deploys["all at once"].run.capacity
    assert max(peaks.values()) < 0.95 * at_once


@claim("All at once, requests wait in the database's queue, and take up to 2.2 s.")
def the_longest_wait(deploys: Any) -> None:
    """A second or more; with each other way less than that, and less than 1.2 s."""
    slowest = {way: max(row.latency_s for row in run.reads if row.when >= 10) for way, (run, _) in deploys.items()}
    at_once = slowest.pop("all at once")
    assert at_once > 0.8
    assert max(slowest.values()) < min(at_once, 1.2)


@claim("The dual read has no peak.")
def no_peak(deploys: Any) -> None:
    """In the seconds after the deploy the database is asked as much as before, with some room for chance."""
    asked = deploys["dual read"].run.queries_per_second(asked=True)
    assert sum(asked[10:15]) / 5 < 1.7 * sum(asked[:10]) / 10


@claim("But 42% of its answers about banned users are wrong, as many as with the same key")
def as_many_as_with_the_same_key(deploys: Any, same_key: Any) -> None:
    """The same share, up to a hundredth."""
    assert share_wrong(deploys["dual read"].answers) == pytest.approx(share_wrong(same_key.answers), abs=0.01)
    assert all(share_wrong(deploys[way].answers) == 0 for way in deploys if way != "dual read")


@claim("In the half-deployed fleet 15.32% of the answers are out of date, by up to 27.8 s: nearly the TTL.")
def stale_until_the_ttl_ends(halves: Any) -> None:
    """A tenth or so; the worst by half of the TTL or more."""
    half = halves["half 1, half 2"].run
    assert 0.05 < half.stale_share < 0.25
    assert 0.5 * TTL_S < half.max_stale_s <= TTL_S + IN_FLIGHT_S


@claim("If only release 2 deletes both keys, 5.32% are left: those after the writes of release 1.")
def about_half_is_left(halves: Any) -> None:
    """Fewer, and more than a tenth; and the nodes of release 2, which are the first two, give all that are old."""
    left = halves["half 1, half 2b"].run
    assert 0.1 < left.stale_share / halves["half 1, half 2"].run.stale_share < 0.95
    assert {row.node for row in left.reads if row.stale_s > IN_FLIGHT_S} <= {0, 1}


@claim("A half-deployed fleet gives old values until the TTL ends, unless both releases delete both")
def the_cure(halves: Any) -> None:
    """With the cure no more are left than those that were on their way during a write; and none of them is old."""
    cured = halves["half 1b, half 2b"].run
    assert cured.stale_share <= FEW
    assert cured.max_stale_s < IN_FLIGHT_S


@claim("After a deploy on all nodes at once, traffic and keys alone decide the load")
def as_the_formula_says(bumps: Any, rates: Any, first_requests: Any) -> None:
    """In each five seconds, up to four standard errors of a count."""
    for bump in bumps.values():
        asked = bump.run.queries_per_second(asked=True)[10:]
        for start in range(0, 25, 5):
            expected = sum(first_requests(second) for second in range(start, start + 5))
            assert abs(sum(asked[start : start + 5]) - expected) < 4 * expected**0.5


@claim("There is no lie, and the first second has far fewer queries than the 37 of an empty cache.")
def no_lie_and_far_fewer_queries(honest_run: Any, bumps: Any) -> None:
    """Less than three quarters of them."""
    assert share_wrong(honest_run.answers) == 0
    assert before_and_first(honest_run.run)[1] < 0.75 * before_and_first(bumps[300].run)[1]


@claim("A script that fills the new keys before the deploy lowers the peak")
def a_script_lowers_the_peak(bumps: Any, warmed: Any) -> None:
    """To less than three quarters, and in the first second to less than two thirds."""
    without, with_it = (run.queries_per_second(asked=True)[10:] for run in (bumps[300].run, warmed.run))
    assert max(with_it) < 0.75 * max(without)
    assert with_it[0] < without[0] * 2 / 3
