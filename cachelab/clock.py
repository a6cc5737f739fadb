"""Whose time it is: the clock of the event loop that is running, bound once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "LoopClock", "lazy_clock", "running_clock"]

Clock: TypeAlias = Callable[[], float]
"""A function without arguments that returns seconds, never going back."""


def running_clock() -> Clock:
    """The clock of the running loop; without a loop `time.monotonic`, which is what the usual loops return."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return time.monotonic
    if type(loop).time is asyncio.BaseEventLoop.time:  # the same seconds with one call less on the hit path
        return time.monotonic
    return loop.time


def lazy_clock() -> Clock:
    """A clock that binds the running loop's at its first reading, for what is built before the loop runs."""
    bound: Clock | None = None

    def read() -> float:
        nonlocal bound
        if bound is None:
            bound = running_clock()
        return bound()

    return read


class LoopClock:
    """The clock of the loop that asks first, or `given`; `owner` belongs to that loop from then on."""

    def __init__(self, owner: str, given: Clock | None) -> None:
        self._owner = owner
        self._given = given
        self._read: Clock = given or time.monotonic
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> float:
        return self._read()

    def check_loop(self) -> None:
        """Bind to the running loop, or raise RuntimeError if that is another than before."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop, self._read = loop, self._given or running_clock()
        elif self._loop is not loop:
            raise RuntimeError(f"{self._owner} belongs to another event loop: build it inside the loop that uses it.")
