"""Timelines: what the origin had to do, and which readers waited, got stale answers or got errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, darkened, finish, outlined
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_failures", "plot_timelines"]


@dataclass(frozen=True)
class _Harm:
    """What a reader may suffer: its name, its colour, its marker, and which reads it happens to."""

    name: str
    colour: str
    marker: str
    happens_to: Callable[[Row], bool]


def _waits(row: Row) -> bool:
    """Whether the read waits for the origin; the round trip of a hit in a shared store is no wait."""
    return row.latency_s > 0 and row.result != "error" and row.outcome not in ("hit", "stale")


HARMS = [
    _Harm("waits", COLOURS["miss"], MARKERS["miss"], _waits),
    _Harm("stale answers", COLOURS["stale"], MARKERS["stale"], lambda row: row.outcome == "stale"),
    _Harm("errors", COLOURS["error"], MARKERS["error"], lambda row: row.result == "error"),
]
REFUSED = outlined(COLOURS["error"], 0.35)
LOW: dict[str, Any] = {"marker": "o", "color": COLOURS["origin"], "markersize": 3, "linestyle": ""}
ROW_HEIGHT = 0.13
"""Each harm has a row of marks below the zero line, so high as a share of the highest load."""


def plot_timelines(results: Mapping[str, ReplayResult], title: str, *, top: float | None = None) -> Picture:
    """A strip for each result: the queries at the origin in each second, and a mark for each harmed read.

    Pale bars are calls that the origin refused, and a dot stands for a bar that is too low to be seen. `top`, in
    queries per second, ends the axis. Give the same `top` to pictures that are to be compared.
    """
    figure = Figure(figsize=(8.6, max(2.7, 1.0 + 1.15 * len(results))), dpi=150, layout="constrained")
    strips = figure.subplots(len(results), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    loads = {label: result.queries_per_second() for label, result in results.items()}
    refused = {label: result.refused_per_second() for label, result in results.items()}
    top = top or max(max(rates) for rates in [*loads.values(), *refused.values()])
    words, harms, dots = [], set[str](), set[float]()
    for ax, (label, result) in zip(strips, results.items(), strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        dots |= _draw_load(ax, loads[label], top, result.seconds)
        _draw_refused(ax, refused[label], loads[label])
        counts = _draw_harms(ax, result, top)
        harms |= set(counts)
        ax.set_title(label, loc="left", fontsize=9.5, pad=2)
        words.append(f"{label}: {_describe(result, counts)}")
    rows = max((row for row, harm in enumerate(HARMS, 1) if harm.name in harms), default=0)
    strips[0].set_ylim(-ROW_HEIGHT * (rows + 0.6) * top, 1.08 * top)
    strips[0].set_xlim(left=0)
    strips[-1].set_xlabel("time (s)")
    figure.supylabel("queries in each second", fontsize=9.5)
    handles: list[Patch | Line2D] = [Patch(color=COLOURS["origin"], label="the origin's load")]
    if dots:
        handles.append(Line2D([], [], **LOW, label=f"a bar of {max(dots):g} or fewer"))
    if any(result.refused for result in results.values()):
        handles.append(Patch(**REFUSED, label="refused"))
    for harm in HARMS:
        if harm.name in harms:
            handles.append(Line2D([], [], marker=harm.marker, color=harm.colour, linestyle="", label=harm.name))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")


def _draw_load(ax: Axes, load: Sequence[float], top: float, seconds: float) -> set[float]:
    """The bars of the queries, on a line to the end of the run. Returns the rates that have a dot for a hairline."""
    colour = COLOURS["origin"]
    ax.plot([0, max(len(load), seconds)], [0, 0], color=colour, linewidth=1)
    ax.bar(range(len(load)), load, width=1, align="edge", color=colour, edgecolor=colour)
    low = {n + 0.5: rate for n, rate in enumerate(load) if 0 < rate < 0.04 * top}
    ax.plot(list(low), [0.05 * top] * len(low), **LOW)
    return set(low.values())


def _draw_refused(ax: Axes, refused: Sequence[float], load: Sequence[float]) -> None:
    """The bars of the refused calls, on top of the queries."""
    for n, rate in enumerate(refused):
        if rate:
            ax.bar(n, rate, bottom=load[n] if n < len(load) else 0, width=1, align="edge", **REFUSED)


def _describe(result: ReplayResult, harmed: Mapping[str, int]) -> str:
    """A result in words; `harmed` is how many reads each harm happens to."""
    most = max(result.queries_per_second())
    words = f"{len(result.queries)} queries, at most {most:g} in a second"
    if result.refused:
        words += f", {len(result.refused)} more refused"
    words += f", the longest wait {ms(max(row.latency_s for row in result.reads))}"
    words += f"; {len(result.reads)} reads"
    return words + "".join(f", {name}: {count}" for name, count in harmed.items())


def _draw_harms(ax: Axes, result: ReplayResult, top: float) -> dict[str, int]:
    """A row of marks for each harm; how many reads each harm happens to, if any."""
    counts = {}
    for row, harm in enumerate(HARMS, 1):
        moments = [read.when for read in result.reads if harm.happens_to(read)]
        if moments:
            counts[harm.name] = len(moments)
            heights = [-ROW_HEIGHT * row * top] * len(moments)
            ax.plot(moments, heights, harm.marker, color=harm.colour, markersize=3.5, linestyle="")
    return counts


def plot_failures(
    results: Mapping[str, ReplayResult],
    title: str,
    *,
    outages: Sequence[tuple[float, float]],
    bin_s: float = 1.0,
) -> Picture:
    """A strip for each result: the share of the requests that failed, in bins of `bin_s` seconds, around an outage.

    `outages` has the beginning and the end of the outage of each result, in seconds from the start.
    """
    figure = Figure(figsize=(8.6, max(2.7, 1.0 + 1.05 * len(results))), dpi=150, layout="constrained")
    strips = figure.subplots(len(results), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    down = outlined(COLOURS["limit"], 0.1)
    words = []
    for ax, (label, result), (start, end) in zip(strips, results.items(), outages, strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
        ax.axvspan(start, end, **down)
        shares = _failed_shares(result, bin_s)
        lefts = [n * bin_s for n in range(len(shares))]
        colour = COLOURS["error"]
        ax.bar(lefts, shares, width=bin_s, align="edge", color=colour, edgecolor=darkened(colour, 3), linewidth=0.6)
        during, after = _failed(result, start, end), _failed(result, end, result.seconds)
        ax.set_title(f"{label}: {during:.1%} of its requests failed", loc="left", fontsize=9.5, pad=3, color=INK)
        words.append(f"{label}: {during:.1%} failed during the outage, {after:.1%} afterwards")
    strips[0].set_ylim(0, 105)
    strips[0].set_xlim(left=0, right=max(result.seconds for result in results.values()))
    strips[-1].set_xlabel("time (s)")
    figure.supylabel("failed (% of the requests)", fontsize=9.5)
    handles = [Patch(**down, label="the database is away"), Patch(color=COLOURS["error"], label="failed requests")]
    figure.legend(handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _failed(result: ReplayResult, start: float, end: float) -> float:
    """The share of the requests from `start` to `end`, in seconds, that ended in an error; 0 if there were none."""
    failed = [row.result == "error" for row in result.rows if start <= row.when < end]
    return sum(failed) / len(failed) if failed else 0.0


def _failed_shares(result: ReplayResult, bin_s: float) -> list[float]:
    """The percentage of the requests of each bin that ended in an error."""
    bins = 1 + int(max(row.when for row in result.rows) / bin_s)
    counts, failed = [0] * bins, [0] * bins
    for row in result.rows:
        counts[int(row.when / bin_s)] += 1
        failed[int(row.when / bin_s)] += row.result == "error"
    return [100 * bad / count if count else 0.0 for bad, count in zip(failed, counts, strict=True)]
