"""The visual language of the lab: pictures, each with a twin in words.

It is the same in all chapters. A meaning has a colour and a marker, never a colour alone. Lines show what the formula
says, and dots show what was measured. Labels stand on the lines instead of in a legend, and the title states the
finding. Pictures are drawn without pyplot, so that they leave no state behind and look the same everywhere.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cachelab.lab.text import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "EndLabel",
    "MARKERS",
    "PALETTE",
    "Picture",
    "axes",
    "finish",
    "label_ends",
]

# Okabe and Ito's palette, whose colours people with any kind of colour vision can tell apart.
COLOURS = {
    "hit": "#009E73",
    "stale": "#E69F00",
    "miss": "#D55E00",
    "collapsed": "#56B4E9",
    "error": "#CC79A7",
    "origin": "#0072B2",
    "wait": "#C9D6E2",
    "limit": "#222222",
}
MARKERS = {"hit": "o", "stale": "^", "miss": "X", "collapsed": "s", "error": "P"}
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]

EndLabel: TypeAlias = tuple[float, float, str, str]
"""A label at the end of a line: x, y, text, colour."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure and its twin in words. As the last line of a cell it is shown; elsewhere call `show()`."""

    png: bytes
    words: str
    title: str

    def show(self) -> None:
        """Display the picture, then its twin in words."""
        self._display()
        say(self.words)

    def _ipython_display_(self) -> None:
        self.show()

    def _display(self) -> Any:
        from IPython.display import display

        return display(*self._bundle(), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def _bundle(self) -> tuple[dict[str, str]]:
        return ({"image/png": base64.b64encode(self.png).decode(), "text/plain": f"[figure: {self.title}]"},)


def axes(height: float = 3.4, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of the course's width, with `columns` panels beside each other; `height` is in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, height), dpi=150, layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
    for ax in panels:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#E4E4E4", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, list(panels)


def finish(figure: Figure, title: str, words: str) -> Picture:
    """Set the title and turn the figure into a picture."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return Picture(buffer.getvalue(), words, title)


def label_ends(ax: Axes, ends: Sequence[EndLabel]) -> None:
    """Write each label to the right of its point. Labels that would overlap are moved apart."""
    scale, unscale = (math.log10, lambda y: 10**y) if ax.get_yscale() == "log" else (float, float)
    low, high = map(scale, ax.get_ylim())
    line_height = 0.062 * (high - low)
    height = -math.inf
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        height = max(scale(y), height + line_height)
        place = (x, unscale(height))
        note = ax.annotate(text, place, xytext=(8, 0), textcoords="offset points", color=colour, fontsize=9.5)
        note.set(va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=5)
