"""Exercise 6.2: a background refresh that leaks its tasks."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong
from cachelab.lab.sim.simulation import run

__all__ = ["EXERCISE"]


class _Origin:
    """Loads that take a second; every third fails."""

    def __init__(self) -> None:
        self.begun = 0
        self.flying: Counter[int] = Counter()
        self.most: Counter[int] = Counter()

    async def load(self, key: int) -> str:
        self.begun += 1
        number = self.begun
        self.flying[key] += 1
        self.most[key] = max(self.most[key], self.flying[key])
        try:
            await asyncio.sleep(1.0)
        finally:
            self.flying[key] -= 1
        if number % 3 == 0:
            raise ConnectionError("the origin is down")
        return f"load {number}"


def _tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def examine(make: Any) -> str:
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    unheard: list[str] = []

    async def scenario() -> str:
        asyncio.get_running_loop().call_exception_handler = lambda context: unheard.append(context["message"])  # type: ignore[method-assign]
        origin = _Origin()
        refresher = make(origin.load)
        refresher.values[7] = "old"
        for _ in range(20):
            refresher.touch(7)
            await asyncio.sleep(0.01)
        if origin.begun == 0:
            raise Wrong("touch(key) has to start a refresh in the background.", "20 touches, and no load began.")
        if origin.most[7] > 1:
            words = "Every touch starts a load, also while one is under way: remember which keys are being refreshed."
            raise Wrong(words, f"20 touches of one key in 0.2 s: {origin.most[7]} loads at once.")
        await asyncio.sleep(2.0)
        if refresher.values.get(7) != "load 1":
            words = "The load has ended, and its value did not get into `values`."
            raise Wrong(words, f"load 1 ended, values[7] is {refresher.values.get(7)!r}.")
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
            words = "A load failed, and nobody ever looked at the error: asyncio complains when the task is gone."
            raise Wrong(words, f"{len(unheard)} times: {unheard[0]}")
        if "old" not in refresher.values.values():
            words = "A failed load must leave the old value where it is: a stale answer is better than none."
            raise Wrong(words, "10 of 31 loads failed, and no old value is left.")
        failed = next(key for key, value in refresher.values.items() if value == "old")
        begun = origin.begun
        refresher.touch(failed)
        await asyncio.sleep(2.0)
        if origin.begun == begun:
            raise Wrong("A key whose refresh has failed is never tried again.", f"touch({failed}), and no load began.")
        refresher.touch(7)
        await asyncio.sleep(0.5)
        refresher.touch(8)
        await refresher.close()
        if _tasks() or len(refresher.tasks):
            words = "After close() nothing may be under way: cancel what is, wait for its end, and forget it."
            if not _tasks():
                words = (
                    "A task that is cancelled before its first step never comes to its `finally`, so it stays in the "
                    "table. add_done_callback is called in any case."
                )
            raise Wrong(words, f"{_tasks()} tasks are still running, {len(refresher.tasks)} are in the table.")
        return "One load at a time for each key, nothing left behind, and no error unheard."

    return run(scenario)


EXERCISE = Exercise(
    examine,
    [
        "What removes a task from self.tasks? What happens on the second touch of a key, and if the load fails?",
        "Keep the tasks in a dict by key, look there first, and let task.add_done_callback remove the key.",
        "In refresh: `except Exception: pass`, and the old value stays. In close: cancel all, then gather them.",
    ],
)
