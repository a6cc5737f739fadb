"""The counter-example of exercises 2.1 and 2.2: the steps of one interleaving."""

from __future__ import annotations

from cachelab.lab.sim.races import Interleaving
from cachelab.lab.text import evidence_table

__all__ = ["steps_table"]


def steps_table(interleaving: Interleaving) -> str:
    """The steps of an interleaving as a table, the last one marked."""
    rows = [[step.actor, step.did, step.cached or "empty", step.origin] for step in interleaving.steps]
    return evidence_table(["who", "does", "in the cache", "at the origin"], rows, len(rows) - 1)
