"""Exercise 4.2: a policy and a size for a trace, a TTL and a budget."""

from __future__ import annotations

from bisect import bisect_left
from math import inf
from typing import Any

from cachelab.eviction import LRU, OPT, Policy, count_hits_with_ttl
from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, whole
from cachelab.lab.keys.synthetic import scan_trace
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

TRACE = {"requests": 40_000, "keys": 2_000, "seed": 7}
REQUESTS_PER_S, TTL_S, ENTRY_KB, BUDGET_KB = 200, 20, 2, 400
MAX_LOAD = 0.95 * 115
"""Queries a second: the origin can serve 115, and the site stays 5 % below, the chapter's margin."""


def _origin_load(policy: Any, entries: int, ttl_s: float = TTL_S) -> float:
    """The queries a second that the site's misses make."""
    keys = scan_trace(**TRACE)
    times_s = [number / REQUESTS_PER_S for number in range(len(keys))]
    return REQUESTS_PER_S * count_hits_with_ttl(policy(entries), keys, times_s, ttl_s).miss_ratio


def _smallest_enough(policy: Any, entries: int) -> int:
    """The smallest size that keeps the origin below its limit: from `entries` down to half of it, in steps of 3 %."""
    enough = entries
    for smaller in range(entries - 1, entries // 2, -max(1, entries // 33)):
        if _origin_load(policy, smaller) <= MAX_LOAD:
            enough = smaller
    return enough


def _check_plan(plan: Any) -> tuple[Any, int]:
    """What builds the policy, and the size, if they are ones that the site can run on."""
    policy, given = read_plan(
        plan,
        ["policy", "entries"],
        "put a policy of cachelab.eviction and a whole number of entries in place of the two ...",
    )
    entries = whole(given)
    if entries is None or entries < 1:
        raise Wrong("The size is a whole number of at least 1.", f"entries is {given!r:.60}")
    if not callable(policy):
        words = "The policy is a class of cachelab.eviction, without quotes or parentheses: it is built with your size."
        raise Wrong(words, f"policy is {policy!r:.60}")
    built = None if policy is OPT else policy(entries)
    if policy is OPT or isinstance(built, OPT):
        raise Wrong("OPT knows the future; your service does not.", "OPT is the yardstick, not a candidate.")
    if not isinstance(built, Policy):
        words = "The policy is a class of cachelab.eviction, or a function of the size that builds such a policy."
        raise Wrong(words, f"policy({entries}) is {built!r:.60}")
    if built.bound != entries:
        words = "The policy has room for another number of entries than the plan says."
        raise Wrong(words, f"entries is {entries}, and the policy has room for {built.bound}")
    return policy, entries


def _examine(plan: Any) -> str:
    """Play the trace on the learner's policy and size, and compare origin load and memory with the target."""
    policy, entries = _check_plan(plan)
    name = type(policy(entries)).__name__
    load, size_kb = _origin_load(policy, entries), entries * ENTRY_KB
    rows = [
        ["origin load", f"{load:.2f}/s", f"at most {MAX_LOAD:.2f}/s"],
        ["memory", f"{size_kb} kB", f"at most {BUDGET_KB} kB"],
    ]
    evidence = evidence_table([f"{name}, {entries} entries", "measured", "target"], rows)
    if size_kb > BUDGET_KB:
        unit = " An entry has 2 kB: count again." if entries <= BUDGET_KB else ""
        raise Wrong(f"More memory than the budget.{unit}", evidence)
    if load > MAX_LOAD and (forgetful := _origin_load(policy, entries, inf)) <= MAX_LOAD:
        words = f"It would be enough if nothing expired ({forgetful:.1f}/s). With the TTL more requests miss."
        raise Wrong(f"{words} Replay with ttl_s={TTL_S}.", evidence)
    if load > MAX_LOAD and _origin_load(policy, BUDGET_KB // ENTRY_KB) <= MAX_LOAD:
        raise Wrong("The right policy, and too little room: the budget has more.", evidence)
    if load > MAX_LOAD:
        words = f"{name} does not get there with the whole budget, either: scans push out what is popular."
        if name == LRU.__name__:
            sizes = range(1, TRACE["keys"])
            needed = sizes[bisect_left(sizes, float(-MAX_LOAD), key=lambda size: -_origin_load(LRU, size))]
            words += f" It would need {needed} entries."
        raise Wrong(f"{words} Change which entries are evicted, not how many there is room for.", evidence)
    enough = _smallest_enough(policy, entries)
    spare = f"{enough} entries do it, too" if enough < entries else "and hardly an entry too many"
    return f"Origin {load:.1f}/s with {size_kb} kB: inside the target; {spare}."


EXERCISE = Exercise(
    _examine,
    [
        "How many entries of 2 kB does the budget hold? Which miss ratio makes 115 queries, less 5 %, of 200 requests?",
        "In the panel `with scans`, which policies lie close to OPT? Replay one of them with times_s and ttl_s.",
        "LFU, SIEVE, S3FIFO or WTinyLFU with 200 entries; then see how many fewer will do.",
    ],
)
