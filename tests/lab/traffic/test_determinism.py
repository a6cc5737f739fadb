"""The same seed gives the same events in two processes with different hash seeds, and in every Python version."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cachelab import Cache, MemoryStore, lab
from tests.support.notebooks import ROOT

EXPECTED = "92b3c235607c728d"
"""The digest in Python 3.11, 3.12, 3.13 and 3.14. It changes only when the lab itself changes."""

TRAFFIC = lab.Workload(rate=300.0, seconds=20.0, keys=200, zipf=0.9, write_rate=3.0, nodes=3, seed=11)


async def everything(traffic: lab.Workload = TRAFFIC) -> lab.ReplayResult:
    """Three nodes with two levels of cache over one database, which is faulty and at times overloaded."""
    db = lab.SlowDatabase(users=150, connections=4, service_s=0.03)
    faulty = lab.Faulty(
        db.fetch_user, lab.Failing(5.0, 8.0, share=0.3), lab.Down(12.0, 13.0), lab.Slow(15.0, 16.0, 0.1)
    )
    shared: Cache[int, lab.UserProfile] = Cache(MemoryStore(100), faulty, ttl=4.0, negative_ttl=1.0, name="L2")
    nodes: list[Cache[int, lab.UserProfile]] = [
        Cache(MemoryStore(20), shared, ttl=1.0, name=f"L1 {n}", listen=lab.listen) for n in range(3)
    ]
    return await lab.replay(traffic, nodes, db=db)


def fingerprint(hash_seed: str) -> str:
    """The digest of a replay in a fresh process."""
    answer = subprocess.run(
        [sys.executable, "-c", "from tests.lab.traffic.test_determinism import *; print(lab.run(everything).digest())"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


@pytest.mark.long
def test_two_processes_agree() -> None:
    """Neither the order of sets nor the addresses of objects change anything."""
    assert fingerprint("1") == fingerprint("2")


def test_all_versions_agree() -> None:
    """The digest is the one written here, with every version of Python."""
    assert lab.run(everything).digest() == EXPECTED


def test_another_seed_gives_another_digest() -> None:
    """The digest is no constant: it differs between replays that differ."""
    assert lab.run(everything, replace(TRAFFIC, seed=12)).digest() != EXPECTED
