"""Staleness: which node gave answers out of date when, and how many answers were out of date by how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, finish, outlined
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_answers", "plot_stale_answers"]

LEAST_S = 0.001
"""Where the axis begins on which answers stand by how far they are out of date."""
GOLDEN = 0.618034  # marks that follow each other get heights that are far apart: no two of some dozens are close
MARKS = {"up to date": "hit", "out of date": "stale", "fetched (not in L1)": "miss"}
"""Each kind of answer, and the meaning whose colour and marker it has."""


def plot_answers(
    results: Mapping[str, ReplayResult], title: str, *, deaf_s: tuple[float, float] | None = None
) -> Picture:
    """A strip for each result, a line for each node, a mark for each read: up to date, out of date, or not in its L1.

    A dashed vertical line marks the end of a write. `deaf_s` is when a shaded period begins and ends, in which no node
    hears messages. Good for one key and up to about 8 nodes.
    """
    nodes = 1 + max(row.node for result in results.values() for row in result.rows)
    height = 1.0 + len(results) * (0.45 + 0.26 * nodes)
    figure = Figure(figsize=(8.6, height), dpi=150, layout="constrained")
    strips = figure.subplots(len(results), 1, squeeze=False, sharex=True)[:, 0]
    end = max(row.when for result in results.values() for row in result.rows)
    words = []
    for ax, (label, result) in zip(strips, results.items(), strict=True):
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        if deaf_s is not None:
            ax.axvspan(*deaf_s, **outlined(COLOURS["wait"], 0.45), zorder=0)
            ax.text(sum(deaf_s) / 2, -0.62, "deaf", ha="center", va="center", fontsize=9, color=INK)
        _draw_answers(ax, result)
        ax.set_yticks(range(nodes), [f"node {node + 1}" for node in range(nodes)])
        ax.set_ylim(nodes - 0.4, -0.95)
        ax.set_xlim(-0.01 * end, 1.01 * end)
        if len(results) > 1:
            ax.set_title(label, loc="left", fontsize=10, pad=3)
        said = f"{_describe_writes(result)}; " + ", ".join(_describe_node(result, node) for node in range(nodes))
        words.append(f"{label}: {said}" if len(results) > 1 else said)
    strips[-1].set_xlabel("time (s)")
    handles = [
        Line2D([], [], marker=MARKERS[mark], color=COLOURS[mark], linestyle="", label=label)
        for label, mark in MARKS.items()
    ]
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.2, label="a write"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")


def _kind(row: Row) -> str:
    """What kind of answer this read got."""
    if row.stale_s > 0:
        return "out of date"
    return "fetched (not in L1)" if row.latency_s > 0 else "up to date"


def _draw_answers(ax: Axes, result: ReplayResult) -> None:
    for row in result.rows:
        if row.op == "write":
            ax.axvline(row.when + row.latency_s, color=INK, linestyle="--", linewidth=1.2, zorder=1)
    for kind, mark in MARKS.items():
        rows = [row for row in result.reads if _kind(row) == kind]
        size = {"hit": 3.4, "stale": 4.2, "miss": 7.5}[mark]
        places = [row.when for row in rows], [row.node for row in rows]
        ax.plot(*places, MARKERS[mark], color=COLOURS[mark], markersize=size, linestyle="", zorder=3 + (mark == "miss"))


def _describe_writes(result: ReplayResult) -> str:
    moments = [f"{row.when + row.latency_s:.2f} s" for row in result.rows if row.op == "write"]
    return f"a write at {' and '.join(moments)}" if moments else "no write"


def _describe_node(result: ReplayResult, node: int) -> str:
    rows = [row for row in result.reads if row.node == node]
    old = [row for row in rows if row.stale_s > 0]
    last = f", the last {ms(max(row.stale_s for row in old))} after the write" if old else ""
    return f"node {node + 1}: {len(old)} of {len(rows)} answers out of date{last}"


def plot_stale_answers(
    results: Mapping[str, ReplayResult], title: str, *, limits: Mapping[str, float] | None = None
) -> Picture:
    """A row for each result, and in it a triangle for each answer that was out of date: the further right, the more.

    The axis is logarithmic and begins at 1 ms, where what is less stands, too. The heights within a row mean nothing:
    they keep the marks apart. The worst answer has a dark outline. `limits` are moments on the axis of seconds, each
    with its name, which get a dark dashed line.
    """
    figure = Figure(figsize=(8.6, 1.1 + 0.75 * len(results)), dpi=150, layout="constrained")
    ax = figure.subplots()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    longest_s = max([0.1, *(limits or {}).values(), *(result.max_stale_s for result in results.values())])
    words = []
    for line, (label, result) in enumerate(results.items()):
        by_s = sorted(row.stale_s for row in result.reads if row.stale_s > 0)
        _draw_row(ax, line, by_s, len(result.reads), longest_s)
        words.append(_describe_row(label, by_s, len(result.reads)))
    for name, limit in (limits or {}).items():
        ax.axvline(limit, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)), zorder=1)
        place: dict[str, Any] = {"xytext": (-4, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
        ax.annotate(name, (limit, -0.72), fontsize=9.5, color=INK, **place)
    ax.set_yticks(range(len(results)), list(results))
    ax.set_ylim(len(results) - 0.5, -0.95)
    ax.set_xscale("log")
    ax.set_xlim(0.8 * LEAST_S, 1.3 * longest_s * (longest_s / LEAST_S) ** 0.32)
    ticks = [LEAST_S * 10**n for n in range(7) if LEAST_S * 10**n <= longest_s]
    ax.set_xticks(ticks, [ms(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("out of date by")
    return finish(figure, title, "; ".join(words) + ".")


def _draw_row(ax: Axes, line: int, by_s: list[float], reads: int, longest_s: float) -> None:
    """The marks of one result around the height `line`, and right of all marks what they are together."""
    heights = [line + 0.56 * ((n * GOLDEN) % 1 - 0.5) for n in range(len(by_s))]
    look: dict[str, Any] = {"color": COLOURS["stale"], "linestyle": "", "marker": MARKERS["stale"]}
    ax.axhline(line + 0.5, color="#E4E4E4", linewidth=0.8, zorder=0)
    places = [max(one, LEAST_S) for one in by_s]
    ax.plot(places, heights, markersize=2.6, zorder=2, **look)
    ax.plot(places[-1:], heights[-1:], markersize=6.5, zorder=3, markeredgecolor=INK, **look)
    text = f"{len(by_s) / reads:.2%} of the answers\nby {ms(by_s[-1])} at most" if by_s else "none"
    ax.annotate(text, (1.3 * longest_s, line), fontsize=9.5, color=INK, va="center")


def _describe_row(label: str, by_s: list[float], reads: int) -> str:
    if not by_s:
        return f"{label}: no answer out of date"
    share = f"{len(by_s) / reads:.2%} of {reads:,} answers out of date"
    return f"{label}: {share}, half of them by more than {ms(by_s[len(by_s) // 2])}, the worst by {ms(by_s[-1])}"
