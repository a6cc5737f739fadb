"""Exercise 6.2: a background refresh that leaks its tasks."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.simulation import run

__all__ = ["EXERCISE"]


class _Origin:
    """Loads that take a second each; every third one fails."""

    def __init__(self) -> None:
        self.begun = 0
        self.running: Counter[int] = Counter()
        self.most_running: Counter[int] = Counter()

    async def load(self, key: int) -> str:
        self.begun += 1
        number = self.begun
        self.running[key] += 1
        self.most_running[key] = max(self.most_running[key], self.running[key])
        try:
            await asyncio.sleep(1.0)
        finally:
            self.running[key] -= 1
        if number % 3 == 0:
            raise ConnectionError("the origin is down")
        return f"load {number}"


async def _check_one_key(refresher: Any, origin: _Origin) -> None:
    """Twenty touches of key 7 start one load, and its value is kept."""
    refresher.values[7] = "old"
    for _ in range(20):
        refresher.touch(7)
        await asyncio.sleep(0.01)
    if origin.begun == 0:
        raise Wrong("touch(key) has to start a refresh in the background.", "20 touches, and no load began.")
    if origin.most_running[7] > 1:
        words = "Every touch starts a load, also while one is under way: remember which keys are being refreshed."
        raise Wrong(words, f"20 touches of one key in 0.2 s: {origin.most_running[7]} loads at once.")
    await asyncio.sleep(2.0)
    if refresher.values.get(7) != "load 1":
        words = "The load has ended, and its value did not get into `values`."
        raise Wrong(words, f"load 1 ended, values[7] is {refresher.values.get(7)!r}.")


async def _check_many_keys(refresher: Any, origin: _Origin, unheard: Sequence[str]) -> None:
    """Thirty other keys are refreshed at once. A third of the loads fail, and no task and no error is left over."""
    for key in range(100, 130):
        refresher.values[key] = "old"
        refresher.touch(key)
    await asyncio.sleep(2.0)
    if origin.begun < 31:
        words = "Each key needs a refresh of its own, also while another key is being refreshed."
        raise Wrong(words, f"30 other keys were touched, and {origin.begun - 1} loads began.")
    gc.collect()
    if len(refresher.tasks):
        words = "The tasks that have ended are still in your table: a task has to leave it when it is done."
        raise Wrong(words, f"31 refreshes have ended, and the table holds {len(refresher.tasks)} of them.")
    if unheard:
        words = "A load failed, and no code ever looked at the error: asyncio complains when the task is gone."
        raise Wrong(words, f"{len(unheard)} times: {unheard[0]}")
    if "old" not in refresher.values.values():
        words = "A failed load must leave the old value where it is: a stale answer is better than none."
        raise Wrong(words, "10 of 31 loads failed, and no old value is left.")


async def _check_second_try(refresher: Any, origin: _Origin) -> None:
    """A key whose refresh has failed is refreshed again when it is touched."""
    failed = next(key for key, value in refresher.values.items() if value == "old")
    begun = origin.begun
    refresher.touch(failed)
    await asyncio.sleep(2.0)
    if origin.begun == begun:
        raise Wrong("A key whose refresh has failed is never tried again.", f"touch({failed}), and no load began.")


async def _check_close(refresher: Any) -> None:
    """After `close` nothing is left of a refresh under way, nor of one that has not taken its first step."""
    refresher.touch(7)
    await asyncio.sleep(0.5)
    refresher.touch(8)
    await refresher.close()
    running = len(asyncio.all_tasks()) - 1
    if running or len(refresher.tasks):
        words = "After close() nothing may be under way: cancel the tasks, wait for their end, and forget them."
        if not running:
            words = (
                "A task that is cancelled before its first step never comes to its `finally`, so it stays in the "
                "table. The function given to add_done_callback is called in any case."
            )
        raise Wrong(words, f"{running} tasks are still running, {len(refresher.tasks)} are in the table.")


def _examine(make: Any) -> str:
    """Touch keys of `make(load)`, let loads fail, close it, and look for what is left."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    unheard: list[str] = []

    def note(context: dict[str, Any]) -> None:
        unheard.append(context["message"])

    async def scenario() -> str:
        asyncio.get_running_loop().call_exception_handler = note  # type: ignore[method-assign]
        origin = _Origin()
        refresher = make(origin.load)
        await _check_one_key(refresher, origin)
        await _check_many_keys(refresher, origin, unheard)
        await _check_second_try(refresher, origin)
        await _check_close(refresher)
        return "One load at a time for each key, nothing left behind, and every error handled."

    return run(scenario)


EXERCISE = Exercise(
    _examine,
    [
        "What removes a task from self.tasks? What happens on the second touch of a key, and if the load fails?",
        "Keep the tasks in a dict by key, look there first, and let task.add_done_callback remove the key.",
        "In refresh: `except Exception: pass`, and the old value stays. In close: cancel all tasks, then gather them.",
    ],
)
