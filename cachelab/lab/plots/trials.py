"""The outcomes of many trials: a dot for each, sorted by outcome, with a panel for each variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from matplotlib.lines import Line2D

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, finish

__all__ = ["plot_trials"]

OUTCOMES = {  # outcome -> colour, marker; the worst is last
    "right value": (COLOURS["hit"], MARKERS["hit"]),
    "counted miss": (COLOURS["collapsed"], MARKERS["collapsed"]),
    "error": (COLOURS["error"], MARKERS["error"]),
    "wrong value": (COLOURS["limit"], MARKERS["miss"]),
}
COLUMNS = 25  # dots beside each other in a panel


def plot_trials(trials: Mapping[str, Sequence[str]], title: str) -> Picture:
    """A panel for each variant with the outcome of each of its trials.

    An outcome is "right value", "counted miss", "error" or "wrong value".
    """
    rows = max(-(-len(outcomes) // COLUMNS) for outcomes in trials.values())
    figure, panels = axes(1.5 + 0.062 * rows * 3 / len(trials), columns=len(trials))
    words = []
    for ax, (label, outcomes) in zip(panels, trials.items(), strict=True):
        counts = Counter(outcomes)
        first = 0
        for outcome, (colour, marker) in OUTCOMES.items():
            places = range(first, first + counts[outcome])
            xs, ys = [place % COLUMNS for place in places], [place // COLUMNS for place in places]
            ax.plot(xs, ys, marker, color=colour, markersize=3)
            first += counts[outcome]
        described = ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if counts[outcome])
        brief = described.replace("counted ", "").replace(" value", "")
        ax.set_title(f"{label}\n{brief}", loc="left", fontsize=9.5)
        ax.set_ylim(rows, -1)
        ax.axis("off")
        words.append(f"{label}: {described}")
    found = set().union(*trials.values())
    shown = {outcome: look for outcome, look in OUTCOMES.items() if outcome in found}
    handles = [Line2D([], [], marker=m, color=c, linestyle="", label=outcome) for outcome, (c, m) in shown.items()]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
