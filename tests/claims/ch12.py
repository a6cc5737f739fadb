"""Chapter 12: what it says of copies in four nodes, of a bus, and of what gets lost, under random traffic."""

from typing import Any

import pytest

from cachelab.lab.sim.simulation import run as simulated
from tests.claims.claim import Chapter

claim = Chapter("12")

LATER_S = 0.03
"""A load and some round trips: by so much an answer is out of date whose reader waited for a load of the old row."""
MOMENT_S = 0.005
"""Some round trips: so long after the commit the delete reaches L2, and a copy from before may still arrive."""


@claim("Node 1 writes; the others are out of date until their copies expire")
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


@claim("A copy can also be fetched just before the delete reaches L2, so an answer can be out of date by the L1 TTL")
def nearly_the_whole_ttl(runs: Any) -> None:
    """The worst is in the last tenth of the TTL, and not later than a moment after it."""
    assert 4.5 < runs[5, "no bus"].max_stale_s <= 5 + MOMENT_S


@claim("16 of 3,971: four nodes, each once in each of the four TTLs in 20 s.")
def once_in_each_ttl(asked: Any) -> None:
    """However the reads come."""
    assert asked == 16


@claim("Without the bus 28.82% of the answers are out of date.")
def a_quarter_without(runs: Any) -> None:
    """About a quarter."""
    assert runs[5, "no bus"].stale_share == pytest.approx(0.27, abs=0.05)


@claim("With the bus 0.04% are left: a single answer, by 1 ms.")
def hardly_any_with_the_bus(runs: Any) -> None:
    """Three in a thousand at most, by a load and some round trips at most; those beyond a round trip were loads."""
    run = runs[5, "none lost"]
    assert run.stale_share < 0.003
    assert run.max_stale_s < LATER_S
    assert all(row.latency_s > 0.01 for row in run.reads if row.stale_s > MOMENT_S)


@claim("With one message in ten lost, the stale answers fall from 28.82% to 2.37%, about a tenth.")
def far_fewer(runs: Any) -> None:
    """To a fifth at most, and not to so few as without a loss."""
    without, lossy, whole = (runs[5, name].stale_share for name in ("no bus", "1 in 10 lost", "none lost"))
    assert 5 * whole < lossy < 0.2 * without


@claim("But one of them is out of date by 4.5 s, nearly as much as without a bus.")
def nearly_as_much(runs: Any) -> None:
    """Six tenths of it at least."""
    assert runs[5, "1 in 10 lost"].max_stale_s > 0.6 * runs[5, "no bus"].max_stale_s


@claim("The bus makes stale answers rare; the L1 TTL limits how stale they can be")
def few_and_limited(runs: Any) -> None:
    """With each TTL fewer messages lost are fewer such answers, and none is beyond the TTL and a moment.

    A reader that waits for a load gets its answer late, too, but has no copy: that is not beyond any of these TTLs.
    """
    for ttl in (5, 1):
        results = [runs[ttl, name] for name in ("no bus", "1 in 10 lost", "1 in 100 lost", "none lost")]
        shares = [result.stale_share for result in results]
        assert shares == sorted(shares, reverse=True)
        assert shares[1] < 0.2 * shares[0]
        assert max(result.max_stale_s for result in results) <= ttl + MOMENT_S


@claim("So no answer is out of date after 4.1 s, 1.9 s after the write. With `SmallBus` it takes until the TTL ends")
def forgetting_ends_them(forgets: Any, keeps: Any) -> None:
    """Soon after the nodes have subscribed again; without that, about when the copies have an age of 8 s."""
    assert 1.5 < forgets.max_stale_s < 1.9
    assert 3.9 < max(row.when for row in forgets.reads if row.stale_s > 0) < 4.11
    assert 8.0 < max(row.when for row in keeps.reads if row.stale_s > 0) < 9.0


@claim("L2 has kept the old value, and fills each L1 with it again until its own 60 s end, 59.0 s after the write.")
def as_long_as_l2_keeps_it(without_delete: Any) -> None:
    """From the write, at 1 s, until 60 s after the first load, and not as long as a TTL of L1 after that."""
    assert 58.5 < without_delete.max_stale_s < 59.5


@claim("In the second after the break 57 reads reach L2, and 26 in the one before.")
def a_flush_costs_reads(flushed: Any) -> None:
    """More than half as many again as in any of the ten seconds before, and at most one for each copy and miss."""
    counts = [sum(row.outcome == "miss" and int(row.when) == second for row in flushed.reads) for second in range(24)]
    assert 1.5 * max(counts[10:20]) < counts[20] <= 80


@claim("Runs as short as these lie within a quarter of it.")
def as_the_formula_says(no_bus: Any, ttls: Any, share_out_of_date: Any) -> None:
    """Each of the four runs."""
    expected = [share_out_of_date(ttl) for ttl in ttls]
    assert [run.stale_share for run in no_bus] == pytest.approx(expected, rel=0.25)


@claim("L1 does, since it takes most from the keys that are read most.")
def takes_most_from_the_busiest(uneven: Any, run_fleet: Any, on_each_shard: Any) -> None:
    """The busiest shard of the cluster has more than half of all reads without L1, and less than half with it."""
    rows = simulated(run_fleet, uneven).reads
    for reads, is_more in ((rows, True), ([row for row in rows if row.outcome == "miss"], False)):
        counts = [int(count.replace(",", "")) for count in on_each_shard(reads).values()]
        assert (max(counts) > sum(counts) / 2) == is_more
