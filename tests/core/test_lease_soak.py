"""Leases with real processes on a real Redis: the process that loads is killed at a random moment.

Each round has a new key that all four processes ask for at once. A process that was killed is replaced.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cachelab import MISS, redis_client
from tests.support.leasing_worker import leased_store
from tests.support.servers import real_server
from tests.support.tiers import tiers

ROOT = Path(__file__).parents[2]
PROCESSES, LOAD_S, LEASE_S = 4, 0.3, 1.0
SLACK_S = 0.1
"""How much later than the lease and the loads an answer may come.

The time for which the machine held up one of the processes does not count.
"""


class Worker:
    """One of the processes."""

    def __init__(self, url: str) -> None:
        settings = json.dumps({"url": url, "load_s": LOAD_S, "lease_s": LEASE_S})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.leasing_worker", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def wait_until_ready(self) -> None:
        """Return when it can be asked."""
        assert self.read() == "ready"

    def read(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, key: int) -> None:
        """Let it read a key."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{key}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let it end, and wait for that."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@dataclass
class Seen:
    """What the rounds have shown: how many had so many loads, the longest wait in each, and what is wrong."""

    loads: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def one_round(key: int, workers: list[Worker], redis: Any, chance: Random, seen: Seen, *, writes: bool) -> None:
    """All ask for the key. The one that loads is killed; with `writes` the row is written and the key deleted."""
    store = leased_store(redis, LEASE_S)
    await redis.set(f"row:{key}", 1)
    for worker in workers:
        worker.ask(key)
    while not (holder := await redis.lindex(f"loads:{key}", 0)):
        await asyncio.sleep(0.001)
    victim = next(worker for worker in workers if worker.process.pid == int(holder))
    began = time.monotonic()
    events = [(chance.uniform(0.0, LOAD_S + 0.05), "kill")]
    events += [(chance.uniform(0.0, LEASE_S + 2 * LOAD_S), "write")] if writes else []
    for second, what in sorted(events):
        await asyncio.sleep(max(0.0, began + second - time.monotonic()))
        if what == "kill":
            victim.kill()
        else:
            await redis.set(f"row:{key}", 2)
            await store.delete(key)
    stalled_s, waits = 0.0, []
    for worker in workers:
        if worker is not victim:
            waited_s, held_up_s, values, errors = json.loads(await asyncio.to_thread(worker.read))
            stalled_s = max(stalled_s, held_up_s)
            waits.append(waited_s)
            if errors or not set(values) <= {1, 2}:
                seen.wrong.append(f"round {key}: {values}, {errors} errors")
    seen.waits.append(max(waits) - stalled_s)
    seen.loads[await redis.llen(f"loads:{key}")] += 1
    if (entry := await store.get(key)) is not MISS and entry.value != 1 + writes:
        seen.wrong.append(f"round {key}: {entry.value} is stored, and the row has version {1 + writes}")
    workers[workers.index(victim)] = new = Worker(str(redis.url))
    await asyncio.to_thread(new.wait_until_ready)


async def many_rounds(url: str, count: int, *, writes: bool) -> Seen:
    """So many rounds with the same processes, as far as they live."""
    seen, chance = Seen(), Random(f"{writes}/kill")
    workers = [Worker(url) for _ in range(PROCESSES)]
    try:
        async with redis_client(url, timeout_s=5.0) as redis:
            redis.url = url  # type: ignore[attr-defined]
            for worker in workers:
                await asyncio.to_thread(worker.wait_until_ready)
            for key in range(count):
                await one_round(key, workers, redis, chance, seen, writes=writes)
            await asyncio.sleep(LOAD_S)
            if left := [name async for name in redis.scan_iter(match="*:lease")]:
                seen.wrong.append(f"leases are left: {left}")
    finally:
        for worker in workers:
            worker.close()
    return seen


@pytest.mark.parametrize("writes", [False, True], ids=["no writes", "a write in each round"])
@pytest.mark.parametrize("count", tiers(200, soak_timeout_s=1_800))
def test_a_killed_process_costs_one_load_and_the_rest_of_its_lease(count: int, writes: bool) -> None:
    """At most 1 + deaths + writes loads a key, no stale value in Redis, and nobody waits much longer than the lease.

    With a write, those that wait may need one more load. In 200 rounds the longest wait was 1.3 s, and 1.6 s with
    writes.
    """
    with real_server() as (path, _):
        seen = asyncio.run(many_rounds(f"unix://{path}", count, writes=writes))
    print(f"loads {dict(sorted(seen.loads.items()))}, longest wait {max(seen.waits):.3f} s")
    assert seen.wrong == []
    assert max(seen.loads) <= 1 + 1 + writes
    assert max(seen.waits) <= LEASE_S + LOAD_S + writes * LOAD_S + SLACK_S
