"""Timelines: what the origin had to do, and what the users felt of it, one strip for each variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, finish
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_timelines"]


def _waits(row: Row) -> bool:
    """For the origin, that is; the round trip of a hit in a shared store is no wait."""
    return row.latency_s > 0 and row.result != "error" and row.outcome not in ("hit", "stale")


FELT: dict[str, tuple[str, str, Callable[[Row], bool]]] = {
    "waits": ("miss", MARKERS["miss"], _waits),
    "is served stale": ("stale", MARKERS["stale"], lambda row: row.outcome == "stale"),
    "gets an error": ("error", MARKERS["error"], lambda row: row.result == "error"),
}


def plot_timelines(
    traces: Mapping[str, ReplayResult], title: str, *, bin_s: float = 0.5, top: float | None = None
) -> Picture:
    """A strip for each trace: the queries at the origin, in bins of `bin_s` seconds, and a mark per unhappy read.

    `top`, in queries per second, ends the axis; give it to pictures that are to be compared.
    """
    figure = Figure(figsize=(8.6, max(2.7, 1.0 + 1.15 * len(traces))), dpi=150, layout="constrained")
    strips = figure.subplots(len(traces), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    loads = {label: trace.queries_per_second(bin_s) for label, trace in traces.items()}
    top = top or max(max(load) for load in loads.values())
    words, felt = [], set[str]()
    for ax, (label, trace) in zip(strips, traces.items(), strict=True):
        load = loads[label]
        ax.spines[["top", "right"]].set_visible(False)
        ax.bar(
            [n * bin_s for n in range(len(load))],
            load,
            width=bin_s,
            align="edge",
            color=COLOURS["origin"],
            edgecolor=COLOURS["origin"],
        )
        few = [(n + 0.5) * bin_s for n, queries in enumerate(load) if 0 < queries < 0.04 * top]
        ax.plot(
            few, [0.05 * top] * len(few), "o", color=COLOURS["origin"], markersize=3
        )  # else they would be hairlines
        counts = []
        for level, (name, (kind, marker, holds)) in enumerate(FELT.items(), 1):
            moments = [row.when for row in trace.reads if holds(row)]
            if moments:
                felt.add(name)
                counts.append(f"{len(moments)} {name}")
                place = [-0.13 * level * top] * len(moments)
                ax.plot(moments, place, marker, color=COLOURS[kind], markersize=3.5, linestyle="")
        ax.set_title(label, loc="left", fontsize=9.5, pad=2)
        waits = max(row.latency_s for row in trace.reads)
        words.append(
            f"{label}: {len(trace.queries)} queries, at most {max(load):g}/s, the longest wait {ms(waits)}"
            + (f"; of {len(trace.reads)} reads {', '.join(counts)}" if counts else "")
        )
    low = -0.13 * (max((i for i, name in enumerate(FELT, 1) if name in felt), default=0) + 0.6) * top
    strips[0].set_ylim(low, 1.08 * top)
    strips[0].set_xlim(left=0)
    strips[-1].set_xlabel("time (s)")
    figure.supylabel(f"queries/s, in bins of {bin_s:g} s", fontsize=9.5)
    handles: list[Patch | Line2D] = [Patch(color=COLOURS["origin"], label="the origin's load")]
    for name, (kind, marker, _) in FELT.items():
        if name in felt:
            handles.append(Line2D([], [], marker=marker, color=COLOURS[kind], linestyle="", label=f"a user {name}"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")
