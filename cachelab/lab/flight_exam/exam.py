"""The single-flight exam: eight things that go wrong where callers share a load, tried on any `get(key, load)`.

Problem: most caches protect the origin from a crowd, and most of them get one of the eight wrong, which shows in
    production on the day when a load fails, a caller gives up, or somebody writes.
Idea: let each thing go wrong on purpose, one at a time, and see who was harmed.
Guarantee: whatever the subject does (hang, block, raise, be something else), a report comes back. In virtual time, that
    is for everything async that does not poll without a pause, the same subject gives the same report.
Not guaranteed: that a verdict on threads or on a real loop is always the same: a failure there is tried once more, and
    slowly, and a pass counts.
Cost: mostly less than a second; two for a subject that blocks. `make()` is called once for each item and once before.
Source: the eight items are ours; each was found in a library that people use.
"""

from __future__ import annotations

import gc
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cachelab.lab.flight_exam.items import ITEMS, Item
from cachelab.lab.flight_exam.players import RealTimeTaskStage, TaskStage, ThreadStage, in_order, play
from cachelab.lab.flight_exam.report import Report, Result, Verdict
from cachelab.lab.flight_exam.stage import Stage
from cachelab.lab.flight_exam.subjects import Subject
from cachelab.lab.flight_exam.words import Fails, Hangs, Key, NotApplicable, sentence
from cachelab.lab.sandbox import Stuck, run_sandboxed
from cachelab.lab.sim.simulation import run

__all__ = ["exam"]

LIMIT_S = 1.0  # real seconds for an item on a loop, before the subject is taken to block it
THREADS_LIMIT_S = 10.0  # for one on threads, where the subject cannot block the script
SLOWNESS = 6.0  # of the second try, where time is real


def exam(make: Callable[[], Any]) -> Report:
    """Examine what `make()` builds: an object with `get(key, load)`, async or not, and `delete(key)` if it has one.

    Instead of such an object it may build just the function, or a `Subject`. Works in a notebook's cell.
    """
    with _quiet():
        try:
            kind = _guarded(lambda: _kind(make))
            results = _take_all(make, kind)
        except _Unfit as error:
            results = [Result(item, "fail", str(error)) for item in ITEMS]
            return Report(results, str(error))
        finally:
            gc.collect()
    return Report(results)


@contextmanager
def _quiet() -> Iterator[None]:
    """A broken subject leaves unawaited coroutines, and to end it may hit a finalizer; the verdict says enough."""
    hook = sys.unraisablehook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda unraisable: None
        try:
            yield
        finally:
            sys.unraisablehook = hook


class _Unfit(Exception):
    """What was handed in cannot be examined."""


def _take_all(make: Callable[[], Any], kind: type[Stage]) -> list[Result]:
    first, *others = ITEMS
    result, alive = _take(first, make, kind)
    if result.blocked and alive and kind is TaskStage:  # it polls without a pause: virtual time does not go on
        return _take_all(make, RealTimeTaskStage)
    if result.blocked:
        return [result, *(Result(item, "hangs", "Not tried: it had blocked in item 1.") for item in others)]
    return [result, *(_take(item, make, kind)[0] for item in others)]


def _take(item: Item, make: Callable[[], Any], kind: type[Stage]) -> tuple[Result, bool]:
    """The verdict on one item, where time is real the better of two; and whether the subject let others run."""
    for slowness in (1.0,) if kind is TaskStage else (1.0, SLOWNESS):
        kept: list[Stage] = []
        result = _once(item, make, kind, kept, slowness)
        if result.blocked or result.verdict in ("pass", "not applicable"):
            break
    return result, bool(kept) and kept[-1].alive


def _once(item: Item, make: Callable[[], Any], kind: type[Stage], kept: list[Stage], slowness: float) -> Result:
    def stage() -> Stage:
        made = kind(_subject(make()))
        made.slowness = slowness
        return made

    verdict: Verdict = "fail"
    try:
        why = _guarded(
            lambda: play(stage, item.script, kept, kind), THREADS_LIMIT_S if kind is ThreadStage else LIMIT_S
        )
        verdict = "pass"
    except NotApplicable as no:
        verdict, why = "not applicable", str(no)
    except Fails as seen:
        why = str(seen)
    except Hangs as who:
        verdict, why = "hangs", str(who)
    except Stuck as where:
        at = f" It was at {where}." if str(where) else ""
        why = f"It did not come back: an endless loop, or a call that blocks.{at}"
        return Result(item, "hangs", why, kept[-1].steps if kept else [], blocked=True)
    except Exception as error:
        why = f"It raised {sentence(error)}."
    steps = kept[-1].steps if kept else []
    return Result(item, verdict, why, in_order(steps) if kind is ThreadStage else steps)


def _guarded(work: Callable[[], Any], seconds: float = LIMIT_S) -> Any:
    """`work()` with a limit in real seconds. An interrupt that the work raises itself is an error like others."""
    outcome: list[Any] = []

    def kept() -> str:
        try:
            outcome.append((work(), None))
        except BaseException as error:
            outcome.append((None, error))
        return ""

    run_sandboxed(kept, seconds)
    value, error = outcome[0]
    if isinstance(error, Exception):
        raise error
    if error is not None:
        raise RuntimeError(sentence(error))
    return value


def _subject(made: Any) -> Any:
    if callable(getattr(made, "get", None)):
        return made
    if callable(made):
        return Subject(made)
    raise _Unfit(f"This cannot be examined: make() built a {type(made).__name__}, which has no get(key, load).")


def _kind(make: Callable[[], Any]) -> type[Stage]:
    """Is it for a loop or for threads? Where its function does not say so, ask it once and look at what comes back."""
    if not callable(make):
        raise _Unfit("This cannot be examined: exam() needs a function that builds a fresh subject each time.")

    async def look() -> type[Stage]:
        subject = _subject(make())
        try:
            inspect.signature(subject.get).bind("key", print)
        except TypeError:
            raise _Unfit("This cannot be examined: its get does not take (key, load).") from None
        threaded = getattr(subject, "threaded", None)
        if threaded is None:
            threaded = not inspect.iscoroutinefunction(subject.get) and not _awaitable(subject.get)
        if threaded:
            return ThreadStage
        return RealTimeTaskStage if getattr(subject, "real_time", False) else TaskStage

    try:
        return run(look)
    except _Unfit:
        raise
    except Exception as error:
        raise _Unfit(f"This cannot be examined: make() raised {sentence(error)}.") from error


def _awaitable(get: Callable[..., Any]) -> bool:
    try:
        answer = get(Key(), str)
    except Exception:
        return False
    if inspect.iscoroutine(answer):
        answer.close()
    return inspect.isawaitable(answer)
