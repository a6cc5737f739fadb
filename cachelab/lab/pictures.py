"""Pictures of what happened, request by request: who hit, who missed, who waited."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.show import COLOURS, MARKERS, Picture, axes, finish, ms
from cachelab.lab.trace import Row, Trace

__all__ = ["plot_flow", "plot_lanes"]


def plot_flow(trace: Trace, title: str, *, ttl_s: float | None = None) -> Picture:
    """One lane for each key and one for the origin: hits as dots, misses as a bar with a line down to the origin.

    With `ttl_s` a pale band shows for how long each answer may be served. Good for up to about 8 keys.
    """
    keys = list(dict.fromkeys(row.key for row in trace.reads))
    level = {key: len(keys) - i for i, key in enumerate(keys)}
    end = max(row.when + row.latency_s for row in trace.reads)
    figure, (ax,) = axes(1.5 + 0.42 * (len(keys) + 1))
    ax.grid(False)
    for key in keys:
        ax.axhline(level[key], color="#E4E4E4", linewidth=0.8, zorder=0)
    for row in trace.reads:
        y, answered = level[row.key], row.when + row.latency_s
        if row.outcome == "hit":
            ax.plot(row.when, y, MARKERS["hit"], color=COLOURS["hit"], markersize=8, zorder=4)
            continue
        kind = "error" if row.result == "error" else "miss"
        if ttl_s is not None and kind == "miss":
            ax.barh(
                y, min(ttl_s, end - answered), left=answered, height=0.5, color=COLOURS["hit"], alpha=0.18, zorder=1
            )
        ax.plot([row.when, row.when], [y, 0], color=COLOURS[kind], linewidth=1, linestyle=":", zorder=2)
        ax.barh(y, row.latency_s, left=row.when, height=0.22, color=COLOURS[kind], zorder=2)
        ax.plot(row.when, y, MARKERS[kind], color=COLOURS[kind], markersize=11, markeredgecolor="white", zorder=4)
    for query in trace.queries:
        ax.barh(
            0, query.ended - query.began, left=query.began - trace.start, height=0.5, color=COLOURS["origin"], zorder=3
        )
    ax.set_yticks([*level.values(), 0], [*(f"user {key}" for key in level), "origin busy"])
    ax.set_ylim(-0.6, len(keys) + 0.7)
    ax.set_xlim(-0.02 * end, end * 1.02)
    ax.set_xlabel("time (s)")
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], marker=MARKERS["miss"], color=COLOURS["miss"], linestyle="-", label="miss, waits for the origin"
        ),
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
    ]
    if ttl_s is not None:
        handles.append(Patch(color=COLOURS["hit"], alpha=0.18, label=f"in the cache ({ttl_s:g} s)"))
    figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(_told(row) for row in trace.reads) + ".")


def _told(row: Row) -> str:
    return f"at {row.when:g} s user {row.key}: {'error' if row.result == 'error' else row.outcome}, {ms(row.latency_s)}"


def plot_lanes(traces: Mapping[str, Trace], title: str) -> Picture:
    """One line for each query in order of arrival: pale while it waits for a connection, solid while it is served."""
    figure, panels = axes(3.8, columns=len(traces))
    words = []
    for ax, (label, trace) in zip(panels, traces.items(), strict=True):
        queries = sorted(trace.queries, key=lambda query: query.asked)
        numbers = range(1, len(queries) + 1)
        asked = [query.asked - trace.start for query in queries]
        waits = [query.began - query.asked for query in queries]
        ax.grid(False)
        ax.barh(numbers, waits, left=asked, height=1, color=COLOURS["wait"])
        served = [query.began - trace.start for query in queries]
        ax.barh(numbers, [q.ended - q.began for q in queries], left=served, height=1, color=COLOURS["origin"])
        ax.set_xlabel("time (s)")
        ax.set_xlim(0, max(query.ended - run.start for run in traces.values() for query in run.queries))
        ax.set_title(label, loc="left", fontsize=10)
        waited = sum(wait > 0 for wait in waits)
        words.append(f"{label}: {waited} of {len(queries)} queries waited, the longest {ms(max(waits))}")
    panels[0].set_ylabel("query, in order of arrival")
    panels[0].invert_yaxis()  # the panels share the axis
    handles = [
        Patch(color=COLOURS["wait"], label="waits for a connection"),
        Patch(color=COLOURS["origin"], label="is served"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
