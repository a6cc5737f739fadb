"""The scores of the lab's own plans, from a file: `python -m tests.tools.store_day` writes it, a soak test compares."""

from __future__ import annotations

import json
from importlib.resources import files

from cachelab.lab.day.score import Score

__all__ = ["day_scores"]


def day_scores() -> dict[str, Score]:
    """The scores of `lab.PLANS` and `lab.CHEATS` on the day with the seed 1, by the names of the plans."""
    text = files(__package__).joinpath("scores.json").read_text(encoding="utf-8")
    return {name: Score.read(stored) for name, stored in json.loads(text).items()}
