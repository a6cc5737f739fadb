"""A progress bar for long work, which leaves nothing in a stored notebook.

The bar shows after a second of work, and disappears at the end. In a notebook it shows only if the front end accepts an
answer to `input()`, because then somebody is using it. A notebook that is run to be stored or compared has no such
front end, so its outputs hold no bar, however slow the machine is.
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
EVERY_S = 0.2  # real seconds between two updates of it


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to be called, as often as you like, with how much of `total` is done. The bar's label is `what`.

    Outside a notebook the bar shows only if standard error is a terminal. It shows in the main thread only.
    """
    draw = _drawer()
    next_update = monotonic() + AFTER_S
    shown = False

    def done(amount: int) -> None:
        nonlocal next_update, shown
        if draw and (now := monotonic()) >= next_update:
            next_update, shown = now + EVERY_S, True
            draw(what, min(100, 100 * amount // max(total, 1)))

    try:
        yield done
    finally:
        if draw and shown:
            draw("", 100)


def _drawer() -> Callable[[str, int], None] | None:
    """What draws the bar, from its label and its percentage, or erases it if the label is ""; None for no bar."""
    if threading.current_thread() is not threading.main_thread():
        return None
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        return _notebook_drawer() if _takes_input(shell) else None
    return _draw_in_terminal if sys.stderr is not None and sys.stderr.isatty() else None


def _takes_input(shell: Any) -> bool:
    """Whether the request to run this cell came from a front end that accepts answers to `input()`."""
    try:
        return bool(shell.get_parent()["content"]["allow_stdin"])
    except (AttributeError, KeyError, TypeError):
        return False


def _notebook_drawer() -> Callable[[str, int], None]:
    handle: Any = None

    def draw(label: str, percent: int) -> None:
        from html import escape

        from IPython.display import display

        nonlocal handle
        bundle = {}
        if label:
            text = f"{label}: {percent}%"
            bar = f'<label>{escape(text)} <progress value="{percent}" max="100"></progress></label>'
            bundle = {"text/html": bar, "text/plain": text}
        if handle is None:
            handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            handle.update(bundle, raw=True)

    return draw


def _draw_in_terminal(label: str, percent: int) -> None:
    print(f"\r\x1b[K{label}: {percent}%" if label else "\r\x1b[K", end="", file=sys.stderr, flush=True)
