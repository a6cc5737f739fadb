"""The breaker exam: eleven things that a circuit breaker has to do or must not do, tried on any breaker.

Problem: a breaker works on the day when it opens. It is wrong on the day when the origin comes back: it lets a crowd
    through, or nobody any more.
Idea: let each thing happen on purpose, one at a time, and see which calls reach the origin.
Guarantee: whatever the breaker does (it hangs, blocks or raises), a report comes back. In virtual time the same breaker
    always gets the same report.
Not guaranteed: that a verdict in real time is always the same. An item that fails there is tried a second time, with
    longer waits, and a pass counts. A breaker that counts in another way, such as the share of failures in a minute,
    cannot be examined.
Cost: a tenth of a second in virtual time; in real time about a second.
Source: the items are ours. Each was found wrong in a library that people use, or in a version of our own.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from cachelab.lab.breakers.items import ITEMS
from cachelab.lab.breakers.stage import Build, Stage
from cachelab.lab.flight_exam.items import Item
from cachelab.lab.flight_exam.judging import judged, within_limit, without_warnings
from cachelab.lab.flight_exam.record import Step, describe_error
from cachelab.lab.flight_exam.report import Report, Result
from cachelab.lab.sandbox import Stuck
from cachelab.lab.sim.simulation import run

__all__ = ["breaker_exam"]

OPEN_S = 10.0
REAL_OPEN_S = (0.05, 0.2)
"""Where time is real: `open_s` in the first try of an item, and in a second one."""
REAL_LIMIT_S = 20.0


def breaker_exam(build: Build, *, real_time: bool = False) -> Report:
    """Examine the breaker that `build(load, failures=3, open_s=1.0)` puts around `load`, an async function of the key.

    It has to be an async function of the key, too, or an object that can be called like one. It opens for `open_s`
    seconds after `failures` failures in a row. With `real_time` it is examined on asyncio's own loop, which is needed
    if it asks for another time than the loop's. Works in a notebook's cell.
    """
    with without_warnings():
        problem = _problem(build)
        if problem:
            return Report([Result(item, "fail", problem) for item in ITEMS], problem)
        if not real_time:
            return Report(_all_in_virtual_time(build))
        results = _in_real_time(ITEMS, build, REAL_OPEN_S[0])
        failed = [result.item for result in results if result.verdict in ("fail", "hangs")]
        again = {result.item.number: result for result in _in_real_time(failed, build, REAL_OPEN_S[1])}
        return Report([again.get(result.item.number, result) for result in results])


def _all_in_virtual_time(build: Build) -> list[Result]:
    first, *others = ITEMS
    result = _in_virtual_time(first, build)
    if result.blocked:
        return [result, *(Result(item, "hangs", "Not tried: it had blocked in item 1.") for item in others)]
    return [result, *(_in_virtual_time(item, build) for item in others)]


def _in_virtual_time(item: Item[Stage], build: Build) -> Result:
    stages: list[Stage] = []
    scenario = partial(_play, item, build, OPEN_S, stages)
    return judged(item, partial(within_limit, partial(run, scenario)), partial(_steps, stages))


def _in_real_time(items: list[Item[Stage]], build: Build, open_s: float) -> list[Result]:
    """The results of these items, which are played side by side, each with a breaker of its own."""
    stages: dict[int, list[Stage]] = {item.number: [] for item in items}

    async def play_all() -> list[Any]:
        plays = [_play(item, build, open_s, stages[item.number]) for item in items]
        return await asyncio.gather(*plays, return_exceptions=True)

    try:
        outcomes = within_limit(lambda: asyncio.run(play_all()), REAL_LIMIT_S) if items else []
    except Exception as error:
        outcomes = [error] * len(items)
    return [
        judged(item, partial(_given, outcome), partial(_steps, stages[item.number]))
        for item, outcome in zip(items, outcomes, strict=True)
    ]


async def _play(item: Item[Stage], build: Build, open_s: float, stages: list[Stage]) -> str:
    """Play the script of an item on a stage, which is added to `stages`, for what has to be known of it afterwards."""
    asyncio.get_running_loop().call_exception_handler = lambda context: None  # type: ignore[method-assign]
    stage = Stage(build, open_s)
    stages.append(stage)
    try:
        return await item.script(stage)
    finally:
        await stage.end()


def _steps(stages: list[Stage]) -> list[Step]:
    return stages[-1].record.steps if stages else []


def _given(outcome: Any) -> str:
    """A sentence, or the error in its place."""
    if isinstance(outcome, BaseException):
        raise outcome
    return f"{outcome}"


def _problem(build: Any) -> str:
    """Why nothing can be examined, or ""."""
    if not callable(build):
        return "This cannot be examined: breaker_exam() needs a function that builds a breaker around a loader."

    async def build_one() -> Any:
        return Stage(build, OPEN_S).breaker

    try:
        built = within_limit(lambda: run(build_one))
    except Stuck:
        return "This cannot be examined: build() did not come back."
    except Exception as error:
        return f"This cannot be examined: build() raised {describe_error(error)}."
    if not callable(built):
        return (
            f"This cannot be examined: build() has built a {type(built).__name__}, which cannot be called with a key."
        )
    return ""
