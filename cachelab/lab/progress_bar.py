"""How far a long work is: a bar for whoever sits before it, and nothing in a stored notebook.

A bar shows after a second of work, and is replaced by nothing at the end. In a notebook it shows only if the front end
would also take an answer to `input()`, for then somebody is there. A notebook that is run to be stored or compared has
nobody before it, so its outputs hold no bar, however slow the machine.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

__all__ = ["progress"]

AFTER_S = 1.0  # real seconds of work before the bar shows
EVERY_S = 0.2  # real seconds between two of its steps


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function to call with how much of `total` is done, as often as you like; the bar says `what`, in percent.

    Silent outside a notebook unless standard error is a terminal, and in every thread but the main one.
    """
    draw = _place()
    next_step = monotonic() + AFTER_S
    shown = False

    def done(amount: int) -> None:
        nonlocal next_step, shown
        if draw and (now := monotonic()) >= next_step:
            next_step, shown = now + EVERY_S, True
            draw(what, min(100, 100 * amount // max(total, 1)))

    try:
        yield done
    finally:
        if draw and shown:
            draw("", 100)


def _place() -> Callable[[str, int], None] | None:
    """What draws the bar where we are, and wipes it if there is nothing to say; None where nobody would see it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        return _notebook() if _takes_input(shell) else None
    return _terminal if sys.stderr is not None and sys.stderr.isatty() else None


def _takes_input(shell: Any) -> bool:
    """Whether the request that runs this cell came from a front end that lets people answer `input()`."""
    try:
        return bool(shell.get_parent()["content"]["allow_stdin"])
    except (AttributeError, KeyError, TypeError):
        return False


def _notebook() -> Callable[[str, int], None]:
    handle: Any = None

    def draw(what: str, percent: int) -> None:
        from html import escape

        from IPython.display import display

        nonlocal handle
        bundle = {}
        if what:
            label = escape(f"{what}: {percent}%")
            bar = f'<label>{label} <progress value="{percent}" max="100"></progress></label>'
            bundle = {"text/html": bar, "text/plain": f"{what}: {percent}%"}
        if handle is None:
            handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            handle.update(bundle, raw=True)

    return draw


def _terminal(what: str, percent: int) -> None:
    print(f"\r\x1b[K{what}: {percent}%" if what else "\r\x1b[K", end="", file=sys.stderr, flush=True)
