"""What one request caused, found without any plumbing: a context variable goes wherever the request goes.

`replay` sets the variable for each request; the slow database counts its queries there, and a cache that was built
with `listen=lab.listen` leaves its records there. A background task that a request starts carries it along as well.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

from cachelab.events import Fact, Record

__all__ = ["EventLog", "RequestEvents", "current_request", "listen"]


@dataclass(slots=True)
class RequestEvents:
    """What the instruments saw of one request: its number, its queries at the origin, what the caches told."""

    number: int
    queries: int = 0
    records: list[Record] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


current_request: ContextVar[RequestEvents | None] = ContextVar("current_request", default=None)


def listen(event: Record | Fact) -> None:
    """Give this to a cache as `listen=lab.listen`, and its records stand in the trace of `lab.replay`."""
    seen = current_request.get()
    if seen is not None:
        if isinstance(event, Record):
            seen.records.append(event)
        else:
            seen.facts.append(event)


class EventLog(list[tuple[float, Record | Fact]]):
    """A listener for caches and stores that writes down what it hears: pairs of seconds on the loop's clock and event.

    Give the same one to a cache and to its store, and `lab.plot_lifetimes` draws it.
    """

    def __call__(self, event: Record | Fact) -> None:
        self.append((asyncio.get_running_loop().time(), event))
