"""What exercises 2.1 and 2.2 share: they watch the steps of the learner's code, and show those of one interleaving."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any

from cachelab.lab.exercises.exercise import Wrong
from cachelab.lab.sim.races import Interleaving, Race, World, race
from cachelab.lab.text import evidence_table

__all__ = ["Watch", "steps_table"]

_under_way: ContextVar[list[str]] = ContextVar("_under_way")
"""The steps of one writer that have begun and not ended."""


def steps_table(interleaving: Interleaving) -> str:
    """The steps of an interleaving as a table, the last one marked."""
    rows = [[step.actor, step.did, step.cached or "empty", step.origin] for step in interleaving.steps]
    return evidence_table(["who", "does", "in the cache", "at the origin"], rows, len(rows) - 1)


class Watch:
    """Runs a learner's writer in races, and raises what is wrong with its code before any order is judged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._errors: list[Exception] = []
        self._calls: list[tuple[str, Coroutine[Any, Any, Any], Coroutine[Any, Any, Any]]] = []

    def step(self, call: str, step: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Watch a step that the learner's code has called: it has to be awaited, and one at a time."""

        async def watched() -> Any:
            under_way = _under_way.get()
            if under_way:
                words = (
                    "The steps are under way at the same time: no order of theirs is sure. Await one, then the next."
                )
                self._errors.append(Wrong(words, f"{call} begins before the step before it has ended"))
            under_way.append(call)
            try:
                return await step
            finally:
                under_way.remove(call)

        coroutine = watched()
        self._calls.append((call, coroutine, step))
        return coroutine

    def report(self, error: Exception) -> None:
        """Something is wrong that the learner's code may not notice itself."""
        self._errors.append(error)

    def judge(self) -> None:
        """Raise the first error of the learner's code, or `Wrong` if a step was not awaited."""
        if self._errors:
            raise self._errors[0]
        for call, coroutine, step in self._calls:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()
                step.close()
                words = f"{call} is called and not awaited: the step does not happen."
                raise Wrong(words, f"write `await` before {call}")

    def race(
        self,
        writers: Mapping[str, Callable[[World], Any]],
        turns: Mapping[str, int],
        *,
        warm: bool,
        reader: Callable[[World], Awaitable[object]] | None = None,
        cache: Callable[[World], Any] | None = None,
    ) -> Race:
        """All orders of the learner's writers, and of a reader. Raises what is wrong with the code."""
        self._calls.clear()
        actors: dict[str, Callable[[World], Awaitable[object]]] = {} if reader is None else {"reader": reader}
        actors |= {name: self._actor(writer) for name, writer in writers.items()}
        try:
            found = race(actors, turns=turns, warm=warm, cache=cache)
        except RuntimeError:
            self.judge()
            words = f"{self._name} does not come to its end: it takes more steps, or waits for what never comes."
            raise Wrong(words, f"it was given {max(turns.values())} turns") from None
        self.judge()
        return found

    def _actor(self, writer: Callable[[World], Any]) -> Callable[[World], Awaitable[object]]:
        async def act(world: World) -> None:
            _let_no_time_pass(asyncio.get_running_loop())
            _under_way.set([])
            try:
                running = writer(world)
                if not inspect.isawaitable(running):
                    raise Wrong(f"{self._name} has to be an async function.", f"it returned {running!r:.60}")
                await running
            except Exception as error:
                self._errors.append(error)
                raise

        return act


def _let_no_time_pass(loop: Any) -> None:
    """From now on a pause is over at once: what matters in a race is the order of the steps."""
    call_later = loop.call_later

    def call_soon_after_a_pause(delay: float, callback: Any, *args: Any, **options: Any) -> asyncio.Handle:
        is_pause = callback is asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]
        handle: asyncio.Handle = (
            loop.call_soon(callback, *args, **options) if is_pause else call_later(delay, callback, *args, **options)
        )
        return handle

    loop.call_later = call_soon_after_a_pause
