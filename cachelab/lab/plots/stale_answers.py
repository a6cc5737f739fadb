"""Staleness: which node gave old answers when, and how many answers were out of date by how much."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, PALETTE, Picture, finish, outlined
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_answers", "plot_stale_answers"]

LINE_STYLES = ["-", "--", "-.", (0, (1, 1))]
SHORTEST_S = 0.0005  # where the axis of staleness begins: half a round trip
MARKS = {"up to date": "hit", "old": "stale", "not in L1": "miss"}
"""Each kind of answer, and the meaning whose colour and marker it has."""


def plot_answers(
    results: Mapping[str, ReplayResult], title: str, *, deaf_s: tuple[float, float] | None = None
) -> Picture:
    """A strip for each result, a line for each node, a mark for each read of it: up to date, old, or not in its L1.

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
        return "old"
    return "not in L1" if row.latency_s > 0 else "up to date"


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
    return f"node {node + 1} gave {len(old)} old answers of {len(rows)}{last}"


def plot_stale_answers(
    results: Mapping[str, ReplayResult], title: str, *, limits: Mapping[str, float] | None = None
) -> Picture:
    """The share of answers that were out of date by more than so many seconds: a line for each result, both axes
    logarithmic.

    `limits` are moments on the axis of seconds, each with its name, which get a dark dashed line.
    """
    figure = Figure(figsize=(8.6, 4.0), dpi=150, layout="constrained")
    ax = figure.subplots()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E4E4E4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_xscale("log")
    ax.set_yscale("log")
    words = []
    longest_s = max([0.01, *(limits or {}).values(), *(result.max_stale_s for result in results.values())])
    least = min(1 / len(result.reads) for result in results.values())
    for i, (label, result) in enumerate(results.items()):
        ages = sorted(row.stale_s for row in result.reads if row.stale_s > 0)
        shares = [(len(ages) - n) / len(result.reads) for n in range(len(ages))]
        xs, ys = [SHORTEST_S, *ages], [*(shares[:1] or [least]), *shares]
        ax.step(xs, ys, where="pre", color=PALETTE[i % 6], linewidth=2, linestyle=LINE_STYLES[i % 4])
        if ages:
            ax.plot(ages[-1], shares[-1], "o", color=PALETTE[i % 6], markersize=6, zorder=4)
            text = f"{label}: {len(ages) / len(result.reads):.2%} old"
            visible = sum(age > SHORTEST_S for age in ages) / len(result.reads) or shares[0]
            ax.annotate(text, (SHORTEST_S, visible), xytext=(3, 5), textcoords="offset points", fontsize=9.5, color=INK)
        words.append(_describe_ages(label, ages, len(result.reads)))
    for name, limit in (limits or {}).items():
        ax.axvline(limit, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
        ax.annotate(name, (limit, 1.5), xytext=(-4, -2), textcoords="offset points", ha="right", va="top", fontsize=9.5)
    ax.set_xlim(SHORTEST_S, 2 * longest_s)
    ax.set_ylim(0.7 * least, 1.5)
    ax.xaxis.set_major_formatter(lambda x, _: f"{1_000 * x:g} ms" if x < 1 else f"{x:g} s")
    ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g}%")
    ax.minorticks_off()
    ax.set_xlabel("out of date by more than")
    ax.set_ylabel("share of all answers")
    return finish(figure, title, "; ".join(words) + ".")


def _describe_ages(label: str, ages: list[float], reads: int) -> str:
    if not ages:
        return f"{label}: no old answers"
    share = f"{len(ages) / reads:.2%} of {reads:,} answers old"
    return f"{label}: {share}, half of them by more than {ms(ages[len(ages) // 2])}, the stalest by {ms(ages[-1])}"
