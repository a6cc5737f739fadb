"""Request lanes: which requests hit, which missed, and which waited for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, darkened, finish, outlined
from cachelab.lab.sim.database import Query
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_flow", "plot_lanes"]

SERVED = outlined(COLOURS["hit"], 0.18)
Bar: TypeAlias = tuple[int, float, float]
"""A bar's line, its left end and its width."""


def plot_flow(result: ReplayResult, title: str, *, ttl_s: float | None = None) -> Picture:
    """A lane for each key and one for the origin: a hit is a dot, and a miss is a bar with a line down to the origin.

    With `ttl_s`, a pale band shows how long each answer may be served. Good for up to about 8 keys.
    """
    keys = list(dict.fromkeys(row.key for row in result.reads))
    y_of = {key: len(keys) - i for i, key in enumerate(keys)}
    served_s = {row: ttl_s or 0.0 for row in result.reads if row.outcome != "hit" and row.result != "error"}
    end = max(row.when + row.latency_s + served_s.get(row, 0.0) for row in result.reads)
    figure, (ax,) = axes(1.5 + 0.42 * (len(keys) + 1))
    ax.grid(False)
    for key in keys:
        ax.axhline(y_of[key], color="#E4E4E4", linewidth=0.8, zorder=0)
    for row in result.reads:
        if row.outcome == "hit":
            ax.plot(row.when, y_of[row.key], MARKERS["hit"], color=COLOURS["hit"], markersize=8, zorder=4)
        else:
            _draw_miss(ax, row, y_of[row.key], served_s.get(row))
    for query in result.queries:
        began, seconds = query.began - result.start, query.ended - query.began
        ax.barh(0, seconds, left=began, height=0.5, color=COLOURS["origin"], zorder=3)
    ax.set_yticks([*y_of.values(), 0], [*(f"user {key}" for key in y_of), "origin busy"])
    ax.set_ylim(-0.6, len(keys) + 0.7)
    ax.set_xlim(-0.02 * end, end * 1.02)
    ax.set_xlabel("time (s)")
    miss = {"marker": MARKERS["miss"], "color": COLOURS["miss"], "linestyle": "-"}
    handles: list[Line2D | Patch] = [
        Line2D([], [], label="miss, waits for the origin", **miss),  # type: ignore[arg-type]
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
    ]
    if ttl_s is not None:
        handles.append(Patch(**SERVED, label=f"in the cache ({ttl_s:g} s)"))
    figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(_describe_read(row) for row in result.reads) + ".")


def _draw_miss(ax: Axes, row: Row, y: float, served_s: float | None) -> None:
    kind, answered = "error" if row.result == "error" else "miss", row.when + row.latency_s
    if served_s:
        ax.barh(y, served_s, left=answered, height=0.5, **SERVED, zorder=1)
    ax.plot([row.when, row.when], [y, 0], color=COLOURS[kind], linewidth=1, linestyle=":", zorder=2)
    ax.barh(y, row.latency_s, left=row.when, height=0.22, color=COLOURS[kind], zorder=2)
    ax.plot(row.when, y, MARKERS[kind], color=COLOURS[kind], markersize=11, markeredgecolor="white", zorder=4)


def _describe_read(row: Row) -> str:
    return f"at {row.when:g} s user {row.key}: {'error' if row.result == 'error' else row.outcome}, {ms(row.latency_s)}"


@dataclass
class _Lanes:
    """What `plot_lanes` draws of one result, and how long each request waited for others."""

    waiting: list[Bar] = field(default_factory=list)
    served: list[Bar] = field(default_factory=list)
    dots: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """For each outcome without a query of its own: when it was answered, and its line."""
    waits_s: list[float] = field(default_factory=list)


def plot_lanes(results: Mapping[str, ReplayResult], title: str) -> Picture:
    """A line for each read in order of arrival: pale while it waits, solid while it is served, a dot for a hit."""
    figure, panels = axes(3.8, columns=len(results))
    end = max(row.when + row.latency_s for result in results.values() for row in result.reads)
    words, outcomes = [], set[str]()
    for ax, (label, result) in zip(panels, results.items(), strict=True):
        lanes = _lanes_of(result)
        _draw_bars(ax, lanes.waiting, COLOURS["wait"])
        arrivals, lines = [when for _, when, _ in lanes.waiting], [line for line, _, _ in lanes.waiting]
        ax.plot(arrivals, lines, color=darkened(COLOURS["wait"], 3), linewidth=0.8)
        _draw_bars(ax, lanes.served, COLOURS["origin"])
        for outcome, places in lanes.dots.items():
            ax.plot(*zip(*places, strict=True), MARKERS[outcome], color=COLOURS[outcome], markersize=3)
        outcomes |= set(lanes.dots)
        ax.grid(False)
        ax.set_xlabel("time (s)")
        ax.set_xlim(0, end * 1.02)
        ax.locator_params(axis="x", nbins=5)
        ax.set_title(label, loc="left", fontsize=10)
        words.append(f"{label}: {_describe_lanes(lanes, len(result.queries))}")
    panels[0].set_ylabel("request, in order of arrival")
    panels[0].set_ylim(1 + max(len(result.rows) for result in results.values()), 0)  # the panels share the axis
    handles: list[Line2D | Patch] = [
        Patch(**outlined(COLOURS["wait"], 1), label="waits"),
        Patch(color=COLOURS["origin"], label="its query is served"),
        *(Line2D([], [], marker=MARKERS[o], color=COLOURS[o], linestyle="", label=o) for o in sorted(outcomes)),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _lanes_of(result: ReplayResult) -> _Lanes:
    queries_of: dict[int | None, list[Query]] = {}
    for query in result.queries:
        queries_of.setdefault(query.request, []).append(query)
    lanes = _Lanes()
    for line, (number, row) in enumerate(sorted(enumerate(result.rows), key=lambda pair: pair[1].when), 1):
        queries = queries_of.get(number, [])
        lanes.waits_s.append(max(0.0, row.latency_s - sum(query.ended - query.began for query in queries)))
        lanes.waiting.append((line, row.when, row.latency_s))
        lanes.served += [(line, query.began - result.start, query.ended - query.began) for query in queries]
        if not queries:
            lanes.dots.setdefault(row.outcome, []).append((row.when + row.latency_s, line))
    return lanes


def _draw_bars(ax: Axes, bars: Sequence[Bar], colour: str) -> None:
    """All bars of a colour as one collection: to draw a thousand of them one by one would take seconds."""
    corners = [[(x, y - 0.5), (x + w, y - 0.5), (x + w, y + 0.5), (x, y + 0.5)] for y, x, w in bars]
    ax.add_collection(PolyCollection(corners, facecolors=colour, linewidths=0))


def _describe_lanes(lanes: _Lanes, queries: int) -> str:
    counts = f"{len(lanes.waits_s):,} requests, {queries:,} {'query' if queries == 1 else 'queries'}"
    counts += "".join(f", {len(places):,} {outcome}" for outcome, places in sorted(lanes.dots.items()))
    waited = sum(wait_s > 1e-9 for wait_s in lanes.waits_s)
    return f"{counts}; {waited:,} had to wait for others, the longest {ms(max(lanes.waits_s))}"
