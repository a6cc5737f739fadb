"""Freshness in stacks of caches, in virtual time: age travels up, so what is stale below is not fresh above."""

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from cachelab import ABSENT, Cache, MemoryStore
from cachelab.freshness import Freshness
from cachelab.lab.sim.simulation import run
from tests.support.caches import make_freshness_cache, with_stale_entry
from tests.support.fakes import PROPERTY, Origin, RemoteStore, in_virtual_time, now, tally, until


@in_virtual_time
async def test_a_stale_answer_from_below_is_kept_by_no_cache_above() -> None:
    """Its caller gets it, but it is not kept. The next caller loads from below again, and keeps what is fresh there."""
    lower = await with_stale_entry(Origin())
    upper_store = RemoteStore()
    upper = make_freshness_cache(lower, upper_store)
    assert (await upper.get(1), upper_store.entries, tally(upper)) == ("old", {}, (0, 0, 1, 0))
    await until(72.0)
    assert (await upper.get(1), upper_store.entries[1].fresh_until) == ("new", 71.0 + 60.0)


@in_virtual_time
async def test_an_old_answer_from_below_is_not_younger_above() -> None:
    """Both levels hold the old value and the origin is down. The value expires above when it expires below."""
    origin = Origin("old", load_time_s=0.0)
    lower = make_freshness_cache(origin)
    upper = make_freshness_cache(lower, ttl=20.0, freshness=Freshness(stale_for=1_000.0))
    await upper.get(1)
    origin.answer = ConnectionError()
    for second in range(0, 90, 5):
        await until(second)
        assert await upper.get(1) == "old"
    await until(90.0)
    with pytest.raises(ConnectionError):
        await upper.get(1)


@in_virtual_time
async def test_every_level_forgets_a_row_that_is_gone() -> None:
    """The refresh of the lower level finds that the row is gone, and then the refresh of the upper level does."""
    origin = Origin("old")
    lower = make_freshness_cache(origin)
    upper = make_freshness_cache(lower)
    await upper.get(1)
    origin.answer = ABSENT
    answers = []
    for second in (70.0, 75.0, 80.0):
        await until(second)
        answers.append(await upper.get(1))
    assert answers == ["old", "old", ABSENT]


LEVELS = st.tuples(
    st.floats(0.01, 100.0), st.sampled_from([0.0, 5.0, 50.0]), st.sampled_from([0.0, 0.3]), st.booleans()
)
LATENCY_S = 0.125


@PROPERTY
@given(
    levels=st.lists(LEVELS, min_size=1, max_size=3),
    beta=st.sampled_from([0.0, 1.0]),
    steps=st.lists(st.tuples(st.floats(0.0, 60.0), st.integers(0, 2)), min_size=1, max_size=20),
    seed=st.integers(0, 9),
)
@example(levels=[(60.0, 50.0, 0.0, False), (5.0, 50.0, 0.0, True)], beta=0.0, steps=[(0, 0), (59, 1), (9, 1)], seed=0)
def test_nothing_is_served_later_than_every_level_allows(
    levels: list[tuple[float, float, float, bool]], beta: float, steps: list[tuple[float, int]], seed: int
) -> None:
    """For any stack, and at whichever level a key is read, the age since the end of the origin's load is less than

    hit               ttl·(1 + j) of the lowest level
    stale             that, plus the least `stale_for` of the levels from the lowest up to the one that is read
    miss, collapsed   ttl·(1 + j) of the lowest level, plus its `stale_for`, or plus one fill if that takes longer

    Since the level took the value from below, less time has passed than its own ttl·(1 + j) if the read is a hit, and
    less than that plus its own `stale_for` if it is stale.
    """
    chance = Random(seed)
    outcomes: list[str] = []
    taken: list[dict[Any, float]] = [{} for _ in levels]

    def recording(number: int, below: Any) -> Any:
        async def load(key: int) -> Any:
            answer = await below(key)
            taken[number][answer.value if number else answer] = now()
            return answer

        return load

    async def origin(key: int) -> float:
        await asyncio.sleep(0.25)
        return now()  # each value is the moment at which its load ended

    async def scenario() -> None:
        caches: list[Cache[int, Any]] = []
        for number, (ttl, stale_for, jitter, remote) in enumerate(levels):
            caches.append(
                make_freshness_cache(
                    recording(number, caches[-1] if caches else origin),
                    RemoteStore(LATENCY_S) if remote else MemoryStore(10),
                    ttl=ttl,
                    freshness=Freshness(stale_for=stale_for, beta=beta, jitter=jitter, random=chance.random),
                    listen=lambda event: outcomes.append(getattr(event, "outcome", "")),
                )
            )
        for wait, level in steps:
            await asyncio.sleep(wait)
            level = min(level, len(caches) - 1)
            value: Any = await caches[level].get(1)
            check(level, next(each for each in reversed(outcomes) if each), now() - value, now() - taken[level][value])

    def check(level: int, outcome: str, age: float, since_taken: float) -> None:
        fresh_for, own_fresh_for = (ttl * (1 + jitter) + 1e-9 for ttl, _, jitter, _ in (levels[0], levels[level]))
        stale_for = [each for _, each, _, _ in levels[: level + 1]]
        if outcome == "hit":
            assert (age < fresh_for, since_taken < own_fresh_for) == (True, True)
        elif outcome == "stale":
            assert (age < fresh_for + min(stale_for), since_taken < own_fresh_for + stale_for[-1]) == (True, True)
        else:
            assert age < fresh_for + max(stale_for[0], LATENCY_S)

    run(scenario)
