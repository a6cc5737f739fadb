"""The eight items of the single-flight exam: each is a short script that lets one thing go wrong.

A script acts on a `Stage`. It returns a sentence that says what was right, or raises `ItemFailed` with a sentence that
says what was wrong, or `NotApplicable` if it cannot judge the subject. Each item judges one thing only: a subject that
never shares a load fails item 1, and not all eight.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from cachelab.lab.flight_exam.record import Step, describe_error
from cachelab.lab.flight_exam.stage import CallerHangs, OriginDown, Stage, sentence_start

__all__ = ["ITEMS", "Item", "ItemFailed", "NotApplicable"]

S = TypeVar("S")

OTHER_KEYS = 300  # a key counts as held only if it outlasts so many other keys: some subjects clean up with a delay


class ItemFailed(Exception):
    """The subject does something wrong; the text says what. `error` is what a caller got, if it got an error."""

    def __init__(self, why: str, error: BaseException | None = None) -> None:
        super().__init__(why)
        self.error = error


class NotApplicable(Exception):
    """An item cannot be judged for this subject; the text says why."""


@dataclass(frozen=True)
class Item(Generic[S]):
    """One item of an exam: its number, a title of a few words, and its script, which acts on a stage."""

    number: int
    title: str
    script: Callable[[S], Coroutine[Any, Any, str]]


async def _many_callers(stage: Stage) -> str:
    """Item 1: a hundred callers at once cause one load."""
    await stage.start_callers("callers", 100)
    await stage.finish()
    if stage.loads.begun != 1:
        raise ItemFailed(f"100 callers at once caused {_number_of_loads(stage.loads.begun)}.")
    _expect_value(stage, "callers", value=1)
    return "100 callers at once caused 1 load."


async def _load_fails(stage: Stage) -> str:
    """Item 2: if the load fails, each waiter gets the error once, and the error is not remembered."""
    await stage.start_callers("callers", 10)
    begun = stage.loads.begun
    await stage.end_loads(fail=True)
    if stage.loads.begun > begun:
        more = _number_of_loads(stage.loads.begun - begun)
        raise ItemFailed(f"After the load had failed, {more} began for the callers that still waited.")
    await stage.wait_until_idle(patiently=True)
    stage.check_none_waits("callers")
    for answer in stage.answers["callers"]:
        if not isinstance(answer.error, OriginDown):
            got = "an answer" if answer.error is None else describe_error(answer.error)
            raise ItemFailed(f"The load failed, and a waiter got {got} instead of its error.", answer.error)
    begun = stage.loads.begun
    await stage.start_callers("the next caller")
    await stage.finish()
    if stage.loads.begun == begun:
        raise ItemFailed("The error was remembered: the next caller got it without a load.")
    _expect_value(stage, "the next caller", value=1)
    if stage.can_cancel:
        await _load_is_cancelled(stage)
    return "Each waiter got the error, and the next caller loaded again."


async def _load_is_cancelled(stage: Stage) -> None:
    """A load that raises CancelledError has failed, and nobody may wait for it for ever.

    It may have awaited a task that was cancelled elsewhere.
    """
    stage.reset()
    await stage.start_callers("callers", 10)
    await stage.cancel_loads()
    try:
        await stage.finish()
    except CallerHangs as hanging:
        raise CallerHangs(f"The load raised CancelledError, and its waiters were not told of it. {hanging}") from None
    await stage.start_callers("the next caller")
    await stage.finish()
    _expect_value(stage, "the next caller", value=1)


async def _first_caller_leaves(stage: Stage) -> str:
    """Item 3: to cancel the first caller, or the only one, harms no other caller and causes no second load."""
    shares = await _cancel_one(stage, "caller 1", others=("caller 2", "caller 3"))
    if shares:
        await _cancel_the_only_one(stage)
    return "The others got their answers, and no second load began."


async def _follower_leaves(stage: Stage) -> str:
    """Item 4: to cancel a follower harms no other caller and causes no second load."""
    await _cancel_one(stage, "caller 2", others=("caller 1", "caller 3"))
    return "The others got their answers, and no second load began."


async def _cancel_one(stage: Stage, cancelled: str, others: tuple[str, str]) -> bool:
    """Three callers, of which one leaves. Returns whether they shared a load."""
    if not stage.can_cancel:
        raise NotApplicable("A thread cannot be cancelled.")
    for name in ("caller 1", "caller 2", "caller 3"):
        await stage.start_callers(name)
    begun = stage.loads.begun
    await _cancel(stage, cancelled)
    if stage.loads.begun > begun:
        raise ItemFailed("The cancellation caused a second load.")
    shares = begun == 1 and not any(stage.answers[name] for name in others)
    if shares:  # a new caller must join their load
        await stage.start_callers("caller 4")
        if stage.loads.begun > begun:
            raise ItemFailed("The cancelled caller removed the load from the table, so caller 4 began a second one.")
    await stage.finish()
    if stage.loads.begun > begun:
        raise ItemFailed("The cancellation caused a second load after the first one.")
    _expect_value(stage, *others, value=1)
    return shares


async def _cancel_the_only_one(stage: Stage) -> None:
    """The only caller leaves, where callers share a load: the load goes on, and the next caller joins it."""
    stage.reset()
    await stage.start_callers("caller 1")
    await _cancel(stage, "caller 1")
    await stage.start_callers("caller 2")
    if stage.loads.begun > 1:
        raise ItemFailed("Nobody waited any more, and the load was given up, so caller 2 began a second one.")
    await stage.finish()
    _expect_value(stage, "caller 2", value=1)


async def _cancel(stage: Stage, name: str) -> None:
    """Cancel a caller, which has to leave at once, with CancelledError. One that has its answer already is let be."""
    waited = stage.waiting[name] > 0
    await stage.cancel(name)
    if not waited:
        return
    if stage.waiting[name]:
        raise ItemFailed(f"{sentence_start(name)} was cancelled, but it still waits.")
    error = stage.answers[name][-1].error
    if not isinstance(error, asyncio.CancelledError):
        got = "returned as if nothing had happened" if error is None else f"raised {describe_error(error)}"
        why = f"{sentence_start(name)} was cancelled, and its get {got}. CancelledError must pass through."
        raise ItemFailed(why, error)


async def _answer_is_none(stage: Stage) -> str:
    """Item 5: None is an answer. The subject is compared with what it does for another answer."""
    usual = await _count_loads(stage, version=1)
    with_none = await _count_loads(stage, version=None)
    if with_none.together > usual.together:
        raise ItemFailed(
            f"10 callers caused {_number_of_loads(with_none.together)} because the answer was None; for another answer "
            f"they cause {usual.together}."
        )
    if with_none.afterwards > usual.afterwards:
        raise ItemFailed("The answer None was not kept, though other answers are: the next caller loaded again.")
    return "None is an answer like any other."


async def _delete_during_the_load(stage: Stage) -> str:
    """Item 6: after a delete, no caller joins the old load, and the old load does not fill."""
    await _delete_while_loading(stage)
    await stage.finish()
    _expect_no_error(stage, "caller 1")
    await stage.start_callers("caller 2")
    await stage.finish()
    if stage.answers["caller 2"][0].value == 1:
        raise ItemFailed("Caller 2 was given the old value: the load began before the delete and filled after it.")
    _expect_value(stage, "caller 2", value=2)
    stage.reset()
    await _delete_while_loading(stage)
    await stage.start_callers("caller 2")
    await stage.end_loads(2)  # the newer load first: the old one comes last and may fill over it
    await stage.finish()
    if stage.answers["caller 2"][0].value == 1:
        raise ItemFailed("Caller 2 came after the delete and was given the old value: it joined the old load.")
    await stage.start_callers("caller 3")
    await stage.finish()
    if stage.answers["caller 3"][0].value == 1:
        raise ItemFailed("Caller 3 was given the old value: the old load filled after the newer one.")
    _expect_value(stage, "caller 2", "caller 3", value=2)
    return "No caller that came after the delete was given the old value."


async def _delete_while_loading(stage: Stage) -> None:
    if not stage.can_delete:
        raise NotApplicable("It has no delete(key): nobody can tell it that the origin has changed.")
    await stage.start_callers("caller 1")
    await stage.write()
    await stage.delete()


async def _old_load_ends(stage: Stage) -> str:
    """Item 7: the end of an old load leaves a newer one alone, whether a retry or a delete has led to the newer one."""
    shares = await _retry_together(stage)
    stage.reset()
    try:
        await _end_old_load_beside_newer(stage, fail=False)
        stage.reset()
        await _end_old_load_beside_newer(stage, fail=True)
    except NotApplicable:
        if not shares:
            raise
        return "The old load failed, and the newer one stayed in the table."
    return "The old load ended, or failed, and the newer one stayed in the table."


async def _retry_together(stage: Stage) -> bool:
    """Callers whose load fails all try again in the same instant: one of them must load, and the others must join it.

    Returns whether the callers shared the first load; if they did not, this shows nothing.
    """
    await stage.start_callers("callers", 10, get=stage.get_with_one_retry)
    shares = stage.loads.begun == 1
    await stage.end_loads(fail=True)
    if shares and stage.loads.begun > 2:
        raise ItemFailed(
            "The load failed, and its 10 callers tried again. Each removed the load that another had begun, so they "
            f"began {stage.loads.begun - 1} loads."
        )
    with suppress(CallerHangs):  # item 2 judges that
        await stage.finish()
    return shares


async def _end_old_load_beside_newer(stage: Stage, *, fail: bool) -> None:
    await _delete_while_loading(stage)
    await stage.start_callers("caller 2")
    begun = stage.loads.begun
    if begun < 2 or not stage.loads.is_running(1):
        raise NotApplicable("No newer load runs beside the old one.")
    await stage.start_callers("caller 3")
    if stage.loads.begun > begun:
        raise NotApplicable("Callers do not join a load here.")
    await stage.end_loads(1, fail=fail)
    await stage.start_callers("caller 4")
    if stage.loads.begun > begun:
        raise ItemFailed(
            f"The old load {'failed' if fail else 'ended'} and removed the newer one, so caller 4 loaded again."
        )
    await stage.finish()
    _expect_no_error(stage, *(["caller 1"] if not fail else []), "caller 2", "caller 3", "caller 4")


async def _tables_afterwards(stage: Stage) -> str:
    """Item 8: when all is over, the subject does not hold the key any more."""
    if getattr(stage.subject, "keys_as_text", False):
        raise NotApplicable("It turns the keys into strings, and a string cannot be watched.")
    keeps_values = (await _count_loads(stage, version=1)).afterwards == 0
    watched: dict[str, tuple[weakref.ref[Any], list[Step]]] = {}
    for event, play in _EVENTS.items():
        if play is _all_callers_leave and not stage.can_cancel:
            continue
        if play is _delete_is_called and not stage.can_delete:
            continue
        stage.reset()
        await play(stage)
        await stage.finish()
        if keeps_values and any(step.did.startswith("ends with") for step in stage.record.steps):
            if not stage.can_delete:
                continue  # the subject keeps the value on purpose, and cannot be told to forget it
            await stage.delete()
        watched[event] = (weakref.ref(stage.key), stage.record.steps)
    stage.reset()
    gc.collect()
    if any(key() is not None for key, _ in watched.values()):
        await stage.use_other_keys(OTHER_KEYS)
        gc.collect()
    for event, (key, steps) in watched.items():
        if key() is not None:
            stage.record.steps = steps
            stage.record.add("its tables", "hold the key")
            raise ItemFailed(f"After {event}, its tables still hold the key.")
    if keeps_values and not stage.can_delete:
        return "Nothing is kept after a load that failed. (Without delete(key), values stay on purpose.)"
    return "Nothing is kept."


async def _load_has_failed(stage: Stage) -> None:
    await stage.start_callers("callers", 3)
    await stage.end_loads(fail=True)


async def _all_callers_leave(stage: Stage) -> None:
    await stage.start_callers("callers", 3)
    await stage.cancel("callers")


async def _load_is_running(stage: Stage) -> None:
    await stage.start_callers("callers", 3)


async def _delete_is_called(stage: Stage) -> None:
    await stage.start_callers("caller 1")
    await stage.delete()
    await stage.start_callers("caller 2")


_EVENTS = {
    "a load that failed": _load_has_failed,
    "a load that all callers had left": _all_callers_leave,
    "a load": _load_is_running,
    "a delete during a load": _delete_is_called,
}
"""What happens to the key in item 8 before all loads are ended."""


class _LoadCounts(NamedTuple):
    """How many loads ten callers at once caused, and how many one more caller afterwards."""

    together: int
    afterwards: int


async def _count_loads(stage: Stage, *, version: int | None) -> _LoadCounts:
    """Count the loads of ten callers and of a later one, where the origin answers with this version."""
    stage.reset()
    stage.version = version
    await stage.start_callers("callers", 10)
    await stage.finish()
    together = stage.loads.begun
    await stage.start_callers("a later caller")
    await stage.finish()
    _expect_value(stage, "callers", "a later caller", value=version)
    return _LoadCounts(together, stage.loads.begun - together)


def _expect_value(stage: Stage, *names: str, value: int | None) -> None:
    """Raises `ItemFailed` unless each caller of these names was given this value."""
    _expect_no_error(stage, *names)
    for name in names:
        for answer in stage.answers[name]:
            if answer.value != value:
                got = answer.value
                shown = repr(got) if isinstance(got, int | None) else f"a {type(got).__name__}"
                raise ItemFailed(f"{sentence_start(name)} was given {shown} and not {value}.")


def _expect_no_error(stage: Stage, *names: str) -> None:
    """Raises `ItemFailed` unless each caller of these names was given a value."""
    for name in names:
        for answer in stage.answers[name]:
            if isinstance(answer.error, asyncio.CancelledError):
                raise ItemFailed(f"{sentence_start(name)} got a CancelledError, though nobody had cancelled it.")
            if answer.error is not None:
                error = answer.error
                raise ItemFailed(f"{sentence_start(name)} got an error: {describe_error(error)}.", error)


def _number_of_loads(count: int) -> str:
    return "1 load" if count == 1 else f"{count} loads"


ITEMS: list[Item[Stage]] = [
    Item(1, "many callers, one load", _many_callers),
    Item(2, "the load fails", _load_fails),
    Item(3, "the first caller leaves", _first_caller_leaves),
    Item(4, "a follower leaves", _follower_leaves),
    Item(5, "the answer is None", _answer_is_none),
    Item(6, "a delete during the load", _delete_during_the_load),
    Item(7, "an old load ends", _old_load_ends),
    Item(8, "what is kept at the end", _tables_afterwards),
]
