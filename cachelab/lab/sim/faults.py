"""Faults on a schedule, in a wrapper around the loader: the code under test does not know of them.

    load = lab.Faulty(
        db.fetch_user, lab.Down(10, 20), lab.Failing(30, 40, share=0.5), lab.Slow(50, 60, extra_s=0.2), seed=1
    )

A fault holds from `start` until before `end`, in seconds since the beginning of the scenario.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from cachelab.lab.sim.listeners import current_request

__all__ = ["Down", "Failing", "Faulty", "OriginError", "Slow"]


class OriginError(Exception):
    """What a faulty origin raises. A real one would raise an error of its driver."""


@dataclass(frozen=True)
class Down:
    """The origin refuses at once. A refused call raises an error and costs the origin nothing: it is no query.

    `lab.replay` lists such calls in `refused` of its result.
    """

    start: float
    end: float


@dataclass(frozen=True)
class Failing:
    """The origin does the work of every call, and a `share` of the calls (0 to 1) then raises an error."""

    start: float
    end: float
    share: float = 1.0


@dataclass(frozen=True)
class Slow:
    """The way to the origin takes `extra_s` seconds longer. To lower its capacity, raise the database's `service_s`."""

    start: float
    end: float
    extra_s: float


class Faulty:
    """`load` with faults and the same interface, `delete` included. Which calls fail depends on `seed` alone.

    A delete is passed on and meets no fault. Raises TypeError if `load` cannot be called, and ValueError for a fault
    unless 0 <= start < end, its `share` is from 0 to 1, and its `extra_s` is 0 or more.
    """

    def __init__(self, load: Callable[[Any], Awaitable[Any]], *faults: Down | Failing | Slow, seed: int = 1) -> None:
        if not callable(load):
            raise TypeError(f"load must be an async function of the key, or a Cache, not {load!r}.")
        for fault in faults:
            if not 0 <= fault.start < fault.end:
                raise ValueError(f"A fault needs 0 <= start < end, in seconds: {fault}.")
            if isinstance(fault, Failing) and not 0 <= fault.share <= 1:
                raise ValueError(f"The share of failing answers is between 0 and 1: {fault}.")
            if isinstance(fault, Slow) and not fault.extra_s >= 0:
                raise ValueError(f"A slow origin takes extra_s >= 0 seconds longer: {fault}.")
        self._load = load
        self._faults = faults
        self._random = Random(f"{seed}/faults")
        if hasattr(load, "delete"):
            self.delete = load.delete

    async def __call__(self, key: Any) -> Any:
        """What `load(key)` returns. Raises `OriginError` if an active fault makes this call fail."""
        now = asyncio.get_running_loop().time()
        active = [fault for fault in self._faults if fault.start <= now < fault.end]
        for fault in active:
            if isinstance(fault, Down):
                request = current_request.get()
                if request is not None:
                    request.refused.append(now)
                raise OriginError(f"the origin is down ({now:.3f} s)")
            if isinstance(fault, Slow):
                await asyncio.sleep(fault.extra_s)
        answer = await self._load(key)
        for fault in active:
            if isinstance(fault, Failing) and self._random.random() < fault.share:
                raise OriginError(f"the query failed ({now:.3f} s)")
        return answer
