"""Pictures of what happened, request by request: who hit, who missed, who waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, finish
from cachelab.lab.sim.database import Query
from cachelab.lab.sim.listeners import EventLog
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_flow", "plot_lanes", "plot_lifetimes"]

Bar: TypeAlias = tuple[int, float, float]
"""Its line, its left end and its width."""


def plot_flow(trace: ReplayResult, title: str, *, ttl_s: float | None = None) -> Picture:
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


def plot_lanes(traces: Mapping[str, ReplayResult], title: str) -> Picture:
    """A line for each read in order of arrival: pale while it waits, solid while it is served, a dot for a hit."""
    figure, panels = axes(3.8, columns=len(traces))
    end = max(row.when + row.latency_s for trace in traces.values() for row in trace.reads)
    words, found = [], set[str]()
    for ax, (label, trace) in zip(panels, traces.items(), strict=True):
        served: dict[int | None, list[Query]] = {}
        for query in trace.queries:
            served.setdefault(query.request, []).append(query)
        waiting, serving, dots = list[Bar](), list[Bar](), dict[str, list[tuple[float, int]]]()
        waits = []
        for line, (number, row) in enumerate(sorted(enumerate(trace.rows), key=lambda pair: pair[1].when), 1):
            queries = served.get(number, [])
            waits.append(max(0.0, row.latency_s - sum(query.ended - query.began for query in queries)))
            waiting.append((line, row.when, row.latency_s))
            serving += [(line, query.began - trace.start, query.ended - query.began) for query in queries]
            if not queries:
                dots.setdefault(row.outcome, []).append((row.when + row.latency_s, line))
        _bars(ax, waiting, COLOURS["wait"])
        _bars(ax, serving, COLOURS["origin"])
        for outcome, places in dots.items():
            ax.plot(*zip(*places, strict=True), MARKERS[outcome], color=COLOURS[outcome], markersize=3)
        found |= set(dots)
        ax.grid(False)
        ax.set_xlabel("time (s)")
        ax.set_xlim(0, end * 1.02)
        ax.locator_params(axis="x", nbins=5)
        ax.set_title(label, loc="left", fontsize=10)
        waited = sum(wait > 1e-9 for wait in waits)
        asked = f"{len(waits):,} requests, {len(trace.queries):,} {'query' if len(trace.queries) == 1 else 'queries'}"
        asked += "".join(f", {len(places):,} {outcome}" for outcome, places in sorted(dots.items()))
        words.append(f"{label}: {asked}; {waited:,} had to wait for others, the longest {ms(max(waits))}")
    panels[0].set_ylabel("request, in order of arrival")
    panels[0].set_ylim(1 + max(len(trace.rows) for trace in traces.values()), 0)  # the panels share the axis
    handles: list[Line2D | Patch] = [
        Patch(color=COLOURS["wait"], label="waits"),
        Patch(color=COLOURS["origin"], label="its query is served"),
        *(Line2D([], [], marker=MARKERS[o], color=COLOURS[o], linestyle="", label=o) for o in sorted(found)),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _bars(ax: Axes, bars: Sequence[Bar], colour: str) -> None:
    """All bars of a colour as one collection: a thousand of them one by one would take seconds."""
    corners = [[(x, y - 0.5), (x + w, y - 0.5), (x + w, y + 0.5), (x, y + 0.5)] for y, x, w in bars]
    ax.add_collection(PolyCollection(corners, facecolors=colour, linewidths=0))


def plot_lifetimes(diary: EventLog, title: str, *, ttl_s: float) -> Picture:
    """A lane for each key: in the cache from its fill until it left, pale once it is dead; hits, and why it left."""
    keys = list(dict.fromkeys(event.key for _, event in diary))
    end = max(when for when, _ in diary)
    figure, (ax,) = axes(1.3 + 0.36 * len(keys))
    ax.grid(False)
    filled: dict[Any, float] = {}
    words = []
    ends = {"evicted": ("X", COLOURS["miss"]), "expired": ("v", COLOURS["stale"]), "delete": ("s", COLOURS["origin"])}

    def draw(ax: Axes, key: Any, until: float) -> None:
        began, y = filled.pop(key), -keys.index(key)
        ax.barh(y, min(until, began + ttl_s) - began, left=began, height=0.55, color=COLOURS["hit"], alpha=0.35)
        ax.barh(y, max(0.0, until - began - ttl_s), left=began + ttl_s, height=0.55, color="#DDDDDD")

    for when, event in diary:
        y, kind = -keys.index(event.key), event[2]
        if kind == "hit":
            ax.plot(when, y, MARKERS["hit"], color=COLOURS["hit"], markersize=6, zorder=3)
        elif kind == "fill":
            filled[event.key] = when
        elif kind in ends and event.key in filled:
            draw(ax, event.key, when)
            ax.plot(when, y, ends[kind][0], color=ends[kind][1], markersize=8, markeredgecolor="white", zorder=4)
            words.append(f"{event.key} {kind} at {when:g} s")
    for key in list(filled):
        draw(ax, key, end)
    ax.set_yticks([-i for i in range(len(keys))], [f"{key}" for key in keys])
    ax.set_xlim(0, 1.03 * end)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("user")
    found = {"evicted": ends["evicted"], "found dead": ends["expired"]}
    handles: list[Line2D | Patch] = [
        Patch(color=COLOURS["hit"], alpha=0.35, label=f"may be served ({ttl_s:g} s)"),
        Patch(color="#DDDDDD", label="dead, not yet buried"),
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        *(Line2D([], [], marker=m, color=c, linestyle="", label=cause) for cause, (m, c) in found.items()),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=5, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
