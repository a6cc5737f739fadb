"""The three tiers of a test that repeats something: few times in the quick tests, all times in the soak tier."""

from typing import Any

import pytest

__all__ = ["LONG_SHARE", "tiers"]

LONG_SHARE = 30
"""The long tests, which the continuous integration runs, do a thirtieth of what the soak tier does."""


def tiers(full: int, *, quick: int | None = None, soak_timeout_s: int) -> list[Any]:
    """For `pytest.mark.parametrize`: `full` repetitions in the soak tier, a thirtieth in the long one, and `quick`."""
    return [
        *([] if quick is None else [quick]),
        pytest.param(-(-full // LONG_SHARE), marks=pytest.mark.long),
        pytest.param(full, marks=[pytest.mark.soak, pytest.mark.timeout(soak_timeout_s)]),
    ]
