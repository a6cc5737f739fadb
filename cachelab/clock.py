"""The clock of the running event loop, which is bound once and then read everywhere."""

from __future__ import annotations

import asyncio
import time
from asyncio import get_running_loop  # one look-up less for each miss
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "LoopClock", "lazy_clock", "running_clock"]

Clock: TypeAlias = Callable[[], float]
"""A function without arguments that returns seconds, which never go back."""


def running_clock() -> Clock:
    """The clock of the running loop. Without a loop it is `time.monotonic`, which is what the usual loops return."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return time.monotonic
    if type(loop).time is asyncio.BaseEventLoop.time:  # the same seconds with one call less for each hit
        return time.monotonic
    return loop.time


def lazy_clock() -> Clock:
    """A clock that binds to the running loop when it is first read, for parts that are built before the loop runs."""
    bound: Clock | None = None

    def read() -> float:
        nonlocal bound
        if bound is None:
            bound = running_clock()
        return bound()

    return read


class LoopClock:
    """The clock of the first loop that `check_loop` sees, or `given`. From then on `owner` belongs to that loop."""

    def __init__(self, owner: str, given: Clock | None) -> None:
        self._owner = owner
        self._given = given
        self._read: Clock = given or time.monotonic
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> float:
        return self._read()

    def check_loop(self) -> None:
        """Bind to the running loop. Raises RuntimeError if that is another loop than before."""
        loop = get_running_loop()
        if self._loop is None:
            self._loop, self._read = loop, self._given or running_clock()
        elif self._loop is not loop:
            raise RuntimeError(f"{self._owner} belongs to another event loop: build it inside the loop that uses it.")
