"""All policies side by side: their hit ratios on three traces, which are the same on every machine."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from cachelab.eviction import count_hits
from cachelab.lab import loop_trace, scan_trace, shifting_trace, zipf_trace
from tests.support.notebooks import ROOT
from tests.support.policy_contract import POLICIES

FIGURES: dict[str, tuple[Callable[[], list[int]], int, tuple[float, ...]]] = {
    "zipf": (lambda: zipf_trace(200_000, 10_000, 1.0), 100, (0.343, 0.498, 0.390, 0.506, 0.508, 0.519)),
    "loop": (lambda: loop_trace(200_000, 1_200), 1_000, (0.0, 0.0, 0.0, 0.551, 0.0, 0.821)),
    "hot set that moves": (lambda: shifting_trace(200_000, 10_000), 1_000, (0.629, 0.551, 0.673, 0.724, 0.720, 0.719)),
}
"""Three traces, with the size of the cache and the hit ratio of each of POLICIES."""


@pytest.mark.parametrize("trace", FIGURES)
def test_the_hit_ratios_are_known(trace: str) -> None:
    """Each policy has the hit ratio that is written here, to within .0005. The three traces tell them apart."""
    make, size, figures = FIGURES[trace]
    keys = make()
    measured = [count_hits(policy(size), keys).hit_ratio for policy in POLICIES]
    assert measured == pytest.approx(figures, abs=0.0005)


def test_a_policy_has_the_same_hits_in_every_process() -> None:
    """The keys are strings, whose `hash` differs between processes."""
    keys = [f"user:{key}" for key in scan_trace(10_000, 1_000)]
    here = [count_hits(policy(100), keys).hits for policy in POLICIES]
    code = (
        "from cachelab.eviction import *; from cachelab.lab import scan_trace;"
        "keys = [f'user:{key}' for key in scan_trace(10_000, 1_000)];"
        f"policies = {', '.join(policy.__name__ for policy in POLICIES)};"
        "print(*(count_hits(policy(100), keys).hits for policy in policies))"
    )
    for seed in ("1", "2"):
        command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        assert [int(hits) for hits in done.stdout.split()] == here
