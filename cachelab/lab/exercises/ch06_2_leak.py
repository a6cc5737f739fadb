"""Exercise 6.2: a background refresh that leaks its tasks."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment

__all__ = ["EXERCISE"]

LOAD_S = 0.05
HANGS_S = 3_600.0


class _Origin:
    """Loads that take 50 ms each; every third one fails. `outcomes` holds how the last load of each key ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.load_s = LOAD_S
        self.running: Counter[int] = Counter()
        self.most_running: Counter[int] = Counter()
        self.outcomes: dict[int, str] = {}

    async def load(self, key: int) -> str:
        self.begun += 1
        number = self.begun
        self.running[key] += 1
        self.most_running[key] = max(self.most_running[key], self.running[key])
        self.outcomes[key] = "given up"
        try:
            await asyncio.sleep(self.load_s)
        finally:
            self.running[key] -= 1
        if number % 3 == 0:
            self.outcomes[key] = "failed"
            raise ConnectionError("the origin is down")
        self.outcomes[key] = f"load {number}"
        return self.outcomes[key]


def _touch(refresher: Any, key: int) -> None:
    """One stale hit. The reader gets the old value, and does not wait."""
    returned = refresher.touch(key)
    if inspect.iscoroutine(returned):
        returned.close()
        words = "touch is a plain function: the reader that gets the old value does not wait."
        raise Wrong(words, f"touch({key}) → a coroutine")


async def _check_one_key(refresher: Any, origin: _Origin) -> None:
    """Twenty touches of key 7 start one load, and its value is kept; later touches start another."""
    refresher.values[7] = "old"
    for _ in range(20):
        _touch(refresher, 7)
        await asyncio.sleep(LOAD_S / 50)
    meanwhile = refresher.values.get(7, "gone")
    await asyncio.sleep(2 * LOAD_S)
    value = refresher.values.get(7, "gone")
    if inspect.iscoroutine(value):
        value.close()
        words = "You keep the coroutine of the load instead of its value: an await is missing."
        raise Wrong(words, "values[7] is a coroutine.")
    if origin.begun == 0:
        words = (
            "touch(key) has to start a refresh in the background. (If yours does: an `except Exception` around the "
            "load hides mistakes of its own, too.)"
        )
        raise Wrong(words, "20 touches, and no load began.")
    if origin.most_running[7] > 1:
        words = "Every touch starts a load, also while one is under way: remember which keys are being refreshed."
        raise Wrong(words, f"20 touches of one key in 20 ms: {origin.most_running[7]} loads at once.")
    if origin.begun > 1:
        raise Wrong(
            "One load is enough for all touches while it is under way.", f"{origin.begun} loads, one after the other"
        )
    if origin.outcomes[7] == "given up":
        raise Wrong("Your class gives the load up before its end: here a load takes 50 ms.", "load 1 was cancelled.")
    if meanwhile != "old":
        words = (
            "While a load is under way, the old value stays where it is: it is the answer for all who ask meanwhile."
        )
        raise Wrong(words, f"20 ms after the first touch, values[7] is {meanwhile!r}.")
    if value != "load 1":
        words = "The load has ended, and its value did not get into `values`."
        raise Wrong(words, f"load 1 ended, values[7] is {value!r}.")
    _check_table(refresher, "load 1 has ended")
    _touch(refresher, 7)
    await asyncio.sleep(2 * LOAD_S)
    if refresher.values.get(7) != "load 2":
        words = "A key that has been refreshed is not refreshed again when it is touched later."
        raise Wrong(words, f"touched again after the end of load 1: {origin.begun} load in all")


def _check_table(refresher: Any, ended: str) -> None:
    """No task is under way, and none is in the table."""
    if len(refresher.tasks):
        words = "The tasks that have ended are still in your table: a task has to leave it when it is done."
        raise Wrong(words, f"{ended}, and the table holds {len(refresher.tasks)}.")


async def _check_many_keys(refresher: Any, origin: _Origin, complaints: Sequence[str]) -> None:
    """Thirty other keys are refreshed at once. A third of the loads fail, and no task and no error is left over."""
    keys = range(100, 130)
    for key in keys:
        refresher.values[key] = "old"
        _touch(refresher, key)
    await asyncio.sleep(2 * LOAD_S)
    begun = sum(key in origin.outcomes for key in keys)
    if begun < len(keys):
        words = "Each key needs a refresh of its own, also while another key is being refreshed."
        raise Wrong(words, f"30 other keys were touched, and {begun} loads began.")
    for key in keys:
        value = refresher.values.get(key, "gone")
        if origin.outcomes[key] == "failed" and value != "old":
            words = "A failed load must leave the old value where it is: a stale answer is better than none."
            raise Wrong(words, f"the load of {key} has failed, and values[{key}] is {value!r}.")
        if origin.outcomes[key] != "failed" and value != origin.outcomes[key]:
            words = "Each load fills its own key, with its own value."
            raise Wrong(words, f"{origin.outcomes[key]} was for key {key}, and values[{key}] is {value!r}.")
    gc.collect()
    _check_table(refresher, "32 refreshes have ended, 10 of them with an error")
    if complaints:
        words = "A load failed, and no code ever looked at the error: asyncio complains when the task is gone."
        raise Wrong(words, f"{len(complaints)} times: {complaints[0]}")


async def _check_second_try(refresher: Any, origin: _Origin) -> None:
    """A key whose refresh has failed is refreshed again when it is touched."""
    failed = next(key for key, outcome in origin.outcomes.items() if outcome == "failed")
    begun = origin.begun
    _touch(refresher, failed)
    await asyncio.sleep(2 * LOAD_S)
    if origin.begun == begun:
        raise Wrong("A key whose refresh has failed is never tried again.", f"touch({failed}), and no load began.")


async def _check_close(refresher: Any, origin: _Origin) -> None:
    """`close` ends refreshes under way at once, also one that has not taken its first step, and nothing is left."""
    loop = asyncio.get_running_loop()
    origin.load_s = HANGS_S
    _touch(refresher, 6)
    _touch(refresher, 7)
    await asyncio.sleep(LOAD_S)
    _touch(refresher, 8)
    start = loop.time()
    closing = refresher.close()
    if not inspect.isawaitable(closing):
        words = "close has to be async: it waits until the tasks that it cancels have ended."
        raise Wrong(words, f"close() → {closing!r}")
    try:
        await closing
    except asyncio.CancelledError:
        words = (
            "close() raises the CancelledError of a task that it has cancelled itself: it waits for the end of its "
            "tasks, and not for their results."
        )
        raise Wrong(words, "close() → CancelledError") from None
    running = len(asyncio.all_tasks()) - 1
    await asyncio.sleep(0)  # for callbacks that are still to come
    if loop.time() > start + 1:
        words = "close() waits for loads that are under way, however long they take: cancel their tasks, all of them."
        raise Wrong(words, f"two loads hang, and close() returned after {loop.time() - start:,.0f} s")
    if running or len(refresher.tasks):
        words = "After close() nothing may be under way: cancel the tasks, wait for their end, and forget them."
        if not running:
            words = (
                "A task that is cancelled before its first step never comes to its `finally`, so it stays in the "
                "table. The function given to add_done_callback is called in any case."
            )
        raise Wrong(words, f"{running} tasks are still running, {len(refresher.tasks)} are in the table.")
    await refresher.close()  # with nothing under way it must not fail


async def _experiment(make: Any, complaints: Sequence[str]) -> str:
    origin = _Origin()
    refresher = make(origin.load)
    for name, needed in {"touch": "method", "close": "method", "values": "table", "tasks": "table"}.items():
        if not hasattr(refresher, name):
            words = "Keep the names touch, close, values and tasks: the check looks at them."
            raise Wrong(words, f"{type(refresher).__name__} has no {needed} {name}")
    await _check_one_key(refresher, origin)
    await _check_many_keys(refresher, origin, complaints)
    await _check_second_try(refresher, origin)
    await _check_close(refresher, origin)
    return "One load at a time for each key, nothing left behind, and every error handled."


def _examine(make: Any) -> str:
    """Touch keys of `make(load)`, let loads fail, close it, and look for what is left."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    complaints: list[str] = []
    return run_experiment(_experiment, make, complaints, complaints=complaints)


EXERCISE = Exercise(
    _examine,
    [
        "What removes a task from self.tasks? What does a second touch of the same key do? What if a load fails?",
        "Keep the tasks in a dict by key. `touch` looks there first, and task.add_done_callback removes the key.",
        "refresh: `except Exception: pass` keeps the old value. close: cancel all tasks, then gather them.",
    ],
)
