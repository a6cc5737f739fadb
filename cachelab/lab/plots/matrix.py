"""A matrix of outcomes: a row for each thing that was tried, and cells with a colour, a mark and a word."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, finish, outlined

__all__ = ["plot_matrix"]

OUTCOMES = {  # outcome -> colour, marker; the same as for the outcomes of `plot_trials`
    "value": (COLOURS["hit"], MARKERS["hit"]),
    "miss": (COLOURS["collapsed"], MARKERS["collapsed"]),
    "lie": (COLOURS["limit"], MARKERS["miss"]),
}
PALE = 0.22
"""How much of its colour a cell shows, so that dark text can be read on it."""


def plot_matrix(cells: Mapping[str, Mapping[str, str]], title: str) -> Picture:
    """A row for each thing that was tried, a cell for each of its outcomes: "value", "miss" or "lie".

    `cells` has the outcomes of a row by the names of the columns, which are the same in all rows.

    Raises ValueError for another outcome.
    """
    unknown = {outcome for row in cells.values() for outcome in row.values()} - set(OUTCOMES)
    if unknown:
        raise ValueError(f"An outcome is one of {', '.join(OUTCOMES)}, not {', '.join(sorted(unknown))}.")
    columns = list(next(iter(cells.values())))
    figure = Figure(figsize=(8.6, 1.0 + 0.36 * len(cells)), dpi=150, layout="constrained")
    ax = figure.subplots()
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=10)
    for line, row in enumerate(cells.values()):
        for place, column in enumerate(columns):
            colour, marker = OUTCOMES[row[column]]
            ax.add_patch(Rectangle((place + 0.03, line - 0.43), 0.94, 0.86, **outlined(colour, PALE)))
            ax.plot(place + 0.38, line, marker, color=colour, markersize=8)
            weight = "bold" if row[column] == "lie" else "normal"
            ax.text(place + 0.45, line, row[column], va="center", fontsize=10, color=INK, fontweight=weight)
    ax.set_xlim(0, len(columns))
    ax.set_ylim(len(cells) - 0.5, -0.5)
    ax.xaxis.tick_top()
    ax.set_xticks([place + 0.5 for place in range(len(columns))], columns)
    ax.set_yticks(range(len(cells)), list(cells))
    words = [f"{name}: " + ", ".join(f"{column} {row[column]}" for column in columns) for name, row in cells.items()]
    return finish(figure, title, "; ".join(words) + ".")
