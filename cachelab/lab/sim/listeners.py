"""Listeners for caches and stores: `listen` files each event with the request that caused it, `EventLog` with its time.

`listen` finds the request in a context variable, so that no function has to pass it on. `replay` sets the variable for
each request, and a task or a load that the request starts inherits it. The slow database counts its queries there as
well, and a faulty origin the calls that it refuses.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

from cachelab.events import Fact, Record
from cachelab.flight import carry

__all__ = ["EventLog", "RequestEvents", "current_request", "listen"]


@dataclass(slots=True)
class RequestEvents:
    """What one request caused: its number, its queries at the origin, and the events of the caches.

    `queries` is how many there were. `refused` has the time, on the loop's clock, of each call that the origin refused;
    the requests of a replay share this list.
    """

    number: int
    queries: int = 0
    refused: list[float] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


current_request: ContextVar[RequestEvents | None] = carry(ContextVar("current_request", default=None))


def listen(event: Record | Fact) -> None:
    """Give this to a cache as `listen=lab.listen`: its records then appear in the result of `lab.replay`.

    Outside a replay it ignores what it hears.
    """
    request = current_request.get()
    if request is not None:
        if isinstance(event, Record):
            request.records.append(event)
        else:
            request.facts.append(event)


class EventLog(list[tuple[float, Record | Fact]]):
    """A listener that keeps each event with its time: a list of pairs (seconds on the loop's clock, event).

    Give the same log to a cache and to its store as `listen=`, and `lab.plot_lifetimes` draws it. It is a list like any
    other, so an empty one is false: test a listener with `is not None`, as `Cache` and the stores do.
    """

    def __call__(self, event: Record | Fact) -> None:
        """Keep the event."""
        self.append((asyncio.get_running_loop().time(), event))
