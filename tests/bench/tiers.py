"""A measurement is asserted in two tiers, each with its own bound.

On a machine with other work to do, a ratio may be half as much again as on an idle one. So every change has to pass the
landing bound, in the long tests, which leaves room for that. The soak bound is the tight one. It is tried by hand, on a
machine with nothing else to do (`-m soak`).
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pytest

__all__ = ["Bounds", "bound_in_tiers", "bounds_in_tiers"]

Bounds: TypeAlias = tuple[float, float]
"""The landing bound and the soak bound."""
TIERS = {"landing": pytest.mark.long, "soak": pytest.mark.soak}


def bound_in_tiers(*, landing: float, soak: float) -> pytest.MarkDecorator:
    """Run a test once in each tier, with the `bound` of that tier."""
    bounds = zip(TIERS.items(), (landing, soak), strict=True)
    return pytest.mark.parametrize(
        "bound", [pytest.param(bound, marks=mark, id=tier) for (tier, mark), bound in bounds]
    )


def bounds_in_tiers(name: str, cases: Mapping[Any, Bounds]) -> pytest.MarkDecorator:
    """The same for each case; `name` is the parameter that gets the case."""
    parameters = [
        pytest.param(case, bound, marks=mark, id=f"{case}-{tier}")
        for case, bounds in cases.items()
        for (tier, mark), bound in zip(TIERS.items(), bounds, strict=True)
    ]
    return pytest.mark.parametrize((name, "bound"), parameters)
