"""Wall-clock times of several ways of doing something, measured in turns, so that a slow moment affects all alike."""

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
    """The median time of one call `way(key)`, in seconds, for each way. Each round calls each way with all `keys`.

    A way may be an async function. Then the `await` is part of what is measured. One round before the others does not
    count: in it connections open and caches fill. Meanwhile the garbage collector ignores the objects that the notebook
    has made so far. Otherwise it would go through all of them again and again, most often in the way that makes the
    most garbage. Compare ratios: the seconds are those of this machine today.
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
