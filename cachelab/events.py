"""The words for what happened: outcomes, results, facts and errors.

    CacheError
      InvalidationFailed   a delete did not reach every level: the old value may still be served
      LoadAbandoned        the load that this caller waited for was cancelled: there is no answer, so ask again
      Refused              a guard has refused the call, so that the origin or the store was not asked
      Undecodable          (in cachelab.stores.codec) bytes in a shared store are no entry of this key: a counted miss

An *outcome* says how the cache answered, a *result* what it answered (modelled on RFC 9211, Cache-Status):

    outcome   hit        from the store, fresh
              stale      from the store, after its TTL, as `freshness` allows
              miss       this caller loaded the key
              collapsed  this caller waited for a load that another had started, here or in another process
    result    value | absent | error (the load failed, or the caller was cancelled while it waited)

Each `get` ends with exactly one `Record` (none if `peek` raises, as it does for a key that is not hashable). Everything
else that is worth knowing is a `Fact`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from math import inf
from types import TracebackType
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from cachelab.clock import Clock
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
    "Refused",
    "Result",
    "SharedError",
    "abandoned",
    "answer_or_raise",
    "drop_context",
    "notify",
]

V = TypeVar("V")

Outcome: TypeAlias = Literal["hit", "stale", "miss", "collapsed"]
Result: TypeAlias = Literal["value", "absent", "error"]
FactKind: TypeAlias = Literal[
    "load",
    "loaded",
    "load error",
    "load abandoned",
    "fill",
    "fenced",
    "delete",
    "store error",
    "evicted",
    "expired",
    "refused",
]


class CacheError(Exception):
    """The base class of this package's own errors. The origin's errors reach the caller unchanged.

    A wrong argument raises ValueError or TypeError, and a wrong call RuntimeError.
    """


class InvalidationFailed(CacheError):
    """A delete did not reach every level, so the old value may be served until its TTL ends. Delete the key again."""


class LoadAbandoned(CacheError):
    """The load that this caller waited for was cancelled or interrupted. The caller was not, and may try again.

    `__cause__` is what ended the load: a CancelledError, KeyboardInterrupt or SystemExit.
    """


class Refused(CacheError):
    """A guard has refused this call at once: too many wait already, or what it would ask has just failed repeatedly.

    The origin or the store was not asked. So this is no failure of either of them, and a cache does not count it as a
    load.
    """


def abandoned(key: Hashable, cause: BaseException) -> LoadAbandoned:
    """The error for those that wait for a load that `cause` has ended: a cancellation or an interrupt."""
    error = LoadAbandoned(f"The load of {key!r} was cancelled before it had an answer.")
    error.__cause__ = cause
    return error


class SharedError:
    """The error of a load that several callers wait for, with its traceback and its context as the load left them.

    It stands in the place of the answer. If it were thrown at a waiting coroutine instead, Python would chain to it
    what each caller up to the outermost is handling (`__context__`), and the next caller would get that, too.
    """

    __slots__ = ("context", "error", "traceback")

    def __init__(self, error: Exception) -> None:
        self.error, self.context = error, error.__context__
        self.traceback: TracebackType | None = error.__traceback__


def answer_or_raise(answer: V | SharedError) -> V:
    """The answer. A `SharedError` raises its error, which then has the load's own traceback and context."""
    if not isinstance(answer, SharedError):
        return answer
    error, context = answer.error, answer.context
    try:
        raise error.with_traceback(answer.traceback)
    except Exception:
        error.__context__ = context
        raise
    finally:
        del answer, error, context  # the traceback holds this frame: a reference cycle


def drop_context(error: BaseException, handled: BaseException | None) -> None:
    """Remove what a caller was handling, `handled`, from the chain of an error's `__context__`."""
    link: BaseException | None = error
    while link is not None and link.__context__ is not handled:
        link = link.__context__
    if link is not None:
        link.__context__ = None


class Record(NamedTuple):
    """How one `get` ended: the name of the cache, the key, the outcome and the result.

    `stale_s` is for how many seconds the answer had not been fresh any more, and 0 for a fresh one. It may be above 0
    for a miss, too: if the cache below answered with a stale entry, or if the fill took longer than the TTL.
    """

    cache: str
    key: Hashable
    outcome: Outcome
    result: Result
    stale_s: float = 0.0


class Fact(NamedTuple):
    """Something that happened inside a cache or a store, whose name is in `cache`.

    `error` is the exception if the kind is "load error" or "store error", or "refused" by a guard, otherwise None.
    `seconds` is how long the load took if the kind is "loaded", "load error" or "load abandoned", or how long a guard
    took to refuse it, otherwise None.

    A cache reports its steps: "load" when one begins; "loaded" when it ends, or without an answer "load error", "load
    abandoned" (cancelled or interrupted) or "refused" (by a guard: then it was no load); "fill" and "delete" when they
    have succeeded, and "fenced" when a loaded value is not kept, because its key was deleted or invalidated meanwhile.
    A store reports why an entry is gone or was not kept: "evicted" for lack of room, "expired", "refused" as too large.
    """

    cache: str
    key: Hashable
    kind: FactKind
    error: Exception | None = None
    seconds: float | None = None


Listener: TypeAlias = Callable[[Record | Fact], None]
"""What hears of each `Record` and each `Fact`: a plain function, such as the `append` of a list."""


def notify(listen: Listener, event: Record | Fact) -> None:
    """Call the listener. Its error goes to the loop's exception handler, or to the log if no loop is running."""
    try:
        listen(event)
    except Exception as error:
        message = f"The listener of {event.cache} raised on {event}."
        try:
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
        except RuntimeError:
            logging.getLogger("cachelab").error(message, exc_info=error)


class Counters:
    """What every cache counts and reports.

    The counters are plain integers: `hits`, `stale`, `misses` and `collapsed` (their sum is the number of `get`s that
    have ended), `loads`, `load_errors`, `loads_abandoned` (cancelled or interrupted) and `store_errors`. A load that a
    guard refuses is none. Records and facts are built only if there is a listener; without one, the first store error
    that no caller gets is logged, as a warning of the logger "cachelab.store". An error of the listener goes to the
    event loop's exception handler and reaches no caller. What is no `Exception`, such as KeyboardInterrupt, passes
    through from where the listener was called.
    """

    def __init__(self, name: str, listen: Listener | None, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self.hits = self.stale = self.misses = self.collapsed = 0
        self.loads = self.load_errors = self.loads_abandoned = self.store_errors = 0
        self._listen = listen
        self._has_logged = False

    def _record(
        self, key: Hashable, outcome: Outcome, value: object = None, fresh_until: float = inf, *, error: bool = False
    ) -> None:
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
            stale_s = 0.0
            if outcome != "hit" and 0 < (past_s := self._clock() - fresh_until) < inf:  # inf: it was never to be kept
                stale_s = past_s
            notify(self._listen, Record(self.name, key, outcome, result, stale_s))

    def _load_failed(self, key: Hashable, error: Exception, began: float | None) -> None:
        if isinstance(error, Refused):
            self.loads -= 1  # the origin was not asked
            self._fact(key, "refused", error, began)
        else:
            self.load_errors += 1
            self._fact(key, "load error", error, began)

    def _store_error(self, key: Hashable, error: Exception, *, raised: bool = False) -> None:
        if isinstance(error, TypeError):  # a key or a value that the store cannot take: the program is wrong, no outage
            raise error
        self.store_errors += 1
        if self._listen is None and not raised and not self._has_logged:
            self._has_logged = True
            logging.getLogger("cachelab.store").warning(
                "The store of %s has failed: %r. Its later errors are only counted.", self.name, error
            )
        self._fact(key, "store error", error)

    def _fact(self, key: Hashable, kind: FactKind, error: Exception | None = None, began: float | None = None) -> None:
        if self._listen is not None:
            seconds = None if began is None else self._clock() - began
            notify(self._listen, Fact(self.name, key, kind, error, seconds))
