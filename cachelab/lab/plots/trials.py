"""What became of many tries: a dot for each, sorted, one panel for each variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.lines import Line2D

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, finish

__all__ = ["plot_trials"]

LOOKS = {
    "right value": (COLOURS["hit"], MARKERS["hit"]),
    "counted miss": (COLOURS["collapsed"], MARKERS["collapsed"]),
    "error": (COLOURS["error"], MARKERS["error"]),
    "wrong value": (COLOURS["limit"], MARKERS["miss"]),
}
"""How bad it is, in this order."""


def plot_trials(fates: Mapping[str, Sequence[str]], title: str) -> Picture:
    """For each variant a panel with the fate of every try: "right value", "counted miss", "error" or "wrong value"."""
    columns = 25
    rows = max(-(-len(tries) // columns) for tries in fates.values())
    figure, panels = axes(1.5 + 0.062 * rows * 3 / len(fates), columns=len(fates))
    words = []
    for ax, (label, tries) in zip(panels, fates.items(), strict=True):
        counts = Counter(tries)
        place = 0
        for fate, (colour, marker) in LOOKS.items():
            places = range(place, place + counts[fate])
            ax.plot([p % columns for p in places], [p // columns for p in places], marker, color=colour, markersize=3)
            place += counts[fate]
        told = ", ".join(f"{counts[fate]:,} {fate}" for fate in LOOKS if counts[fate])
        brief = told.replace("counted ", "").replace(" value", "")
        ax.set_title(f"{label}\n{brief}", loc="left", fontsize=9.5)
        ax.set_ylim(rows, -1)
        ax.axis("off")
        words.append(f"{label}: {told}")
    found = set().union(*fates.values())
    looks = {fate: look for fate, look in LOOKS.items() if fate in found}
    handles = [Line2D([], [], marker=m, color=c, linestyle="", label=fate) for fate, (c, m) in looks.items()]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
