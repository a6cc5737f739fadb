"""Faults on a schedule: an origin that is down, failing or slow."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import Cache, MemoryStore
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.faults import Down, Failing, Faulty, OriginError, Slow
from cachelab.lab.sim.simulation import run
from tests.support.fakes import in_virtual_time, now


async def answer(key: int) -> str:
    """An origin that never fails and takes a second."""
    await asyncio.sleep(1.0)
    return "answer"


async def outcomes(load: Callable[[int], Awaitable[Any]], *moments: float) -> list[str]:
    """The answer, or the error's text, of a call at each of these moments."""

    async def call(moment: float) -> str:
        await asyncio.sleep(moment)
        try:
            return str(await load(1))
        except OriginError as error:
            return str(error)

    return list(await asyncio.gather(*(call(moment) for moment in moments)))


@in_virtual_time
async def test_an_origin_that_is_down_refuses_at_once() -> None:
    """It refuses from `start` until before `end`, without doing any work."""
    results = await outcomes(Faulty(answer, Down(10.0, 20.0)), 9.5, 10.0, 19.5, 20.0)
    assert results == ["answer", "the origin is down (10.000 s)", "the origin is down (19.500 s)", "answer"]


@in_virtual_time
async def test_an_origin_that_is_down_costs_no_query() -> None:
    """A refused call does not reach the database."""
    db = SlowDatabase()
    await outcomes(Faulty(db.fetch_user, Down(0.0, 1.0)), 0.0)
    assert db.queries == []


@in_virtual_time
async def test_a_failing_origin_does_the_work_and_then_fails() -> None:
    """The database serves the query, which takes its time, and then the call raises an error."""
    db = SlowDatabase(service_s=2.0)
    results = await outcomes(Faulty(db.fetch_user, Failing(0.0, 1.0)), 0.0)
    assert (results, len(db.queries), now()) == (["the query failed (0.000 s)"], 1, 2.0)


@in_virtual_time
async def test_a_share_of_the_answers_fails() -> None:
    """Of a thousand calls, about the given `share` raises an error."""
    results = await outcomes(Faulty(answer, Failing(0.0, 2000.0, share=0.3)), *map(float, range(1_000)))
    assert 0.27 < 1 - results.count("answer") / 1_000 < 0.33


def test_which_answers_fail_depends_on_the_seed_alone() -> None:
    """The same seed makes the same calls fail, and another seed makes others fail."""

    async def scenario(seed: int) -> list[str]:
        return await outcomes(Faulty(answer, Failing(0.0, 100.0, share=0.5), seed=seed), *map(float, range(50)))

    assert run(scenario, 1) == run(scenario, 1) != run(scenario, 2)


@in_virtual_time
async def test_a_slow_origin_takes_longer() -> None:
    """While the fault is active, a call takes `extra_s` seconds more than it would without it."""
    load = Faulty(answer, Slow(0.0, 1.0, extra_s=5.0))
    await load(1)
    times = [now()]
    await load(1)
    assert [*times, now()] == [6.0, 7.0]


@in_virtual_time
async def test_faults_can_hold_together() -> None:
    """If an origin is slow and failing at the same time, a call is first slow and then fails."""
    results = await outcomes(Faulty(answer, Slow(0.0, 1.0, extra_s=5.0), Failing(0.0, 1.0)), 0.0)
    assert (results, now()) == (["the query failed (0.000 s)"], 6.0)


@in_virtual_time
async def test_a_delete_passes_through_the_wrapper() -> None:
    """A wrapper around a cache has `delete`, and a wrapper around a plain function has not."""
    lower: Cache[int, str] = Cache(MemoryStore(1), answer, ttl=60.0)
    upper: Cache[int, str] = Cache(MemoryStore(1), Faulty(lower), ttl=60.0)
    await upper.get(1)
    await upper.delete(1)
    await upper.get(1)
    assert (lower.loads, hasattr(Faulty(answer), "delete")) == (2, False)


@pytest.mark.parametrize(
    "fault", [Down(5.0, 5.0), Down(-1.0, 5.0), Failing(5.0, 1.0), Slow(math.nan, 1.0, 1.0)], ids=str
)
def test_a_fault_needs_a_beginning_and_an_end(fault: Any) -> None:
    """The error's text shows the fault that is wrong."""
    with pytest.raises(ValueError, match=r"A fault needs 0 <= start < end, in seconds: .*start="):
        Faulty(answer, fault)


@pytest.mark.parametrize(
    "fault", [Failing(0.0, 1.0, share=50), Failing(0.0, 1.0, share=-0.1), Slow(0.0, 1.0, -1.0)], ids=str
)
def test_a_fault_needs_a_size_that_makes_sense(fault: Any) -> None:
    """A share in percent or a negative delay is refused."""
    with pytest.raises(ValueError, match=r"share|extra_s"):
        Faulty(answer, fault)
