"""Exercise 12.2: a size and a TTL of L1 for limits on answers out of date, on memory and on the reads of L2."""

from __future__ import annotations

import textwrap
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real, whole
from cachelab.lab.text import PAGE, evidence_table
from cachelab.lab.traffic.l1_site import L2_TTL_S, TENTH, run_site

__all__ = ["EXERCISE"]

DELAY_S = 0.02
"""The exercise says so: a delete reaches L2 this long after the commit, at the latest."""
MAX_OUT_OF_DATE_S, MAX_READS, MAX_ENTRIES = 5.0, 175.0, 150


def _numbers(plan: Any) -> tuple[int, float]:
    """Size and TTL of a plan. Any kind of number will do."""
    given_entries, given_ttl = read_plan(
        plan, ["entries", "l1_ttl"], "put numbers in place of the two ..., a whole number of entries and seconds."
    )
    entries, ttl = whole(given_entries), real(given_ttl)
    if entries is None or entries < 1:
        raise Wrong("entries has to be a whole number of at least 1.", f"it is {given_entries!r:.60}")
    if ttl is None or not ttl > 0:
        raise Wrong("l1_ttl has to be a number of seconds above 0.", f"it is {given_ttl!r:.60}")
    return entries, ttl


def _worst_answer(entries: int, ttl: float) -> str:
    """How an answer gets too far out of date: as a rule the worst of a run in which the bus loses everything."""
    if ttl <= MAX_OUT_OF_DATE_S:
        return (
            "At 0 ms the write commits. At 19 ms a node reads the old value in L2. At 20 ms the delete arrives there; "
            f"the message is lost. So the node may give the old value until {ttl + DELAY_S:.2f} s."
        )
    worst = max(run_site(entries, ttl, lost=1.0).result.reads, key=lambda row: row.stale_s)
    written = worst.when + worst.latency_s - worst.stale_s
    return (
        f"With all messages lost: user {worst.key} was written at {written:.2f} s, and at {worst.when:.2f} s node "
        f"{worst.node + 1} still gave the value from before, out of date by {worst.stale_s:.2f} s."
    )


def _misconception(entries: int, ttl: float, reads: float) -> str:
    """The words for a plan outside the target, or "" for one inside."""
    if ttl >= 1_000:
        return "A TTL is in seconds. With this one, L1 keeps a copy for as long as L2 does."
    if ttl > MAX_OUT_OF_DATE_S:
        return "Too long: a node that misses the message gives the old value until its copy expires."
    if ttl + DELAY_S > MAX_OUT_OF_DATE_S:
        return (
            "Very nearly. But the delete reaches L2 up to 20 ms after the commit, and a copy that is fetched just "
            "before that begins its TTL only then."
        )
    if entries > MAX_ENTRIES:
        return "More memory than the budget. Past the keys that a node reads within one TTL it buys nothing."
    if reads > MAX_READS and run_site(entries, MAX_OUT_OF_DATE_S, TENTH).reads > MAX_READS:
        return "Too small: even with a TTL of 5 s, entries are evicted that would have been read again."
    if reads > MAX_READS:
        return "Too short: entries expire before they are read again, and L2 does the work."
    return ""


def _examine(plan: Any) -> str:
    """Run the site with the learner's size and TTL, and compare with the target."""
    entries, ttl = _numbers(plan)
    reads = run_site(entries, min(ttl, L2_TTL_S), TENTH).reads
    if words := _misconception(entries, ttl, reads):
        rows: list[list[object]] = [
            ["out of date by, at worst", f"{min(ttl, L2_TTL_S) + DELAY_S:.2f} s", f"at most {MAX_OUT_OF_DATE_S:g} s"],
            ["reads that reach L2", f"{reads:.0f}/s", f"at most {MAX_READS:.0f}/s"],
            ["entries", entries, f"at most {MAX_ENTRIES}"],
        ]
        evidence = evidence_table([f"{entries} entries, l1_ttl {ttl:g} s", "here", "target"], rows)
        if ttl + DELAY_S > MAX_OUT_OF_DATE_S:
            evidence += f"\n\n{textwrap.fill(_worst_answer(entries, ttl), PAGE)}"
        raise Wrong(words, evidence)
    share = run_site(entries, ttl, TENTH).result.stale_share
    return (
        f"{reads:.0f} reads a second reach L2, no answer can be out of date by more than {ttl + DELAY_S:.2f} s, and "
        f"with one message in ten lost {share:.2%} are out of date."
    )


EXERCISE = Exercise(
    _examine,
    [
        "First the limit on answers out of date: which of the two numbers decides it, if no message arrives?",
        "Then the size: with that TTL in lab.l2_reads, how few entries are enough?",
        "Between 3.6 and 4.9 seconds, with all 150 entries.",
    ],
)
