"""Chapter 12: what it says of copies in four nodes, of a bus, and of messages that get lost, under random traffic."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("12")

LATER_S = 0.03
"""A load and some round trips: so much later than its TTL says a copy may begin, and end."""


@claim("Node 1 writes; the others give the old answer until their copies expire")
def until_their_copies_expire(run_fleet: Any, one_user: Any) -> None:
    """Node 1 gives none; each other node gives some, all of them in one piece, which its next fetch ends."""
    run = simulated(run_fleet, one_user(10, 2))
    for node in range(4):
        rows = [row for row in run.reads if row.node == node]
        old = [row for row in rows if row.stale_s > 0]
        assert bool(old) == (node > 0)
        if old:
            copied = max(row.when for row in rows if row.latency_s > 0 and row.when < old[0].when)
            assert old[-1].when <= copied + 5 + LATER_S
            assert not [row for row in rows if row.when > old[-1].when and row.stale_s > 0]


@claim("A copy can be fetched just before the write, so an answer can be out of date by nearly the whole L1 TTL.")
def nearly_the_whole_ttl(runs: Any) -> None:
    """The oldest is in the last tenth of the TTL, and not later than a load after it."""
    assert 4.5 < runs[5, "no bus"].max_stale_s <= 5 + LATER_S


@claim("16 of 3,971: four nodes, each once in each of four TTLs.")
def once_in_each_ttl(asked: Any) -> None:
    """However the reads come."""
    assert asked == 16


@claim("A copy that lives for 60 s is old most of the time: 63.65% of the answers")
def old_most_of_the_time(runs: Any) -> None:
    """More than half of the answers."""
    assert runs[60, "no bus"].stale_share > 0.5


@claim("With a TTL of 5 s it is 31.95%.")
def three_of_ten(runs: Any) -> None:
    """About three of ten."""
    assert runs[5, "no bus"].stale_share == pytest.approx(0.3, abs=0.06)


@claim("With the bus 0.07% are left, out of date by 2 ms at most")
def hardly_any_with_the_bus(runs: Any) -> None:
    """Two in a thousand at most, by a load and some round trips at most."""
    assert runs[5, "none lost"].stale_share < 0.002
    assert runs[5, "none lost"].max_stale_s < LATER_S


@claim("With one message in ten lost, old answers fall from 31.95% to 2.57%.")
def far_fewer(runs: Any) -> None:
    """To a fifth at most, and not to so few as without a loss."""
    without, lossy, whole = (runs[5, name].stale_share for name in ("no bus", "1 in 10 lost", "none lost"))
    assert 5 * whole < lossy < 0.2 * without


@claim("But the oldest is out of date by 4.8 s, nearly as much as without a bus.")
def nearly_as_old(runs: Any) -> None:
    """Seven tenths of it at least."""
    assert runs[5, "1 in 10 lost"].max_stale_s > 0.7 * runs[5, "no bus"].max_stale_s


@claim("The bus makes old answers rare; the L1 TTL limits how old they get")
def rare_and_limited(runs: Any) -> None:
    """With each TTL fewer messages lost are fewer old answers, and none is older than the TTL and a load."""
    for ttl in (60, 5, 1):
        results = [runs[ttl, name] for name in ("no bus", "1 in 10 lost", "1 in 100 lost", "none lost")]
        shares = [result.stale_share for result in results]
        assert shares == sorted(shares, reverse=True)
        assert max(result.max_stale_s for result in results) <= ttl + LATER_S


@claim("With this `flush` the old answers end 1.9 s after the write. Without it they go on until the TTL ends.")
def the_flush_ends_them(forgets: Any, keeps: Any) -> None:
    """Soon after the deaf seconds; without the flush there are some in the last second of the run."""
    assert 1.5 < forgets.max_stale_s < 2.2
    assert max(row.when for row in keeps.reads if row.stale_s > 0) > 11


@claim("The share of old answers grows with the L1 TTL as the formula says")
def as_the_formula_says(no_bus: Any, ttls: Any, share_of_old: Any) -> None:
    """Within a fifth."""
    assert [run.stale_share for run in no_bus] == pytest.approx([share_of_old(ttl) for ttl in ttls], rel=0.2)


@claim("L1 does, since it takes most from the keys that are read most.")
def takes_most_from_the_busiest(uneven: Any, run_fleet: Any, on_each_node: Any) -> None:
    """The busiest node of the cluster has more than half of all reads without L1, and less than half with it."""
    rows = simulated(run_fleet, uneven).reads
    for reads, is_more in ((rows, True), ([row for row in rows if row.outcome == "miss"], False)):
        counts = [int(count.replace(",", "")) for count in on_each_node(reads).values()]
        assert (max(counts) > sum(counts) / 2) == is_more
