"""Curves and timelines: load on the origin, latency by percentile, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from matplotlib.ticker import LogLocator, NullFormatter

from cachelab.lab.plots.style import COLOURS, PALETTE, Picture, axes, finish, label_ends
from cachelab.lab.text import ms, short
from cachelab.lab.traffic.replay_result import ReplayResult

__all__ = ["plot_curve", "plot_ladder", "plot_latency", "plot_load"]

Points: TypeAlias = tuple[Sequence[float], Sequence[float]]
STYLES = ["-", "--", "-.", ":"]
DOTS = ["o", "s", "^", "D", "v"]


def plot_load(traces: Mapping[str, ReplayResult], title: str, *, bin_s: float = 1.0) -> Picture:
    """Queries per second at the origin over time, one line for each trace, with the capacity as the dark line."""
    figure, (ax,) = axes()
    words, ends = [], []
    capacity = next((trace.capacity for trace in traces.values() if trace.capacity), None)
    for i, (label, trace) in enumerate(traces.items()):
        load = trace.queries_per_second(bin_s)
        colour = PALETTE[i % len(PALETTE)]
        ax.stairs(load, [n * bin_s for n in range(len(load) + 1)], color=colour, linewidth=1.6, linestyle=STYLES[i % 4])
        ends.append((len(load) * bin_s, load[-1], label, colour))
        words.append(f"{label}: mean {sum(load) / len(load):.0f}, peak {max(load):.0f} queries/s")
    if capacity:
        ax.axhline(capacity, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
        ax.annotate(f"capacity {capacity:g}/s", (0, capacity), xytext=(4, 4), textcoords="offset points", fontsize=9.5)
    ax.margins(x=0.14)
    ax.set_ylim(0, 1.12 * max(capacity or 0, *(max(trace.queries_per_second(bin_s)) for trace in traces.values())))
    ax.set_xlim(0, None)
    label_ends(ax, ends)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("queries/s at the origin")
    return finish(figure, title, "; ".join(words) + ".")


def plot_latency(traces: Mapping[str, ReplayResult], title: str) -> Picture:
    """Latency by percentile, the tail stretched (50, 90, 99, 99.9 %), one line for each trace."""
    figure, (ax,) = axes()
    words, ends = [], []
    ticks = [0.0, 50.0, 90.0, 99.0, 99.9]
    for i, (label, trace) in enumerate(traces.items()):
        percents = [100 * (1 - 10 ** (-step / 100)) for step in range(331)]
        milliseconds = [trace.percentile_s(percent) * 1000 for percent in percents]
        colour = PALETTE[i % len(PALETTE)]
        ax.plot([_tail(p) for p in percents], milliseconds, color=colour, linewidth=1.8, linestyle=STYLES[i % 4])
        ends.append((_tail(percents[-1]), milliseconds[-1], label, colour))
        words.append(f"{label}: " + ", ".join(f"p{p:g} {ms(trace.percentile_s(p))}" for p in ticks[1:]))
    ax.set_xticks([_tail(p) for p in ticks], ["fastest", *(f"p{p:g}" for p in ticks[1:])])
    ax.margins(x=0.14)
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, None)
    label_ends(ax, ends)
    ax.set_xlabel("percentile of the requests (the tail is stretched)")
    ax.set_ylabel("latency (ms)")
    return finish(figure, title, "; ".join(words) + ".")


def _tail(percent: float) -> float:
    return -math.log10(1 - percent / 100)


def plot_curve(
    dots: Mapping[str, Points],
    title: str,
    *,
    x: str,
    y: str,
    lines: Mapping[str, Points] | None = None,
    limits: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    joined: bool = False,
    log: str = "",
    brief: bool = False,
    y_range: tuple[float, float] | None = None,
) -> Picture:
    """Measurements as dots, formulas as `lines`, horizontal `limits`; axis labels `x` and `y` with their units.

    `notes` are written beside the dots of the first series; `joined` connects the dots; `log` may name axes, "xy".
    `brief` leaves the single values out of the words, for clouds of dots; `y_range` fixes the axis over many frames.
    """
    figure, (ax,) = axes()
    words, ends = [], []
    for i, (label, (xs, ys)) in enumerate((lines or {}).items()):
        ax.plot(xs, ys, color="#666666", linewidth=1.4, linestyle=STYLES[(i + 1) % 4], zorder=1)
        ends.append((xs[-1], ys[-1], label, "#555555"))
    for i, (label, (xs, ys)) in enumerate(dots.items()):
        style = {
            "linestyle": "-" if joined else "",
            "linewidth": 1.2,
            "marker": DOTS[i % 5],
            "markersize": 3 if brief else 6.5,
        }
        ax.plot(xs, ys, color=PALETTE[i % len(PALETTE)], zorder=3, **style)  # type: ignore[arg-type]
        ends.append((xs[-1], ys[-1], label, PALETTE[i % len(PALETTE)]))
        values = ", ".join(f"{a:.3g} → {short(b)}" for a, b in zip(xs, ys, strict=True))
        if brief:
            values = f"{len(ys)} dots between {short(min(ys))} and {short(max(ys))}"
        words.append(f"{label}: {values}" if label else values)
    for note, px, py in zip(notes, *next(iter(dots.values())), strict=False):
        ax.annotate(note, (px, py), xytext=(7, 7), textcoords="offset points", fontsize=9)
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name in log:
            ax.set(**{f"{name}scale": "log"})
            axis.set_major_locator(LogLocator(subs=(1, 3)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.14, y=0.1)
    if y_range:
        ax.set_ylim(*y_range)
    elif "y" not in log:
        ax.set_ylim(bottom=0)
    for label, limit in (limits or {}).items():
        ax.axhline(limit, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
        place = {"xycoords": ("axes fraction", "data"), "xytext": (4, 4), "textcoords": "offset points"}
        ax.annotate(label, (0, limit), fontsize=9.5, **place)  # type: ignore[arg-type]
    if "x" not in log and min(min(xs) for xs, _ in dots.values()) >= 0:
        ax.set_xlim(left=0)
    label_ends(ax, [end for end in ends if end[2]])
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return finish(figure, title, f"{x} → {y}; " + "; ".join(words) + ".")


def plot_ladder(seconds: Mapping[str, float], title: str) -> Picture:
    """What one call costs, the cheapest on top, as multiples of it on a logarithmic scale."""
    names = sorted(seconds, key=seconds.__getitem__)
    least = seconds[names[0]]
    figure, (ax,) = axes(1.2 + 0.3 * len(names))
    ax.grid(False)
    for i, name in enumerate(names):
        times = seconds[name] / least
        ax.plot([1, times], [-i, -i], color="#CCCCCC", linewidth=1.2)
        ax.plot(times, -i, "o", color=PALETTE[0], markersize=7)
        ax.annotate(f"{times:.3g} ×", (times, -i), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9.5)
    ax.set_yticks([-i for i in range(len(names))], names)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.margins(x=0.12)
    ax.set_ylim(0.6 - len(names), 0.6)
    ax.set_xlabel(f"as a multiple of {names[0]}")
    return finish(figure, title, ", ".join(f"{name} {seconds[name] / least:.3g} times" for name in names) + ".")
