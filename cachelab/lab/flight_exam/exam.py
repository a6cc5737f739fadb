"""The single-flight exam: eight things that can go wrong where callers share a load, tried on any `get(key, load)`.

Problem: most caches protect the origin from many callers at once, and most get one of the eight wrong. It shows in
    production, on the day when a load fails, a caller gives up, or a value is written during a load.
Idea: let each thing go wrong on purpose, one at a time, and see which callers are harmed.
Guarantee: whatever the subject does (it hangs, blocks, raises, or is no subject at all), a report comes back. In
    virtual time, the same subject always gets the same report. That holds for every async subject that does not poll
    without a pause.
Not guaranteed: that a verdict on threads or on a real loop is always the same. If an item fails there, it is tried a
    second time with longer waits, and a pass counts.
Cost: mostly less than a second; two seconds for a subject that blocks. `make()` is called once for each item and once
    before.
Source: the eight items are ours; each was found in a library that people use.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cachelab.lab.flight_exam.items import ITEMS, Item
from cachelab.lab.flight_exam.judging import LIMIT_S, judged, within_limit, without_warnings
from cachelab.lab.flight_exam.record import Step, describe_error, in_likely_order
from cachelab.lab.flight_exam.report import Report, Result
from cachelab.lab.flight_exam.stage import Key, Stage
from cachelab.lab.flight_exam.subjects import Subject
from cachelab.lab.flight_exam.task_stage import RealTimeTaskStage, TaskStage
from cachelab.lab.flight_exam.thread_stage import ThreadStage
from cachelab.lab.sim.simulation import run

__all__ = ["exam"]

THREADS_LIMIT_S = 10.0  # for an item on threads, where the subject cannot block the script
SECOND_TRY_WAIT_FACTOR = 6.0  # where time is real, the second try of an item waits so many times as long


def exam(make: Callable[[], Any]) -> Report:
    """Examine what `make()` builds: an object with `get(key, load)`, async or not, and `delete(key)` if it has one.

    Instead of such an object, `make()` may build just the function, or a `Subject`. Works in a notebook's cell.
    """
    with without_warnings(), _only_its_own_garbage():
        try:
            kind = within_limit(lambda: _stage_for(make))
            results = _examine_all(make, kind)
        except _NoSubject as error:
            results = [Result(item, "fail", str(error)) for item in ITEMS]
            return Report(results, str(error))
    return Report(results)


@contextmanager
def _only_its_own_garbage() -> Iterator[None]:
    """Let the garbage collector ignore what the notebook holds: to go through millions of objects takes too long."""
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()


class _NoSubject(Exception):
    """What was handed in cannot be examined; the text says why."""


def _examine_all(make: Callable[[], Any], kind: type[Stage]) -> list[Result]:
    first, *others = ITEMS
    result, has_yielded = _examine(first, make, kind)
    if result.blocked and has_yielded and kind is TaskStage:  # it polls without a pause, so virtual time stands still
        return _examine_all(make, RealTimeTaskStage)
    if result.blocked:
        return [result, *(Result(item, "hangs", "Not tried: it had blocked in item 1.") for item in others)]
    return [result, *(_examine(item, make, kind)[0] for item in others)]


def _examine(item: Item[Stage], make: Callable[[], Any], kind: type[Stage]) -> tuple[Result, bool]:
    """The result of one item, where time is real the better of two; and whether the subject let other code run."""
    for wait_factor in (1.0,) if kind is TaskStage else (1.0, SECOND_TRY_WAIT_FACTOR):
        stages: list[Stage] = []
        result = _try(item, make, kind, wait_factor, stages)
        if result.blocked or result.verdict in ("pass", "not applicable"):
            break
    return result, bool(stages) and stages[-1].has_yielded


def _try(
    item: Item[Stage], make: Callable[[], Any], kind: type[Stage], wait_factor: float, stages: list[Stage]
) -> Result:
    """The result of one try. The stage is added to `stages` as soon as it is built, for what must be known of it."""

    async def scenario() -> str:
        stage = kind(_as_subject(make()), wait_factor)
        stages.append(stage)
        try:
            return await item.script(stage)
        finally:
            stage.record.paused = True

    limit_s = THREADS_LIMIT_S if kind is ThreadStage else LIMIT_S
    result = judged(item, lambda: within_limit(lambda: kind.run(scenario), limit_s), lambda: _steps(stages))
    return replace(result, steps=in_likely_order(result.steps)) if kind is ThreadStage else result


def _steps(stages: list[Stage]) -> list[Step]:
    return stages[-1].record.steps if stages else []


def _as_subject(made: Any) -> Any:
    if callable(getattr(made, "get", None)):
        return made
    if callable(made):
        return Subject(made)
    raise _NoSubject(f"This cannot be examined: make() built a {type(made).__name__}, which has no get(key, load).")


def _stage_for(make: Callable[[], Any]) -> type[Stage]:
    """The kind of stage that the subject needs. If its `get` does not tell, `get` is called once to see its answer."""
    if not callable(make):
        raise _NoSubject("This cannot be examined: exam() needs a function that builds a fresh subject each time.")

    async def inspect_subject() -> type[Stage]:
        subject = _as_subject(make())
        try:
            inspect.signature(subject.get).bind("key", print)
        except TypeError:
            raise _NoSubject("This cannot be examined: its get does not take (key, load).") from None
        threaded = getattr(subject, "threaded", None)
        if threaded is None:
            threaded = not inspect.iscoroutinefunction(subject.get) and not _returns_awaitable(subject.get)
        if threaded:
            return ThreadStage
        return RealTimeTaskStage if getattr(subject, "real_time", False) else TaskStage

    try:
        return run(inspect_subject)
    except _NoSubject:
        raise
    except Exception as error:
        raise _NoSubject(f"This cannot be examined: make() raised {describe_error(error)}.") from error


def _returns_awaitable(get: Callable[..., Any]) -> bool:
    try:
        answer = get(Key(), str)
    except Exception:
        return False
    if inspect.iscoroutine(answer):
        answer.close()
    return inspect.isawaitable(answer)
