"""The numbers that a learner gives, alone or in a plan. Those of NumPy, fractions and decimals are numbers, too."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from cachelab.lab.exercises.exercise import NotYet, Wrong

__all__ = ["read_plan", "real", "whole"]


def real(value: object) -> float | None:
    """The number that `value` is, whatever its type; None if it is none. True and False are no numbers here."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    return float(value)


def whole(value: object) -> int | None:
    """The whole number that `value` is, whatever its type; None if it is none: 6, 6.0, but not 6.5."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    number = real(value)
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None


def read_plan(plan: Any, names: Sequence[str], stub: str) -> list[Any]:
    """What the plan has under these names. `stub` says what to put in place of the `...`.

    Raises `NotYet` if a ... is left, and `Wrong` if the plan is no dict or a name is missing.
    """
    if plan is ... or (isinstance(plan, Mapping) and any(value is ... for value in plan.values())):
        raise NotYet(stub)
    wanted = " and ".join(names)
    if not isinstance(plan, Mapping):
        raise Wrong(f"The plan is a dict with {wanted}.", f"plan is {plan!r:.60}")
    missing = [name for name in names if name not in plan]
    if missing:
        raise Wrong(f"The plan needs {wanted}: {missing[0]} is missing.", f"{dict(plan)!r:.80}")
    return [plan[name] for name in names]
