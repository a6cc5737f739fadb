"""Circuit breaker: what has failed several times in a row is not asked for a while, and then by one caller only.

Problem: while a store or an origin is down, each caller waits for the same time-out. And when it comes back, it meets
    all callers at once.
Idea: count the failures in a row. After some of them the breaker opens: for some seconds each call is refused at once.
    Then it is half open: one call at a time is let through, as a trial. If that succeeds, the breaker is closed again;
    if it fails, it stays open for as long again.
Guarantee: no call while it is open, and one at a time while it is half open. A trial that is cancelled leaves its place
    to the next caller. A call that began before the breaker opened neither closes it nor counts against it, whenever it
    ends. What a mistake in the program raises is no failure, nor is a refusal by another guard. Time is the running
    loop's. A `claim` is refused unless the breaker is closed. It is never the trial, because it may wait long for
    another process, but an error that it raises is a failure.
Not guaranteed: that a call which hangs is noticed, or a trial: put a `TimeLimit` inside. That a cancelled call is
    counted: the caller may have left for a reason of its own. That the origin gets fewer queries: a breaker around a
    store that has failed turns a slow miss into a fast one. A loader that raises an error of its own for an unknown key
    opens the breaker for all keys: return `ABSENT` instead.
Cost: a comparison for each call, and a look at the clock while it is not closed.
Source: Nygard, "Release It!"; Fowler, "CircuitBreaker", https://martinfowler.com/bliki/CircuitBreaker.html.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, overload

from cachelab.clock import LoopClock
from cachelab.entry import MISS, Entry, Miss, Store, checked_count, checked_number
from cachelab.events import CacheError, Refused
from cachelab.guards.guard import Guard

__all__ = ["Breaker"]

K = TypeVar("K")
V = TypeVar("V")

NO_FAILURE = (
    CacheError,  # such as `Refused`, by a guard inside
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    TypeError,
)
"""What is no failure of the origin: a mistake in the program, or an error of this package. All other errors are.

The errors of clients have no class in common. ValueError is not in the list, because it is also what a client raises
for an answer that it cannot read.
"""


class Breaker(Guard[K, V]):
    """The loader or store `inside`, which is asked no more for `open_s` seconds after `failures` calls have failed.

    `state`     "closed", "open" or "half open"
    `opened`    how often it has opened
    `refused`   how many calls it has refused

    A breaker belongs to the event loop in which it is first used. Raises ValueError for wrong numbers, and TypeError
    for what is no number, loader or store.
    """

    @overload
    def __init__(self, inside: Callable[[K], Awaitable[V]], *, failures: int = ..., open_s: float = ...) -> None: ...
    @overload
    def __init__(self: Breaker[Any, V], inside: Store[V], *, failures: int = ..., open_s: float = ...) -> None: ...
    def __init__(self, inside: Any, *, failures: int = 5, open_s: float = 5.0) -> None:
        super().__init__(inside)
        self._failures = checked_count("failures", failures)
        self._open_s = checked_number("open_s", open_s)
        if not self._open_s > 0:
            raise ValueError(f"open_s must be more than 0 seconds, not {open_s!r}.")
        self._clock = LoopClock("This breaker", None)
        self._failed = 0  # calls in a row
        self._opens_until: float | None = None  # None: it is closed
        self._is_trying = False
        self.opened = self.refused = 0
        if hasattr(inside, "claim"):
            self.claim = self._claim

    @property
    def state(self) -> Literal["closed", "open", "half open"]:
        """Whether calls are let through: all, none, or one at a time."""
        if self._opens_until is None:
            return "closed"
        return "open" if self._clock() < self._opens_until else "half open"

    async def _call(self, verb: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        self._clock.check_loop()
        state, opened = self.state, self.opened
        if state == "open" or self._is_trying:
            self._refuse()
        self._is_trying = state == "half open"
        try:
            answer = await verb(*arguments)
        except Exception as error:
            self._note(error, opened)
            raise
        else:
            if opened == self.opened:  # otherwise the breaker has opened since this call began
                self._failed, self._opens_until = 0, None
            return answer
        finally:
            if state == "half open":
                self._is_trying = False

    async def _claim(self, key: Any, seen: Entry[Any] | Miss = MISS) -> Any:
        self._clock.check_loop()
        opened = self.opened
        if self.state != "closed":
            self._refuse()
        try:
            return await self._inside.claim(key, seen)
        except Exception as error:
            self._note(error, opened)
            raise

    def _refuse(self) -> None:
        self.refused += 1
        raise Refused("The circuit breaker is open.")

    def _note(self, error: Exception, opened: int) -> None:
        """Count a failure of a call that began when the breaker had opened so many times."""
        if opened == self.opened and not isinstance(error, NO_FAILURE):
            self._failed += 1
            if self._opens_until is not None or self._failed == self._failures:
                self._opens_until = self._clock() + self._open_s
                self.opened += 1
