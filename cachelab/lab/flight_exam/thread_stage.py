"""The stage on threads, one of the two ways to run a script; the exam chooses by the kind of the subject.

Callers are threads, which run in real time and cannot be cancelled.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from cachelab.lab.flight_exam.stage import Answer, Key, OriginDown, Stage

__all__ = ["ThreadStage"]

IDLE_S = 0.004  # no thread has moved for so long: all of them wait
PATIENCE_S = 0.3  # no thread has moved for so long: a caller without an answer waits for ever
RELEASE_S = 5.0  # after so long a load ends without the script, so that no thread is left behind for ever


class ThreadStage(Stage):
    """Callers are threads."""

    def __init__(self, subject: Any, wait_factor: float = 1.0) -> None:
        super().__init__(subject, wait_factor)
        self._threads: list[threading.Thread] = []

    @staticmethod
    def run(scenario: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Run the scenario without a loop: on this stage, no method of a script really awaits anything."""
        try:
            scenario().send(None)
        except StopIteration as end:
            return str(end.value)
        raise RuntimeError("A script that runs with threads may await only the methods of its stage.")

    def load(self, key: Any) -> int | None:
        """The origin: read the version, wait until the script releases the load, and return what was read."""
        released, version = threading.Event(), self.version
        number = self.loads.begin(released, version)
        released.wait(RELEASE_S)
        return self.loads.end(number, version)

    def get_with_one_retry(self, *args: Any) -> Any:
        """The subject's `get`, called a second time at once if the first call raises the origin's error."""
        try:
            return self.subject.get(*args)
        except OriginDown:
            return self.subject.get(*args)

    async def wait_until_idle(self, *, patiently: bool = False) -> None:
        """Wait until no thread has moved for a while."""
        idle_s = PATIENCE_S if patiently else IDLE_S * self.wait_factor
        places, since = self._places(), time.perf_counter()
        deadline = since + 2 * PATIENCE_S
        while places and time.perf_counter() < min(since + idle_s, deadline):
            time.sleep(0.001)  # noqa: ASYNC251 (no loop runs here: see `run`)
            places_now = self._places()
            if places_now != places:
                places, since = places_now, time.perf_counter()

    def _places(self) -> dict[int, tuple[int, int]]:
        """The place in the code where each living thread is."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        idents = {thread.ident for thread in self._threads}
        return {ident: (id(frame), frame.f_lasti) for ident, frame in sys._current_frames().items() if ident in idents}

    def _get_and_delete_others(self, count: int) -> None:
        for _ in range(count):
            key = Key()
            self.subject.get(key, self.load)
            if self.can_delete:
                self.subject.delete(key)

    def _start(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        thread = threading.Thread(target=self._call, args=(name, function, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _call(self, name: str, function: Callable[..., Any], *args: Any) -> None:
        if name != "delete":
            self.record.add(name, "calls")
        try:
            value = function(*args)
        except BaseException as error:
            self._take_answer(name, Answer(None, error))
        else:
            self._take_answer(name, Answer(value))
