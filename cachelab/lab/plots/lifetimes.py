"""The lifetimes of entries: from its fill, how long each entry stayed in the cache, and why it left."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, finish, outlined
from cachelab.lab.sim.listeners import EventLog

__all__ = ["plot_lifetimes"]

SERVED = outlined(COLOURS["hit"], 0.35)
EXPIRED = outlined("#999999", 0.35)
CAUSES = {  # why an entry left -> marker, colour
    "evicted": ("X", COLOURS["miss"]),
    "expired": ("v", COLOURS["stale"]),
    "delete": ("s", COLOURS["origin"]),
}


def plot_lifetimes(events: EventLog, title: str, *, ttl_s: float) -> Picture:
    """A lane for each key: a bar from a fill until the entry left, pale after `ttl_s`; the hits, and why it left."""
    keys = list(dict.fromkeys(event.key for _, event in events))
    end = max(when for when, _ in events)
    figure, (ax,) = axes(1.3 + 0.36 * len(keys))
    ax.grid(False)
    filled: dict[Any, float] = {}  # the keys of the entries that are in the cache, and since when
    words = []
    for when, event in events:
        y, kind = -keys.index(event.key), event[2]
        if kind == "hit":
            ax.plot(when, y, MARKERS["hit"], color=COLOURS["hit"], markersize=6, zorder=3)
        elif kind == "fill":
            filled[event.key] = when
        elif kind in CAUSES and event.key in filled:
            _draw_lifetime(ax, y, filled.pop(event.key), when, ttl_s)
            marker, colour = CAUSES[kind]
            ax.plot(when, y, marker, color=colour, markersize=8, markeredgecolor="white", zorder=4)
            words.append(f"{event.key} {kind} at {when:g} s")
    for key, since in filled.items():
        _draw_lifetime(ax, -keys.index(key), since, end, ttl_s)
    ax.set_yticks([-i for i in range(len(keys))], [f"{key}" for key in keys])
    ax.set_xlim(0, 1.03 * end)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.set_xlabel("time (s)")
    ax.set_ylabel("user")
    figure.legend(handles=_legend(ttl_s), loc="outside lower right", ncols=5, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _draw_lifetime(ax: Axes, y: float, since: float, until: float, ttl_s: float) -> None:
    expires = since + ttl_s
    ax.barh(y, min(until, expires) - since, left=since, height=0.55, **SERVED)
    if until > expires:
        ax.barh(y, until - expires, left=expires, height=0.55, **EXPIRED)


def _legend(ttl_s: float) -> list[Line2D | Patch]:
    causes = {"evicted": CAUSES["evicted"], "purged": CAUSES["expired"]}
    return [
        Patch(**SERVED, label=f"may be served ({ttl_s:g} s)"),
        Patch(**EXPIRED, label="expired, not yet purged"),
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        *(Line2D([], [], marker=m, color=c, linestyle="", label=cause) for cause, (m, c) in causes.items()),
    ]
