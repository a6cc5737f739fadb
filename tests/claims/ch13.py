"""Chapter 13: what it says of outages of Redis, of a flush under load, and of what brings the site back."""

from math import inf
from typing import Any

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("13")


def waits(run: Any) -> list[float]:
    """The waits of the reads of the outage in seconds, the shortest first."""
    return sorted(row.latency_s for row in run.reads if 5 <= row.when < 10)


def typical(run: Any) -> float:
    """The median of them."""
    found = waits(run)
    return found[len(found) // 2]


@claim("While Redis hangs, a read waits for the time-out and then for the database")
def time_out_and_load(hangs: Any) -> None:
    """The longest wait for 0.1 s and 0.05 s; half of them for longer than the time-out alone. Nobody gets an error."""
    assert 0.149 < waits(hangs)[-1] < 0.152
    assert typical(hangs) > 0.1
    assert hangs.error_share == 0


@claim("The breaker saves time if Redis hangs: a typical read waits for 50 ms in place of 122 ms")
def saves_time(outages: Any) -> None:
    """At most the limit is added to a load; with a Redis that refuses there are 2 ms to save at most."""
    hung, guarded = outages["hangs", "nothing"], outages["hangs", "a breaker"]
    assert typical(guarded) < 0.052 < 0.1 < typical(hung)
    assert waits(guarded)[-1] < 0.102
    assert typical(outages["refuses", "nothing"]) - typical(outages["refuses", "a breaker"]) < 0.002


@claim("It never saves a query.")
def saves_no_query(outages: Any, during: Any) -> None:
    """As many as without it, to one in ten, whether Redis refuses or hangs, and far more if it is only slow."""
    for fault in ("refuses", "hangs"):
        without, guarded = (during(outages[fault, way])["queries/s"] for way in ("nothing", "a breaker"))
        assert 0.9 * without <= guarded <= 1.1 * without + 1


@claim("The slow Redis answered everything in 81 ms, and the database got 0 queries.")
def slow_becomes_dead(outages: Any, during: Any) -> None:
    """The median of the waits is a round trip, and with the breaker nearly every read is a query."""
    without, guarded = outages["is slow", "nothing"], outages["is slow", "a breaker"]
    assert 0.08 < typical(without) < 0.083
    assert during(without)["queries/s"] == 0
    assert during(guarded)["queries/s"] > 25


@claim("It saves two thirds of the queries: 11 a second are left of 35. And with stale answers nobody waits")
def l1_helps(outages: Any, during: Any) -> None:
    """More than half of them, and not one read waits for a millisecond; each is answered."""
    for fault in ("refuses", "hangs", "is slow"):
        with_l1 = outages[fault, "L1, stale answers"]
        assert waits(with_l1)[-1] < 0.001
        assert with_l1.error_share == 0
        if fault != "is slow":
            assert during(with_l1)["queries/s"] < 0.5 * during(outages[fault, "nothing"])["queries/s"]


@claim("In the 5 s after the outage 24.9% of the answers are out of date")
def old_values(returned: Any) -> None:
    """Without further tries some, also at the end. With them fewer than half as many, and soon after it none is old."""
    after = {again: [row for row in run.reads if row.when >= 10] for again, run in returned.items()}
    old = {again: [row for row in rows if row.stale_s > 0] for again, rows in after.items()}
    assert len(old[False]) > 0.02 * len(after[False])
    assert len(old[True]) < 0.5 * len(old[False])
    assert max(row.when for row in old[False]) > 13.5
    assert [row for row in old[True] if row.when > 11.1 and row.stale_s > 0.2] == []


@claim("After one flush the site does not come back")
def does_not_come_back(plain: Any) -> None:
    """Everybody is answered before it, and fewer than half after it."""
    assert plain.answered_share(0, 5) > 0.99
    assert plain.back_after_s(5) == inf
    assert plain.answered_share(10, 40) < 0.5


@claim("When these expire, after a minute, nobody gets an answer any more.")
def nobody_in_the_end(site: Any, PROFILES: Any, lab: Any) -> None:  # noqa: N803 (a name of the notebook)
    """From a minute after the flush on one in fifty at most, with the same traffic for longer."""
    longer = lab.Workload(rate=200, seconds=80, keys=PROFILES, seed=3)
    assert simulated(lambda: site(requests=longer)).answered_share(70, 80) < 0.02


@claim("From 10 s to 40 s it does 1,200 queries, and 0 of them answer a user.")
def all_work_is_thrown_away(queries: Any, served: Any) -> None:
    """The database is never idle, and one query in fifty at most is good for a user."""
    assert 0.97 * 40 * 30 < queries <= 40 * 30
    assert served < 0.02 * queries


@claim("The site comes back if work is not thrown away")
def comes_back(cures: Any) -> None:
    """With the flight within 30 s, and with the bulkhead within 20 s and sooner."""
    flight, bulkhead = (run.back_after_s(5) for run in cures.values())
    assert 15 < flight <= 30
    assert bulkhead <= 20
    assert bulkhead < flight


@claim("With 16 places in the line the site comes back, with one more it does not")
def a_cliff(lines: Any) -> None:
    """Also with half as many places it comes back."""
    back = {waiting: run.back_after_s(5) for waiting, run in lines.items()}
    assert max(back[8], back[16]) <= 20
    assert back[17] == inf


@claim("With the flight alone the harm outlasts the attack: all 750 queries are made")
def harm_outlasts(attacks: Any, answered: Any) -> None:
    """With the flight more real users get no answer after the attack than with anything else, where all do."""
    nobody = {name: sum(query.key > 2_000 for query in run.queries) for name, run in attacks.items()}
    after = {name: answered(run, 10, 30) for name, run in attacks.items()}
    assert nobody["Flight"] == 750
    assert after["Flight"] < 0.95
    for other in ("nothing", "Flight, bulkhead under it"):
        assert nobody[other] < 0.5 * 750
        assert after[other] > 0.99


@claim("so the breaker never opens.")
def orders_differ(dead_calls: Any, orders: Any) -> None:
    """Each wrong order lets at least twice as many calls through as the right one, the third most."""
    right, breaker_outside, limit_outside = (simulated(dead_calls, guarded) for guarded in orders.values())
    assert 2 * right <= breaker_outside < limit_outside


@claim("A breaker with a limit helps, but less than the cures.")
def more_cures(shares: Any) -> None:
    """What throws work away answers fewer than half of the users; the ranking of the others is the same each time."""
    thrown_away = ["one attempt each", "a flight that ends with its caller", "Flight, and a limit of 0.5 s for a load"]
    assert max(shares[name] for name in [*thrown_away, "nothing"]) < 0.5
    breaker, flight = shares["a breaker, and a limit of 0.4 s"], shares["Flight"]
    best = min(shares["a bulkhead, last come first served, 100 wait"], shares["Flight and bulkhead, 16 wait"])
    assert 0.5 < breaker < flight < best
    assert best > 0.9
