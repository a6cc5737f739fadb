"""A dashboard: what a monitoring system would show of a service, in six panels over the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from cachelab.lab.plots.style import COLOURS, PALETTE, Picture, finish, outlined
from cachelab.lab.web_app.traffic import Numbers

__all__ = ["plot_dashboard"]


class _Panel(NamedTuple):
    """A panel: its heading, the top of its axis, and what it shows of each window."""

    heading: str
    top: float
    value: Callable[[Numbers], float]


PANELS = [
    _Panel("hits of the memory (%)", 105, lambda numbers: 100 * numbers.memory_hits),
    _Panel("hits of Redis (%)", 105, lambda numbers: 100 * numbers.redis_hits),
    _Panel("loads from the database per second", 60, lambda numbers: numbers.loads_per_s),
    _Panel("mean time of a load (s)", 2.5, lambda numbers: numbers.load_s),
    _Panel("errors of Redis per second", 60, lambda numbers: numbers.store_errors_per_s),
    _Panel("latency, p99 (s)", 2.5, lambda numbers: numbers.p99_s),
]


def plot_dashboard(numbers: Sequence[Numbers], title: str, *, during: tuple[float, float] | None = None) -> Picture:
    """Six panels: hits, loads and their time, errors and latency. `during`, in seconds, is shaded: the incident.

    The axes are the same in every picture, so that pictures can be compared; what is above the top of a panel is drawn
    at its top, and the words have the true value.
    """
    figure = Figure(figsize=(8.6, 5.4), dpi=150, layout="constrained")
    words = []
    for panel, ax in zip(PANELS, figure.subplots(3, 2, sharex=True).flat, strict=True):
        values = [panel.value(each) for each in numbers]
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#E5E5E5", linewidth=0.7)
        if during:
            ax.axvspan(*during, **outlined(COLOURS["limit"], 0.1))
        shown = [min(value, panel.top) for value in values]
        ax.plot([each.when for each in numbers], shown, "o-", color=PALETTE[0], linewidth=1.6, markersize=3.5)
        ax.set_ylim(0, panel.top)
        ax.set_xlim(0, numbers[-1].when)
        ax.set_title(panel.heading, loc="left", fontsize=11)
        words.append(f"{panel.heading}: {_in_words(numbers, values, during)}")
    figure.supxlabel("time (s)", fontsize=10)
    return finish(figure, title, "; ".join(words) + ".")


def _in_words(numbers: Sequence[Numbers], values: Sequence[float], during: tuple[float, float] | None) -> str:
    """The range of the values; with an incident, the range before it and the range in it."""
    if during is None:
        return _range(values)
    start, end = during
    before = [value for each, value in zip(numbers, values, strict=True) if each.when <= start]
    inside = [value for each, value in zip(numbers, values, strict=True) if start < each.when <= end]
    return f"{_range(before)}, then {_range(inside)}"


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
