"""Requests for ids that nobody has."""

import math
from collections import Counter
from typing import Any

import pytest

from cachelab import ABSENT, lab
from cachelab.lab.traffic.unknown_ids import HIGHEST, LOWEST

REQUESTS = lab.unknown_ids(100, 10, 40, nodes=4, seed=3)


def test_they_come_between_start_and_end_in_order() -> None:
    """At random times, in whole microseconds."""
    times = [request.when for request in REQUESTS]
    assert times == sorted(times)
    assert 10 <= times[0] < 10.2 < 39.8 < times[-1] <= 40
    assert all(when == round(when, 6) for when in times)


def test_there_are_as_many_as_the_rate_says() -> None:
    """100 a second for 30 s, within five standard deviations."""
    assert abs(len(REQUESTS) - 3_000) < 5 * math.sqrt(3_000)


def test_each_is_a_read_of_another_id_at_one_of_the_nodes() -> None:
    """No id comes twice, and no node is left out."""
    assert len({request.key for request in REQUESTS}) == len(REQUESTS)
    assert not any(request.write for request in REQUESTS)
    counts = Counter(request.node for request in REQUESTS)
    assert sorted(counts) == [0, 1, 2, 3]
    assert min(counts.values()) > 600


def test_the_database_has_no_such_user() -> None:
    """The answer is `ABSENT`, also for a database with many users."""

    async def scenario() -> list[Any]:
        db = lab.SlowDatabase(users=20_000)
        return [await db.fetch_user(request.key) for request in REQUESTS[:50]]

    assert lab.run(scenario) == [ABSENT] * 50


def test_the_ids_fit_into_64_bits() -> None:
    """Another database would refuse a larger one with an error of its own."""
    assert all(LOWEST <= request.key < HIGHEST < 2**63 for request in REQUESTS)


def test_the_ids_begin_far_above_the_users() -> None:
    """No database of the lab has a thousand million users."""
    assert LOWEST > 10**9


def test_the_same_seed_gives_the_same_requests_and_another_seed_others() -> None:
    """More nodes change neither times nor ids."""
    assert lab.unknown_ids(100, 10, 40, nodes=4, seed=3) == REQUESTS
    assert lab.unknown_ids(100, 10, 40, seed=3) == [request._replace(node=0) for request in REQUESTS]
    other = lab.unknown_ids(100, 10, 40, seed=4)
    assert not {request.key for request in other} & {request.key for request in REQUESTS}


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 1, 2), "a finite rate above 0"),
        ((math.inf, 1, 2), "a finite rate above 0"),
        ((1, 2, 2), "an end after the start"),
        ((1, -1, 2), "an end after the start"),
        ((1, 1, math.inf), "an end after the start"),
    ],
)
def test_numbers_that_make_no_traffic_are_refused(numbers: tuple[float, float, float], words: str) -> None:
    """With a sentence that says what is needed."""
    with pytest.raises(ValueError, match=words):
        lab.unknown_ids(*numbers)


def test_no_node_is_refused() -> None:
    """There is at least one."""
    with pytest.raises(ValueError, match="at least one node"):
        lab.unknown_ids(1, 1, 2, nodes=0)
