"""A pytest plugin: the tests run under eager tasks, in asyncio's debug mode or on uvloop, as `LOOP_VARIABLE` says.

"eager" and "debug" are for simulations, too; uvloop runs the tests that need a real loop. The helpers of the tests keep
their asserts under `python -O`, as the tests do: pytest turns each into an `if` with a `raise`.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from cachelab.lab.sim.virtual_loop import VirtualLoop

__all__ = ["EAGER", "LOOP_VARIABLE", "pytest_configure"]

LOOP_VARIABLE = "CACHELAB_TEST_LOOP"
EAGER = os.environ.get(LOOP_VARIABLE) == "eager"
_set_up: Any = asyncio.BaseEventLoop.__init__


def _create_eager_task(
    loop: Any, coroutine: Coroutine[Any, Any, Any], *, name: object = None, context: Any = None, **_: Any
) -> asyncio.Task[Any]:
    """As `VirtualLoop.create_task`, but the task begins at once. Outside the running loop it cannot."""
    loop._tasks_made += 1
    eager: Any = {"eager_start": loop.is_running()}
    name = str(name or f"task {loop._tasks_made:06d}")
    return asyncio.Task(coroutine, loop=loop, name=name, context=context, **eager)


def _set_up_eager(loop: Any, *args: Any, **options: Any) -> None:
    _set_up(loop, *args, **options)
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]  # from Python 3.12 on


def _change_loops(kind: str) -> None:
    """Change the loops that are built from now on."""
    if kind == "eager":
        VirtualLoop.create_task = _create_eager_task  # type: ignore[assignment,method-assign]
        asyncio.BaseEventLoop.__init__ = _set_up_eager  # type: ignore[assignment,method-assign]
    elif kind == "debug":  # real loops follow PYTHONASYNCIODEBUG
        VirtualLoop.get_debug = lambda self: True  # type: ignore[method-assign]
    elif kind == "uvloop":
        import uvloop

        asyncio.events.new_event_loop = asyncio.new_event_loop = uvloop.new_event_loop  # what `asyncio.run` calls
    elif kind:
        raise ValueError(f"{LOOP_VARIABLE} must be eager, debug or uvloop, not {kind!r}.")


def pytest_configure() -> None:
    """pytest calls this when the plugin is loaded."""
    helpers = (f"tests.support.{path.stem}" for path in Path(__file__).parent.glob("*.py"))
    pytest.register_assert_rewrite(*(helper for helper in helpers if helper not in sys.modules))
    _change_loops(os.environ.get(LOOP_VARIABLE, ""))
