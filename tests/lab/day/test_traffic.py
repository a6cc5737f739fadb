"""The traffic of the day: its events are in their hours, and it is the same everywhere."""

import hashlib
from collections import Counter

from cachelab.lab.day.traffic import DAY_S, EVENTS, NODES, SIGN_UPS, USERS, day_requests
from cachelab.lab.traffic.workload import Request

DAY = day_requests()


def hour(request: Request) -> int:
    """The hour of the day in which it comes."""
    return int(request.when / 60)


def test_the_same_seed_gives_the_same_day() -> None:
    """To the microsecond, on every machine; another seed gives another day."""
    text = "".join(f"{r.when:.6f} {r.node} {r.key} {r.write};" for r in DAY)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == "f177e6945fd1"
    assert day_requests(2) != DAY


def test_requests_come_in_order_on_all_nodes() -> None:
    """Within the day."""
    assert sorted(DAY) == DAY
    assert 0 <= DAY[0].when < DAY[-1].when < DAY_S
    assert {request.node for request in DAY} == set(range(NODES))


def test_there_are_more_readers_by_day() -> None:
    """At eleven in the morning five times as many as at one at night."""
    readers = Counter(hour(request) for request in DAY if not request.write)
    assert readers[11] > 4 * readers[1]


def test_the_crowd_asks_for_cold_profiles_at_noon() -> None:
    """The forty least popular users are asked for more often in that half hour than in all others together."""
    cold = [request for request in DAY if USERS - 40 < request.key <= USERS and not request.write]
    start, end = EVENTS["crowd"].seconds
    assert 2 * sum(start <= request.when < end for request in cold) > len(cold)


def test_the_attack_asks_for_ids_that_nobody_has() -> None:
    """Each once, and within its hour."""
    unknown = [request for request in DAY if request.key > USERS + SIGN_UPS]
    assert {hour(request) for request in unknown} == {18}
    assert len({request.key for request in unknown}) == len(unknown) > 1_500


def test_a_new_user_is_asked_for_before_and_after_the_sign_up() -> None:
    """Twice before, by the form, and then by five readers; each signs up once."""
    new = [request for request in DAY if USERS < request.key <= USERS + SIGN_UPS]
    signed_up = {request.key: request.when for request in new if request.write}
    assert len(signed_up) == SIGN_UPS == sum(request.write for request in new)
    before = Counter(r.key for r in new if r.when < signed_up[r.key])
    after = Counter(r.key for r in new if r.when > signed_up[r.key] + 1)
    assert set(before.values()) <= {1, 2}
    assert sum(before.values()) >= 2 * SIGN_UPS - 2
    assert sum(after.values()) >= 5 * SIGN_UPS - 10
