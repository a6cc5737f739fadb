"""Exercise 14.2: for the same readers on one process and on four, the smallest store that meets the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, Wrong
from cachelab.lab.exercises.plan import read_plan, real, whole
from cachelab.lab.text import evidence_table
from cachelab.lab.traffic.smallest_site import STORES, origin_load

__all__ = ["EXERCISE"]

SITES = {"one process": 1, "four processes": 4}
MAX_LOAD, MAX_TTL_S = 35.0, 20.0
MOST_ENTRIES = {"nothing": 1, "memory": 300, "redis": 1_000}


def _choice(site: str, given: Any) -> tuple[str, int, float]:
    """The store, the entries and the TTL that were chosen for a site."""
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 3:
        words = f'For {site}, give three things in a tuple: the store, the entries and the TTL: ("memory", 50, 5).'
        raise Wrong(words, f"it is {given!r:.60}")
    store, entries, ttl = given[0], whole(given[1]), real(given[2])
    if not isinstance(store, str) or store not in STORES:
        raise Wrong(f"For {site}, the store is one of {', '.join(map(repr, STORES))}.", f"it is {store!r:.60}")
    if store == "nothing":
        return store, 1, MAX_TTL_S
    if entries is None or entries < 1:
        raise Wrong(f"For {site}, the entries are a whole number of at least 1.", f"it is {given[1]!r:.60}")
    if ttl is None or not ttl > 0:
        raise Wrong(f"For {site}, the TTL is a number of seconds above 0.", f"it is {given[2]!r:.60}")
    return store, entries, ttl


def _misconception(processes: int, store: str, entries: int, ttl: float) -> str:
    """The words for a choice that does not meet the numbers, or is not the smallest; "" for the right one."""
    if ttl >= 1_000:
        return "A TTL is in seconds here."
    if ttl > MAX_TTL_S:
        return "Entries get too old: without a delete, an answer may be as old as the TTL."
    if entries > MOST_ENTRIES[store]:
        return "More entries than there is room for."
    if origin_load(processes, store, entries, ttl) > MAX_LOAD:
        return _too_much(processes, store, entries, ttl)
    smaller = STORES[: STORES.index(store)]
    if any(origin_load(processes, one, MOST_ENTRIES[one], MAX_TTL_S) <= MAX_LOAD for one in smaller):
        return "It meets the numbers, but a smaller store does, too."
    return ""


def _too_much(processes: int, store: str, entries: int, ttl: float) -> str:
    """Why the origin gets too much."""
    most = MOST_ENTRIES[store]
    if store == "nothing":
        return "Without a cache each read is a query."
    if origin_load(processes, store, most, MAX_TTL_S) > MAX_LOAD:
        return "Each process misses for itself what another one has loaded. More room does not help."
    if origin_load(processes, store, most, ttl) > MAX_LOAD:
        return "The TTL is too short: entries expire before they are read again."
    return "There is too little room: entries are evicted that would have been read again."


def _examine(plan: Any) -> str:
    """Replay the readers of both sites on what was chosen for them."""
    given = read_plan(plan, list(SITES), 'put a tuple in place of each ..., such as ("memory", 50, 5).')
    loads = []
    for (site, processes), one in zip(SITES.items(), given, strict=True):
        store, entries, ttl = _choice(site, one)
        load = origin_load(processes, store, entries, min(ttl, 10 * MAX_TTL_S))
        if words := _misconception(processes, store, entries, ttl):
            rows: list[list[object]] = [
                ["queries a second", f"{load:.1f}", f"at most {MAX_LOAD:g}"],
                ["oldest answer", f"{ttl:g} s", f"at most {MAX_TTL_S:g} s"],
                ["entries", entries, f"at most {MOST_ENTRIES[store]:,}"],
            ]
            raise Wrong(f"For {site}: {words}", evidence_table([f"{site}, {store!r}", "here", "target"], rows))
        loads.append(f"{load:.1f}")
    return f"The origin gets {' and '.join(loads)} queries a second, and nothing smaller would do."


EXERCISE = Exercise(
    _examine,
    [
        "Begin with the TTL: what does the oldest answer allow?",
        'Then try "memory" with all the entries that are allowed, for each site, in lab.origin_load.',
        "One process needs no Redis. With four, each memory sees a quarter of the reads.",
    ],
)
