"""The visual language of the lab: pictures, each with a twin in words.

It is the same in all chapters. A meaning has a colour and a marker, never a colour alone. Lines show what the formula
says, and dots show what was measured. Labels stand on the lines, or in a legend if lines lie on each other, and the
title states the finding. Pictures are drawn without pyplot, so that they leave no state behind and look the same
everywhere.

Text has a contrast of at least 4.5 with what is behind it, and an area, or its outline, one of 3 (WCAG 2.2, criteria
1.4.3 and 1.4.11). So text is dark, or in a colour that `darkened` has made dark enough, and a pale area is `outlined`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cachelab.lab.output import base64_text, show_output
from cachelab.lab.text import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

__all__ = [
    "COLOURS",
    "EndLabel",
    "INK",
    "MARKERS",
    "PALETTE",
    "Picture",
    "axes",
    "contrast",
    "darkened",
    "finish",
    "label_ends",
    "outlined",
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
INK = "#222222"
"""Text beside a coloured mark."""
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
        """Display the picture, then its title and its twin in words, since a screen reader finds neither in it."""
        show_output(self.text, self.forms, alt=self.title, figure={"title": self.title, "words": self.words})
        show_output(
            in_words(f"{self.title}{'' if self.title.endswith(('.', '?', '!')) else '.'} {self.words}"), words={}
        )

    def _ipython_display_(self) -> None:
        self.show()

    @property
    def text(self) -> str:
        """What stands for the picture where it cannot be drawn."""
        return f"[figure: {self.title}]"

    @property
    def forms(self) -> dict[str, str]:
        """The picture as the output of a cell holds it, by MIME type."""
        return {"image/png": base64_text(self.png)}


def contrast(colour: ColorType, other: ColorType = "white") -> float:
    """How far two opaque colours are apart in brightness, from 1 to 21, as the WCAG define it."""
    dark, light = sorted((_luminance(colour), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: ColorType) -> float:
    from matplotlib.colors import to_rgb

    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def darkened(colour: str, ratio: float) -> str:
    """The colour itself, or so dark a shade of it that its contrast with white is `ratio`."""
    from matplotlib.colors import to_hex, to_rgb

    share = 1.0
    red, green, blue = to_rgb(colour)
    while contrast(shade := to_hex((share * red, share * green, share * blue))) < ratio:
        share -= 0.01
    return shade


def outlined(colour: str, alpha: float) -> dict[str, Any]:
    """The looks of a pale area of this colour, with an outline that can be seen."""
    from matplotlib.colors import to_rgba

    return {"facecolor": to_rgba(colour, alpha), "edgecolor": darkened(colour, 3), "linewidth": 0.8}


def axes(height: float = 3.4, columns: int = 1, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of the course's width with panels in `rows` and `columns`, row by row; `height` is in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, height), dpi=150, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for ax in panels:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#E4E4E4", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, panels


def finish(figure: Figure, title: str, words: str) -> Picture:
    """Set the title and turn the figure into a picture."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return Picture(_png(figure), words, title)


def _png(figure: Figure) -> bytes:
    """The figure as a PNG with a palette of 256 colours, which takes a third of the bytes. White stays white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # `savefig` would draw twice, and pack a PNG only for us to unpack it
    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    palette, small = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE), io.BytesIO()
    palette.save(small, format="png", optimize=True)
    return small.getvalue()


def label_ends(ax: Axes, ends: Sequence[EndLabel]) -> None:
    """Write each label to the right of its point, behind a dash in its colour. What would overlap is moved apart."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import offset_copy

    scale, unscale = (math.log10, lambda y: 10**y) if ax.get_yscale() == "log" else (float, float)
    low, high = map(scale, ax.get_ylim())
    line_height = 0.062 * (high - low)
    height = -math.inf
    for x, y, text, colour in sorted(ends, key=lambda end: end[1]):
        height = max(scale(y), height + line_height)
        place = (x, unscale(height))
        note = ax.annotate(text, place, xytext=(17, 0), textcoords="offset points", color=INK, fontsize=9.5)
        note.set(
            annotation_clip=False, va="center", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=5
        )
        beside = offset_copy(ax.transData, ax.figure.figure, x=10, units="points")
        mark = Line2D(
            *zip(place, strict=True),
            marker="_",  # a square would look like a point of the line
            markersize=8,
            markeredgewidth=2.5,
            color=colour,
            transform=beside,
            clip_on=False,
            zorder=6,
        )
        ax.add_artist(mark)
