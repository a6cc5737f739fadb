"""How the benchmarks measure: competitors in turns, several rounds, one figure for each, and a table of ratios."""

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

__all__ = ["in_a_fresh_process", "interleaved", "missing", "report"]

Measure = Callable[[], Coroutine[Any, Any, dict[str, float]]]

Round = Callable[[], Awaitable[float]]
"""One round of one competitor. Returns seconds per operation."""


async def interleaved(
    ways: Mapping[str, Round], rounds: int, typical: Callable[[list[float]], float] = statistics.median
) -> dict[str, float]:
    """The `typical` seconds per operation of each way. They take turns for `rounds` rounds, after one not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            seconds = await way()
            if number:
                times[name].append(seconds)
    return {name: typical(seconds) for name, seconds in times.items()}


def report(seconds_of: Mapping[str, float], yardstick: str) -> None:
    """Print each figure and its ratio to the yardstick's."""
    width = max(map(len, seconds_of))
    for name, seconds in seconds_of.items():
        print(f"{name:<{width}}  {seconds * 1e9:>12,.0f} ns  {seconds / seconds_of[yardstick]:>8.2f} x")


def in_a_fresh_process(measure: Measure) -> dict[str, float]:
    """What `measure`, a function of a module, finds in a process of its own. Raises what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, measure).result()


def _run(measure: Measure) -> dict[str, float]:
    return asyncio.run(measure())


def missing(error: ModuleNotFoundError) -> str:
    """A sentence for a peer that is not installed."""
    return f'{error.name} is not installed: python -m pip install -e ".[bench]" brings the peers to compare with.'


if __name__ == "__main__":
    sys.exit("This is what the benchmarks share: run python -m tests.bench.bench_hit, for example.")
