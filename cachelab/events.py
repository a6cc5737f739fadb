"""The words for what happened: outcomes, results, facts and errors.

    CacheError
      InvalidationFailed      a delete did not reach every level: somebody may still be served the old value
      LoadAbandoned           the load that this caller waited for was cancelled: there is no answer, ask again
      Undecodable             (in cachelab.stores.codec) what a shared store returned is not what was asked for: a counted miss

An *outcome* says how the cache answered, a *result* what it answered (modelled on RFC 9211, Cache-Status):

    outcome   hit        from the store, fresh
              stale      from the store, older than it should be, on purpose
              miss       this caller loaded
              collapsed  this caller waited for a load that somebody else had started
    result    value | absent | error (the load failed, or the caller was cancelled while it waited)

There is exactly one `Record` for each `get`. Everything else that is worth knowing is a `Fact`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Literal, NamedTuple, TypeAlias

from cachelab.entry import ABSENT

__all__ = [
    "CacheError",
    "Counters",
    "Fact",
    "FactKind",
    "InvalidationFailed",
    "Listener",
    "LoadAbandoned",
    "Outcome",
    "Record",
    "Result",
    "notify",
]

Outcome: TypeAlias = Literal["hit", "stale", "miss", "collapsed"]
Result: TypeAlias = Literal["value", "absent", "error"]
FactKind: TypeAlias = Literal[
    "load", "fill", "fenced", "delete", "load error", "store error", "evicted", "expired", "refused"
]


class CacheError(Exception):
    """The root of what this package raises itself; the origin's own errors reach the caller unchanged."""


class InvalidationFailed(CacheError):
    """A delete did not reach every level: the old value may be served until its TTL ends. Delete again."""


class LoadAbandoned(CacheError):
    """The load that this caller waited for was cancelled or interrupted. The caller himself was not: he may retry."""


class Record(NamedTuple):
    """How one `get` ended: which cache, which key, and one word each for how and what."""

    cache: str
    key: Hashable
    outcome: Outcome
    result: Result


class Fact(NamedTuple):
    """Something that happened inside a cache or a store; `error` is the exception behind a "... error", else None.

    A store tells why an entry left or was not kept: "evicted" for want of room, "expired", "refused" as too large.
    """

    cache: str
    key: Hashable
    kind: FactKind
    error: Exception | None = None


Listener: TypeAlias = Callable[[Record | Fact], None]


def notify(listen: Listener, event: Record | Fact) -> None:
    """Call the listener. If it raises, the loop's exception handler hears of it, or the log if no loop is running."""
    try:
        listen(event)
    except Exception as error:
        message = f"The listener of {event.cache} raised on {event}."
        try:
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
        except RuntimeError:
            logging.getLogger("cachelab").error(message, exc_info=error)


class Counters:
    """What every cache counts and tells.

    The counters are plain integers: `hits`, `stale`, `misses` and `collapsed` (their sum is the number of `get`s that
    have ended), `loads`, `load_errors` and `store_errors`. Records and facts are built only if somebody listens; a
    listener that raises is reported to the event loop's exception handler and disturbs nobody.
    """

    def __init__(self, name: str, listen: Listener | None) -> None:
        self.name = name
        self.hits = self.stale = self.misses = self.collapsed = self.loads = self.load_errors = self.store_errors = 0
        self._listen = listen

    def _answered(self, key: Hashable, outcome: Outcome, value: object = None, *, error: bool = False) -> None:
        if outcome == "hit":
            self.hits += 1
        elif outcome == "miss":
            self.misses += 1
        elif outcome == "stale":
            self.stale += 1
        else:
            self.collapsed += 1
        if self._listen is not None:
            result: Result = "error" if error else "absent" if value is ABSENT else "value"
            notify(self._listen, Record(self.name, key, outcome, result))

    def _store_failed(self, key: Hashable, error: Exception) -> None:
        self.store_errors += 1
        self._fact(key, "store error", error)

    def _fact(self, key: Hashable, kind: FactKind, error: Exception | None = None) -> None:
        if self._listen is not None:
            notify(self._listen, Fact(self.name, key, kind, error))
