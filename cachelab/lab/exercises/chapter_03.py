"""Chapter 3: a TTL cache that is copied everywhere, and a size for a trace and a budget; SIEVE has its own module."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cachelab.eviction import OPT, Policy, count_hits, lru_curve
from cachelab.lab.exercises.checking import Exercise, NotYet, Wrong
from cachelab.lab.exercises.sieve import examine_sieve
from cachelab.lab.exercises.ttl_cache import LOAD_S, TTL_S, Step, examine_ttl_cache, origin_says
from cachelab.lab.keys.synthetic import scan_trace
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISES"]

ROOMY, TIGHT = 1_000, 3


def _play_now(make: Any, script: list[Step], size: int = ROOMY) -> list[tuple[str, int]]:
    """As for an async class, on a clock that only the script and the loads move."""
    now = 0.0
    loads: Counter[int] = Counter()

    def load(key: int) -> str | None:
        nonlocal now
        loads[key] += 1
        now += LOAD_S
        return origin_says(key, loads[key])

    cache = make(load, TTL_S, size, lambda: now)
    seen = []
    for when, _, key in script:
        now = max(now, when)
        try:
            answer = repr(cache.get(key))
        except ConnectionError as error:
            answer = f"ConnectionError: {error}"
        seen.append((answer, loads.total()))
    return seen


def _examine_copied(make: Any) -> str:
    said = examine_ttl_cache(make, deletes=False, play=_play_now)
    instant: list[Step] = [(0.0, "get", 1), (LOAD_S + TTL_S, "get", 1)]
    if _play_now(make, instant)[-1][1] == 1:
        words = "At the very instant at which it expires an entry is gone: served for less than ttl seconds."
        raise Wrong(words, f"loaded at {LOAD_S:g} s, TTL {TTL_S:g} s, and still served at {LOAD_S + TTL_S:g} s")
    twice: list[Step] = [(0.1 * n, "get", 100 + n % 10) for n in range(20)]
    hits = 20 - _play_now(make, twice, TIGHT)[-1][1]
    if hits > TIGHT:
        words = "The bound is gone: it grows with every key that anybody ever asks for. lru_cache had one."
        raise Wrong(words, f"size {TIGHT}; ten keys, each asked for twice: {hits} hits, so it holds more than {TIGHT}.")
    again: list[Step] = [(0.1 * n, "get", 100 + n % TIGHT) for n in range(9)]
    loads = _play_now(make, again, TIGHT)[-1][1]
    if loads > TIGHT:
        words = "It holds fewer entries than it has room for."
        raise Wrong(words, f"size {TIGHT}; {TIGHT} keys, each asked for three times: {loads} loads instead of {TIGHT}.")
    full: list[Step] = [(0.1 * n, "get", key) for n, key in enumerate([1, 2, 3, 4, 4, 3, 2])]
    lost = _play_now(make, full, TIGHT)[-1][1] - 4
    if lost > 1:
        words = "When one entry has to leave, all of them do. One is enough: which one is up to you."
        raise Wrong(words, f"size {TIGHT}; after keys 1, 2, 3 and 4, {lost} of 4, 3, 2 had to be loaded again.")
    return f"{said} And it holds {TIGHT} where {TIGHT} is the size."


TRACE = {"requests": 30_000, "keys": 2_000, "seed": 7}
PER_S, MAX_LOAD, ENTRY_KB, BUDGET_KB = 200, 100, 2, 400


def _load(policy: Any, entries: int) -> float:
    return PER_S * count_hits(policy(entries), scan_trace(**TRACE)).miss_ratio


def _fewer(policy: Any, entries: int) -> int:
    """A smaller size that keeps the origin below its limit, too, down by steps of 3 %; `entries` if there is none."""
    found = entries
    for smaller in range(entries - 1, entries // 2, -max(1, entries // 33)):
        if _load(policy, smaller) <= MAX_LOAD:
            found = smaller
    return found


def _examine_size(plan: Any) -> str:
    policy, entries = (plan.get("policy"), plan.get("entries")) if isinstance(plan, dict) else (None, None)
    if isinstance(entries, float) and entries.is_integer():
        entries = int(entries)
    if policy in (None, ...) or not isinstance(entries, int):
        raise NotYet("put a policy of cachelab.eviction and a whole number of entries in place of the two ...")
    if policy is OPT:
        raise Wrong("OPT knows the future; your service does not.", "OPT is the yardstick, not a candidate.")
    if not (isinstance(policy, type) and issubclass(policy, Policy)) or entries < 1:
        raise Wrong("The policy is a class of cachelab.eviction, the size a whole number of at least 1.", f"{plan!r}")
    load, size_kb = _load(policy, entries), entries * ENTRY_KB
    rows = [
        ["origin load", f"{load:.1f}/s", f"at most {MAX_LOAD}/s"],
        ["memory", f"{size_kb} kB", f"at most {BUDGET_KB} kB"],
    ]
    evidence = evidence_table([f"{policy.__name__}, {entries} entries", "measured", "target"], rows)
    if size_kb > BUDGET_KB:
        unit = " An entry has 2 kB: count again." if entries <= BUDGET_KB else ""
        raise Wrong(f"More memory than the budget.{unit}", evidence)
    if load > MAX_LOAD and _load(policy, BUDGET_KB // ENTRY_KB) <= MAX_LOAD:
        raise Wrong("The right policy, and too little room: the budget has more.", evidence)
    if load > MAX_LOAD:
        words = f"{policy.__name__} does not get there with the whole budget, either: scans push out what is popular."
        ratios = lru_curve(scan_trace(**TRACE), range(1, TRACE["keys"]))
        lru = next(size for size, ratio in enumerate(ratios, 1) if PER_S * ratio <= MAX_LOAD)
        more = f" It would need {lru} entries." if policy.__name__ == "LRU" else ""
        raise Wrong(f"{words}{more} Change who leaves, not how many stay.", evidence)
    fewer = _fewer(policy, entries)
    spare = f"{fewer} entries do it, too" if fewer < entries else "and hardly an entry too many"
    return f"Origin {load:.1f}/s with {size_kb} kB: inside the target; {spare}."


EXERCISES = {
    "4.1": Exercise(
        examine_sieve,
        [
            "Three changes: what a hit does, what a hand is, and what evict does on its way.",
            "A hit puts the key into a set. evict moves the hand: who is in the set leaves it and stays in the queue.",
            "After queue.pop(hand) the hand already points at the next newer key; past the newest it goes back to 0.",
        ],
    ),
    "3.2": Exercise(
        _examine_copied,
        [
            "Load one key at second 0 and another at second 9, with a TTL of 10 s. When does each of them leave?",
            "Each entry needs a moment of its own: keep (value, expires), and look at the clock when you read it.",
            "An OrderedDict has both: move_to_end(key) on a hit, popitem(last=False) when it is over its size.",
        ],
    ),
    "4.2": Exercise(
        _examine_size,
        [
            "From kB to entries first: how many entries of 2 kB does the budget hold?",
            "Look at the panel `with scans`: which policies lie close to OPT there?",
            "LFU, SIEVE, S3FIFO or WTinyLFU with 200 entries; then see how many fewer will do.",
        ],
    ),
}
