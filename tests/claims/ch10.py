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
    """The users' hit ratio from 10 s on, as in the chapter's tables."""
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


@claim("It takes 0.1 s, so there are about ten a second. With the negative TTL there is one each 10 s, 2 in all.")
def one_at_a_time(one: Any, USERS: int) -> None:  # noqa: N803
    """Ten a second or nearly so; the attack of 20 s has two or three times 10 s."""
    assert 185 <= unknown(one["a flight"], USERS) <= 200
    assert 2 <= unknown(one["negative TTL 10 s"], USERS) <= 3


@claim("So negative caching even costs queries: 1214 for users, up from 995.")
def costs_some(runs: Any, USERS: int, saved: int) -> None:  # noqa: N803
    """Each unknown id is a query, with and without; there are at least a hundred queries more for users."""
    assert saved == 0
    assert len(runs["negative TTL"].queries) > len(runs["nothing"].queries) + 100


@claim("The users' hit ratio (from 10 s on) falls from 0.669 to 0.556")
def the_hit_ratio_falls(runs: Any, USERS: int) -> None:  # noqa: N803
    """By about a tenth."""
    assert 0.08 < hit_ratio(runs["nothing"], USERS) - hit_ratio(runs["negative TTL"], USERS) < 0.15


@claim("No id comes twice, so nobody asks again for an absence that is in the cache.")
def no_id_comes_twice(random_ids: Any) -> None:
    """They are drawn from so many."""
    assert len({request.key for request in random_ids}) == len(random_ids)


@claim("They are the false positives, about one in a hundred.")
def one_in_a_hundred(runs: Any, random_ids: Any, USERS: int) -> None:  # noqa: N803
    """Within five standard errors."""
    for name in ("filter, ABSENT", "filter"):
        assert unknown(runs[name], USERS) == pytest.approx(
            len(random_ids) / 100, abs=5 * (len(random_ids) / 100) ** 0.5
        )


@claim("But with a plain `ABSENT` the users lose their hits all the same")
def its_no_is_kept(runs: Any, USERS: int) -> None:  # noqa: N803
    """As with the negative TTL alone; with `NOT_KEPT` as without protection."""
    ratios = {name: hit_ratio(run, USERS) for name, run in runs.items()}
    assert ratios["filter, ABSENT"] == pytest.approx(ratios["negative TTL"], abs=HARDLY)
    assert ratios["filter"] == pytest.approx(ratios["nothing"], abs=HARDLY)


@claim("Negative caching makes the line longer, since the users miss more often. With the filter there is no line.")
def the_line(attacks: Any, USERS: int) -> None:  # noqa: N803
    """At 300 a second somebody waits ten seconds or more, except with the filter."""
    waits = {name: longest_wait(run, USERS) for name, run in attacks[300].items()}
    assert waits["negative TTL"] > waits["nothing"] + 0.5 > 10
    assert waits["filter"] < 0.15


@claim("At 100 a second hardly anybody waits: only the hit ratio shows the attack.")
def hardly_anybody_waits(attacks: Any, USERS: int) -> None:  # noqa: N803
    """A hundredth of the reads at most takes longer than a query and a little more."""
    for run in attacks[100].values():
        reads = [row for row in run.reads if row.key <= USERS]
        assert sum(row.latency_s > 0.15 for row in reads) < 0.01 * len(reads)


@claim("Only the filter keeps unknown ids away from the database, and the users' entries in the cache")
def only_the_filter(attacks: Any, USERS: int) -> None:  # noqa: N803
    """With 300 a second, too."""
    ratios = {name: hit_ratio(run, USERS) for name, run in attacks[300].items()}
    assert ratios["negative TTL"] < ratios["nothing"] - 0.1
    assert ratios["filter"] == pytest.approx(ratios["nothing"], abs=HARDLY)
    counts = {name: unknown(run, USERS) for name, run in attacks[300].items()}
    assert counts["filter"] < 0.02 * counts["nothing"] == 0.02 * counts["negative TTL"]


def wrong(said: str) -> tuple[int, int]:
    """How many reads are told "not found", and of how many, in a line such as "3 of 297 are told …"."""
    count, _, reads, *_ = said.split()
    return int(count), int(reads)


@claim('Nearly all are told "not found", until the negative TTL ends.')
def nearly_all(with_negative_ttl: Any, told: Any) -> None:
    """More than nine in ten; with the delete nobody."""
    count, reads = wrong(told(simulated(with_negative_ttl, False)))
    assert count > 0.9 * reads > 200
    assert wrong(told(simulated(with_negative_ttl, True)))[0] == 0


@claim("A filter that was not told of a new user denies that there is one")
def who_is_told(tellings: Any, told: Any, sign_ups: Any) -> None:
    """All but a false positive here and there, three pods of four, and nobody in two ways."""
    shares = []
    for way in tellings.values():
        count, reads = wrong(told(simulated(way, sign_ups(4))))
        shares.append(count / reads)
    nobody, own, everywhere, newer = shares
    assert nobody > 0.9
    assert 0.6 < own < 0.85
    assert everywhere == newer == 0


@claim("W-TinyLFU counts how often each key is asked for")
def immune(attacked: Any, USERS: int) -> None:  # noqa: N803
    """Its hit ratio hardly changes, nor that of LRU with the absences in a store of their own; LRU's falls."""
    ratios = {name: hit_ratio(run, USERS) for name, run in attacked.items()}
    assert ratios["W-TinyLFU"] == pytest.approx(ratios["W-TinyLFU, no attack"], abs=HARDLY)
    assert ratios["LRU, absences apart"] == pytest.approx(ratios["LRU, no attack"], abs=HARDLY)
    assert ratios["LRU"] < ratios["LRU, no attack"] - 0.08


@claim("The error hurts as long as the outage lasts. The absence hurts for up to the negative TTL more")
def hurts_longer(outage: Any) -> None:
    """The last error comes within the outage; the last absence long after it, and at most 10 s after."""
    lasts = []
    for swallows, result in ((False, "error"), (True, "absent")):
        lasts.append(max(row.when for row in simulated(outage, swallows).reads if row.result == result))
    assert 11 < lasts[0] < 12
    assert 16 < lasts[1] < 22
