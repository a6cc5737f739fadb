"""Wall-clock measurements side by side: everybody runs in short turns, so that a slow moment hits all alike."""

from __future__ import annotations

import gc
import inspect
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["measure"]


async def measure(
    ways: Mapping[str, Callable[[Any], Any]], keys: Sequence[Any], *, rounds: int = 25
) -> dict[str, float]:
    """Median seconds of one call `way(key)`, for each way; in each round each way is called with all `keys` in turn.

    A way may be an async function; then the `await` is part of what is measured. One round before the others warms up
    (connections open, caches fill) and does not count. The notebook's old objects are put out of the garbage
    collector's sight meanwhile: it would look at all of them again and again, in whichever way makes the most garbage.
    Compare ratios: seconds are this machine's, today.
    """
    gc.collect()
    gc.freeze()
    try:
        return await _medians(ways, keys, rounds)
    finally:
        gc.unfreeze()


async def _medians(ways: Mapping[str, Callable[[Any], Any]], keys: Sequence[Any], rounds: int) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1 + rounds):
        for name, way in ways.items():
            if inspect.iscoroutinefunction(way):
                start = time.perf_counter()
                for key in keys:
                    await way(key)
            else:
                start = time.perf_counter()
                for key in keys:
                    way(key)
            if number:
                spent[name].append((time.perf_counter() - start) / len(keys))
    return {name: statistics.median(times) for name, times in spent.items()}
