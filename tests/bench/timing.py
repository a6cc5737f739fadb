"""How the benchmarks measure: competitors in turns, several rounds, the median of each, and a table of ratios."""

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
"""One round of one competitor: seconds per operation."""


async def interleaved(
    ways: Mapping[str, Round], rounds: int, typical: Callable[[list[float]], float] = statistics.median
) -> dict[str, float]:
    """The `typical` seconds of each way over so many rounds, in turns; one round before that does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            seconds = await way()
            if number:
                times[name].append(seconds)
    return {name: typical(seconds) for name, seconds in times.items()}


def report(medians: Mapping[str, float], yardstick: str) -> None:
    """Print each median and its ratio to the yardstick's."""
    width = max(map(len, medians))
    for name, seconds in medians.items():
        print(f"{name:<{width}}  {seconds * 1e9:>12,.0f} ns  {seconds / medians[yardstick]:>8.2f} x")


def in_a_fresh_process(measure: Measure) -> dict[str, float]:
    """What `measure`, a function of a module, finds where no test has been before; raises what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, measure).result()


def _run(measure: Measure) -> dict[str, float]:
    return asyncio.run(measure())


def missing(error: ModuleNotFoundError) -> str:
    """One sentence for a peer that is not installed."""
    return f'{error.name} is not installed: python -m pip install -e ".[bench]" brings the peers to compare with.'


if __name__ == "__main__":
    sys.exit("This is what the benchmarks share: run python -m tests.bench.bench_hit, for example.")
