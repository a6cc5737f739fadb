"""Measuring how much memory a cache takes."""

import asyncio
import tracemalloc

import pytest

from cachelab import lab


def test_what_is_kept_is_counted_and_what_is_freed_is_not() -> None:
    """A kilobyte is kept for each of the first ten keys, and none for the others, whose kilobytes are freed."""
    kept: list[bytes] = []
    asked: list[int] = []

    async def get(key: int) -> None:
        asked.append(key)
        made = bytes(1_000)
        if key < 10:
            kept.append(made)

    after = asyncio.run(lab.memory_after(get, [5, 10, 20]))
    assert asked == list(range(20))
    assert after == sorted(after)
    assert 5_000 < after[0] < 8_000
    assert 4_500 < after[1] - after[0] < 7_000
    assert after[2] - after[1] < 1_000


def test_it_stops_when_the_cache_raises() -> None:
    """An error of the cache comes through, and memory is not traced any longer."""

    async def get(key: int) -> float:
        return 1 / key

    with pytest.raises(ZeroDivisionError):
        asyncio.run(lab.memory_after(get, [3]))
    assert not tracemalloc.is_tracing()


def test_it_leaves_a_measurement_that_is_running_alone() -> None:
    """Whoever has started tracemalloc keeps what it has counted so far."""

    async def get(key: int) -> None: ...

    tracemalloc.start()
    try:
        with pytest.raises(RuntimeError, match="already in use"):
            asyncio.run(lab.memory_after(get, [3]))
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
