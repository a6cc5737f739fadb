"""Chapter 10: what it says of unknown ids, of a filter and of sign-ups, under random traffic."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from cachelab.lab.traffic.replay_result import ReplayResult
from tests.claims.claim import Chapter

claim = Chapter("10")

HARDLY = 0.02
"""So far apart hit ratios may be that the text calls nearly equal."""


def hit_ratio(run: ReplayResult, users: int) -> float:
    """The users' hit ratio from 10 s on, as in the chapter's pictures."""
    reads = [row for row in run.reads if row.key <= users and row.when >= 10]
    return sum(row.outcome == "hit" for row in reads) / len(reads)


def unknown(run: ReplayResult, users: int) -> int:
    """How many queries were for unknown ids."""
    return sum(not 1 <= query.key <= users for query in run.queries)


def longest_wait(run: ReplayResult, users: int) -> float:
    """How long a user waited at most, in seconds."""
    return max(row.latency_s for row in run.reads if row.key <= users)


@claim("Without protection each of the 5,981 requests is a query")
def each_is_a_query(one: Any, one_id: Any, USERS: int) -> None:  # noqa: N803
    """And they are more than the capacity."""
    assert unknown(one["nothing"], USERS) == len(one_id)
    assert len(one_id) / 20 > 1.3 * one["nothing"].capacity


@claim("It takes 0.1 s, so there are about ten a second")
def one_at_a_time(one: Any, USERS: int) -> None:  # noqa: N803
    """Or nearly so, for 20 s."""
    assert 185 <= unknown(one["a flight"], USERS) <= 200


@claim("With the negative TTL there is one each 10 s, 2 in all.")
def one_each_ttl(one: Any, USERS: int) -> None:  # noqa: N803
    """The attack of 20 s has two or three times 10 s."""
    assert 2 <= unknown(one["negative TTL 10 s"], USERS) <= 3


@claim("Each miss is a query, so negative caching even costs queries.")
def costs_some(runs: Any, USERS: int, saved: int) -> None:  # noqa: N803
    """Each unknown id is a query, with and without; there are at least a hundred queries more for users."""
    assert saved == 0
    assert len(runs["negative TTL"].queries) > len(runs["nothing"].queries) + 100


@claim("From 10 s on, the users' hit ratio is 0.556; without the negative TTL it is 0.666.")
def the_hit_ratio_is_lower(runs: Any, USERS: int) -> None:  # noqa: N803
    """By about a tenth."""
    assert 0.08 < hit_ratio(runs["nothing"], USERS) - hit_ratio(runs["negative TTL"], USERS) < 0.15


@claim("No id comes twice, so nobody asks again for an absence that is in the cache.")
def no_id_comes_twice(random_ids: Any) -> None:
    """They are drawn from so many."""
    assert len({request.key for request in random_ids}) == len(random_ids)


@claim("So LRU evicts the users' entries for them.")
def evicts_users(runs: Any, USERS: int) -> None:  # noqa: N803
    """Users whose entry has gone before its TTL are loaded a second time: twice as many as without, or more."""
    again = {}
    for way, run in runs.items():
        loaded = [query.key for query in run.queries if query.key <= USERS]
        again[way] = len(loaded) - len(set(loaded))
    assert again["negative TTL"] > 2 * again["nothing"]


@claim("They are the false positives, about one in a hundred, and there is no line.")
def one_in_a_hundred(attacks: Any, flood: Any, USERS: int) -> None:  # noqa: N803
    """Within five standard errors; a user waits for a query and hardly longer."""
    expected = len(flood) / 100
    for name in ("filter, ABSENT", "filter"):
        assert unknown(attacks[name], USERS) == pytest.approx(expected, abs=5 * expected**0.5)
        assert longest_wait(attacks[name], USERS) < 0.15


@claim("But with a plain `ABSENT` the users lose their hits all the same")
def its_no_is_kept(attacks: Any, USERS: int) -> None:  # noqa: N803
    """About as many as with the negative TTL alone; with `NOT_KEPT` nearly none."""
    ratios = {name: hit_ratio(run, USERS) for name, run in attacks.items()}
    assert ratios["filter, ABSENT"] == pytest.approx(ratios["negative TTL"], abs=2 * HARDLY)
    assert ratios["filter"] == pytest.approx(ratios["nothing"], abs=HARDLY)


@claim("Negative caching makes the line longer, since the users miss more often.")
def the_line(attacks: Any, USERS: int) -> None:  # noqa: N803
    """Somebody waits ten seconds or more without a filter, and longer with the negative TTL."""
    waits = {name: longest_wait(run, USERS) for name, run in attacks.items()}
    assert waits["negative TTL"] > waits["nothing"] + 0.5 > 10


@claim("Only the last way protects the database and the users' hits")
def only_the_filter(attacks: Any, USERS: int) -> None:  # noqa: N803
    """The first two ask the database for each unknown id; with the second and the third the users lose hits."""
    ratios = {name: hit_ratio(run, USERS) for name, run in attacks.items()}
    assert max(ratios["negative TTL"], ratios["filter, ABSENT"]) < ratios["filter"] - 0.1
    counts = {name: unknown(run, USERS) for name, run in attacks.items()}
    assert counts["filter"] < 0.02 * counts["nothing"] == 0.02 * counts["negative TTL"]


def told(run: ReplayResult) -> tuple[int, int]:
    """How many reads after the commit are told "not found", and how many there are."""
    commit = next(query.ended - run.start for query in run.queries if query.kind == "write")
    later = [row for row in run.reads if row.when > commit]
    return sum(row.result == "absent" for row in later), len(later)


@claim("Without a delete, the cache says “not found” until the negative TTL ends")
def until_it_ends(one_pod: Any) -> None:
    """The last time is about 10 s after the first read; with the delete nobody is told."""
    run = one_pod["no delete"]
    first = min(row.when for row in run.reads)
    wrong = [row.when for row in run.reads if row.when > 1.06 and row.result == "absent"]
    last = max(wrong, default=0)
    assert wrong == [row.when for row in run.reads if 1.06 < row.when < last + 0.001]
    assert first + 8 < last < first + 10.2
    count, later = told(one_pod["delete after the commit"])
    assert count == 0 < later


@claim("A filter that does not know the new user answers “not found”")
def who_is_told(four_pods: Any) -> None:
    """At three pods of four, unless all are told before the commit."""
    own, everywhere = (told(run) for run in four_pods.values())
    assert 0.5 < own[0] / own[1] < 0.95
    assert everywhere[0] == 0 < everywhere[1]


@claim("With upto, a filter that does not know the new user lets the request pass")
def newer_ids_pass(grown: Any, passing: Any, random_ids: Any) -> None:
    """Nobody is told "not found", and all random ids pass."""
    count, later = told(grown["newer ids pass"])
    assert count == 0 < later
    assert len(passing) == len(random_ids)


@claim("W-TinyLFU counts how often each key is asked for")
def immune(attacked: Any, USERS: int) -> None:  # noqa: N803
    """Its hit ratio hardly changes; that of LRU falls, unless the absences have a store of their own."""
    ratios = {name: hit_ratio(run, USERS) for name, run in attacked.items()}
    assert ratios["W-TinyLFU"] == pytest.approx(ratios["W-TinyLFU, no attack"], abs=HARDLY)
    assert ratios["LRU"] < ratios["LRU, absences apart"] - 0.08


@claim("The error hurts as long as the outage lasts. The absence hurts for up to the negative TTL longer")
def hurts_longer(outage: Any) -> None:
    """The last error comes within the outage; the last absence long after it, and at most 10 s after."""
    lasts = []
    for swallows, result in ((False, "error"), (True, "absent")):
        hurt = [row.when for row in simulated(outage, swallows).reads if row.result == result]
        lasts.append(max(hurt, default=0))
    assert 11 < lasts[0] < 12
    assert 16 < lasts[1] < 22
