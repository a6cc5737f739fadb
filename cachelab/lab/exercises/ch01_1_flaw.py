"""Exercise 1.1: find the flaw of a TTL cache."""

from __future__ import annotations

from typing import Any

from cachelab.lab.exercises.exercise import Exercise
from cachelab.lab.exercises.ttl_cache_examiner import examine_ttl_cache

__all__ = ["EXERCISE"]


def _examine(cache_class: Any) -> str:
    """The mended class, which has no `delete`, on the special cases and on random scripts."""
    return examine_ttl_cache(cache_class, deletes=False)


EXERCISE = Exercise(
    _examine,
    [
        "Follow a key that somebody asks for every second. When is it loaded for the second time?",
        "Which line sets the moment of expiry? Should a read be able to reach it?",
        "Delete the line under `if fresh:` that writes into self.entries.",
    ],
)
