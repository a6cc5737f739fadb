"""The eight items of the single-flight exam: each a short script that lets one thing go wrong.

A script plays on a stage, raises `Fails` with a sentence for what it saw, or `NotApplicable` if it cannot judge, and
returns a sentence for what was right. Each item judges its own thing only: a subject that never shares a load fails
item 1, not all eight.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from cachelab.lab.flight_exam.forgetting import newer, nothing_left, stale
from cachelab.lab.flight_exam.sharing import answer_none, crowd, failing, first_leaves, follower_leaves
from cachelab.lab.flight_exam.stage import Stage

__all__ = ["ITEMS", "Item"]

Script: TypeAlias = Callable[[Stage], Coroutine[Any, Any, str]]


@dataclass(frozen=True)
class Item:
    """One question of the exam."""

    number: int
    asks: str
    script: Script


ITEMS = [
    Item(1, "many callers, one load", crowd),
    Item(2, "the load fails", failing),
    Item(3, "its first caller leaves", first_leaves),
    Item(4, "a follower leaves", follower_leaves),
    Item(5, "the answer is None", answer_none),
    Item(6, "a delete during the load", stale),
    Item(7, "an old load's clean-up", newer),
    Item(8, "what its tables keep", nothing_left),
]
