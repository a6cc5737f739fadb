"""Exercise 1.3: write a TTL cache from an empty page."""

from __future__ import annotations

from typing import Any

from cachelab.lab.exercises.exercise import Exercise
from cachelab.lab.exercises.ttl_cache_examiner import examine_ttl_cache

__all__ = ["EXERCISE"]


def _examine(cache_class: Any) -> str:
    """The learner's own class, with `delete`, on the special cases and on random scripts."""
    return examine_ttl_cache(cache_class, deletes=True)


EXERCISE = Exercise(
    _examine,
    [
        "A dict from key to (value, moment of expiry) is all the state you need.",
        "`if key in self.entries` tells a stored None from nothing stored; `.get(key)` does not.",
        "Do not catch the load's error: if `await self.load(key)` raises, the line that stores is not reached.",
    ],
)
