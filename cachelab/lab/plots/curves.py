"""Curves: the load on the origin over time, latency by percentile, and measurements beside formulas and limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from cachelab.lab.plots.style import COLOURS, PALETTE, EndLabel, Picture, axes, finish, label_ends
from cachelab.lab.text import ms, short
from cachelab.lab.traffic.replay_result import ReplayResult

__all__ = ["plot_curve", "plot_ladder", "plot_latency", "plot_load", "plot_requests"]

Points: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""The x values and the y values of a series."""
LINE_STYLES = ["-", "--", "-.", ":"]
DOT_MARKERS = ["o", "s", "^", "D", "v"]


def plot_load(
    results: Mapping[str, ReplayResult],
    title: str,
    *,
    bin_s: float = 1.0,
    top: float | None = None,
    moments: Mapping[str, float] | None = None,
) -> Picture:
    """Queries per second asked of the origin over time: a line for each result, and a dashed line at the capacity.

    What is asked beyond the capacity has to wait. `top`, in queries per second, ends the axis; give the same `top` to
    pictures that are to be compared. `moments` are what else happened, each with its second: a dotted upright line.
    """
    figure, (ax,) = axes()
    words, ends, peak = [], [], 0.0
    capacity = next((result.capacity for result in results.values() if result.capacity), None)
    for i, (label, result) in enumerate(results.items()):
        load = result.queries_per_second(bin_s, asked=True)
        edges = [n * bin_s for n in range(len(load) + 1)]
        colour = PALETTE[i % len(PALETTE)]
        ax.stairs(load, edges, baseline=None, color=colour, linewidth=1.6)  # only the capacity is dashed
        ends.append((len(load) * bin_s, load[-1], label, colour))
        words.append(f"{label}: mean {sum(load) / len(load):.0f}, peak {max(load):.0f} queries/s")
        peak = max(peak, *load)
    if capacity:
        end = max(x for x, *_ in ends)
        ax.plot([0, end], [capacity, capacity], color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
        ends.append((end, capacity, f"capacity {capacity:g}/s", COLOURS["limit"]))
        words.append(f"capacity: {capacity:g} queries/s")
    ax.margins(x=0.14)
    ax.set_ylim(0, top or 1.12 * max(capacity or 0, peak))
    ax.set_xlim(0, None)
    for label, second in (moments or {}).items():
        _draw_moment(ax, label, second)
        words.append(f"{label}: at {second:g} s")
    label_ends(ax, ends)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("queries/s asked of the origin")
    return finish(figure, title, "; ".join(words) + ".")


def plot_latency(results: Mapping[str, ReplayResult], title: str) -> Picture:
    """Latency by percentile with the tail stretched (50, 90, 99, 99.9 %), a line for each result."""
    figure, (ax,) = axes()
    words = []
    ticks = [0.0, 50.0, 90.0, 99.0, 99.9]
    for i, (label, result) in enumerate(results.items()):
        percents = [100 * (1 - 10 ** (-step / 100)) for step in range(331)]
        places = [_tail_place(percent) for percent in percents]
        milliseconds = [result.percentile_s(percent) * 1000 for percent in percents]
        colour = PALETTE[i % len(PALETTE)]
        ax.plot(places, milliseconds, color=colour, linewidth=1.8, linestyle=LINE_STYLES[i % 4], label=label)
        words.append(f"{label}: " + ", ".join(f"p{p:g} {ms(result.percentile_s(p))}" for p in ticks[1:]))
    ax.set_xticks([_tail_place(percent) for percent in ticks], ["fastest", *(f"p{percent:g}" for percent in ticks[1:])])
    ax.set_ylim(bottom=0)
    ax.set_xlim(0, None)
    ax.legend(loc="upper left", frameon=False, fontsize=9.5)  # the lines end together, and labels there would not fit
    ax.set_xlabel("percentile of the requests (the tail is stretched)")
    ax.set_ylabel("latency (ms)")
    return finish(figure, title, "; ".join(words) + ".")


def plot_requests(result: ReplayResult, title: str, *, top_s: float | None = None) -> Picture:
    """The latency of each request over the time at which it came, as dots. Of many requests it draws 300 to 600.

    `top_s` is where the axis of latency ends, in seconds, so that several pictures can be compared.
    """
    rows = result.rows[:: max(1, len(result.rows) // 300)]
    figure, (ax,) = axes()
    ax.plot([row.when for row in rows], [row.latency_s for row in rows], "o", color=PALETTE[0], markersize=3)
    ax.set_xlim(0, result.seconds)
    ax.set_ylim(0, top_s)
    ax.set_xlabel("time of the request (s)")
    ax.set_ylabel("latency (s)")
    seconds = [row.latency_s for row in result.rows]
    latencies = f"the first takes {ms(seconds[0])}, the last {ms(seconds[-1])}, the slowest {ms(max(seconds))}"
    return finish(figure, title, f"{len(seconds):,} requests; {latencies}.")


def _tail_place(percent: float) -> float:
    """Where a percentile stands on an axis on which each further nine takes the same room."""
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

    `notes` are written beside the dots of the first series. `joined` connects the dots of a series. `log` names the
    logarithmic axes: "x", "y" or "xy". `brief` is for clouds of dots: the words then give the range of the values only.
    `y_range` fixes the y axis, so that several pictures can be compared. A label that is blank is left out.
    """
    figure, (ax,) = axes()
    ends = _draw_lines(ax, lines or {})
    ends += _draw_dots(ax, dots, joined=joined, small=brief)
    for note, px, py in zip(notes, *next(iter(dots.values())), strict=False):
        ax.annotate(note, (px, py), xytext=(7, 7), textcoords="offset points", fontsize=9)
    for name in log:
        _make_logarithmic(ax, name)
    ax.margins(x=0.14, y=0.1)
    if y_range:
        ax.set_ylim(*y_range)
    elif "y" not in log:
        ax.set_ylim(bottom=0)
    for label, limit in (limits or {}).items():
        _draw_limit(ax, label, limit)
    if "x" not in log and min(min(xs) for xs, _ in dots.values()) >= 0:
        ax.set_xlim(left=0)
    label_ends(ax, [end for end in ends if end[2].strip()])
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    words = [_describe_dots(label, points, brief=brief) for label, points in dots.items()]
    return finish(figure, title, f"{x} → {y}; " + "; ".join(words) + ".")


def _draw_lines(ax: Axes, lines: Mapping[str, Points]) -> list[EndLabel]:
    ends = []
    for i, (label, (xs, ys)) in enumerate(lines.items(), 1):
        ax.plot(xs, ys, color="#666666", linewidth=1.4, linestyle=LINE_STYLES[i % 4], zorder=1)
        ends.append((xs[-1], ys[-1], label, "#555555"))
    return ends


def _draw_dots(ax: Axes, dots: Mapping[str, Points], *, joined: bool, small: bool) -> list[EndLabel]:
    ends = []
    for i, (label, (xs, ys)) in enumerate(dots.items()):
        colour = PALETTE[i % len(PALETTE)]
        (series,) = ax.plot(xs, ys, color=colour, linestyle="-" if joined else "", linewidth=1.2, zorder=3)
        series.set(marker=DOT_MARKERS[i % 5], markersize=3 if small else 6.5)
        ends.append((xs[-1], ys[-1], label, colour))
    return ends


def _draw_moment(ax: Axes, label: str, second: float) -> None:
    ax.axvline(second, color=COLOURS["limit"], linewidth=1.2, linestyle=":")
    place = {"xycoords": ("data", "axes fraction"), "xytext": (4, -3), "textcoords": "offset points"}
    ax.annotate(label, (second, 1), fontsize=9.5, va="top", **place)  # type: ignore[arg-type]


def _draw_limit(ax: Axes, label: str, limit: float) -> None:
    ax.axhline(limit, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
    place = {"xycoords": ("axes fraction", "data"), "xytext": (4, 4), "textcoords": "offset points"}
    ax.annotate(label, (0, limit), fontsize=9.5, **place)  # type: ignore[arg-type]


def _make_logarithmic(ax: Axes, name: str) -> None:
    """Give the x or the y axis a logarithmic scale, with labels without exponents at 1, 3, 10, 30 and so on."""
    axis = {"x": ax.xaxis, "y": ax.yaxis}[name]
    ax.set(**{f"{name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _describe_dots(label: str, points: Points, *, brief: bool) -> str:
    xs, ys = points
    if brief:
        values = f"{len(ys)} dots between {short(min(ys))} and {short(max(ys))}"
    else:
        values = ", ".join(f"{a:.3g} → {short(b)}" for a, b in zip(xs, ys, strict=True))
    return f"{label}: {values}" if label else values


def plot_ladder(seconds: Mapping[str, float], title: str) -> Picture:
    """What one call costs: the cheapest on top, and each as a multiple of the cheapest on a logarithmic scale."""
    names = sorted(seconds, key=seconds.__getitem__)
    least = seconds[names[0]]
    figure, (ax,) = axes(1.2 + 0.3 * len(names))
    ax.grid(False)
    for i, name in enumerate(names):
        ratio = seconds[name] / least
        ax.plot([1, ratio], [-i, -i], color="#CCCCCC", linewidth=1.2)
        ax.plot(ratio, -i, "o", color=PALETTE[0], markersize=7)
        ax.annotate(
            f"{_rounded(ratio)} ×", (ratio, -i), xytext=(9, 0), textcoords="offset points", va="center", fontsize=9.5
        )
    ax.set_yticks([-i for i in range(len(names))], names)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.margins(x=0.12)
    ax.set_ylim(0.6 - len(names), 0.6)
    ax.set_xlabel(f"as a multiple of {names[0]}")
    return finish(figure, title, ", ".join(f"{name} {_rounded(seconds[name] / least)} times" for name in names) + ".")


def _rounded(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 1_000 else f"{ratio:.3g}"
