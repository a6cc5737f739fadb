"""The lifetimes of entries: from its fill, how long each entry stayed in the cache, and why it was removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cachelab.lab.plots.style import COLOURS, MARKERS, Picture, axes, darkened, finish, outlined
from cachelab.lab.sim.listeners import EventLog

__all__ = ["plot_lifetimes"]

SERVED = outlined(COLOURS["hit"], 0.35)
EXPIRED = outlined("#999999", 0.35)
CAUSES = {  # why an entry was removed -> marker, colour
    "evicted": ("X", COLOURS["miss"]),
    "removed by a look-up": ("D", COLOURS["stale"]),
    "purged by a write": ("v", COLOURS["stale"]),
    "deleted": ("s", COLOURS["origin"]),
}
STILL_THERE = {"marker": ">", "color": darkened(COLOURS["hit"], 4.5), "linestyle": ""}


def plot_lifetimes(events: EventLog, title: str, *, ttl_s: float) -> Picture:
    """A lane for each key: a bar from a fill until the entry was removed, pale after `ttl_s`; the hits, and the cause.

    The bar of an entry that is still there at the last event goes on to the edge.
    """
    keys = list(dict.fromkeys(event.key for _, event in events))
    edge = 1.04 * max(when for when, _ in events)
    figure, (ax,) = axes(1.6 + 0.36 * len(keys))
    ax.grid(False)
    filled: dict[Any, float] = {}  # the keys of the entries that are in the cache, and since when
    words = []
    for number, (when, event) in enumerate(events):
        y, kind, cause = -keys.index(event.key), event[2], _cause(events, number)
        if kind == "hit":
            ax.plot(when, y, MARKERS["hit"], color=COLOURS["hit"], markersize=6, zorder=3)
        elif kind == "fill":
            filled[event.key] = when
        elif cause and event.key in filled:
            expires = filled[event.key] + ttl_s
            _draw_lifetime(ax, y, filled.pop(event.key), when, ttl_s)
            marker, colour = CAUSES[cause]
            ax.plot(when, y, marker, color=colour, markersize=8, markeredgecolor="white", zorder=4)
            expired = f"expired at {expires:g} s, " if kind == "expired" else ""
            words.append(f"{event.key} {expired}{cause} at {when:g} s")
    for key, since in filled.items():
        y = -keys.index(key)
        _draw_lifetime(ax, y, since, edge, ttl_s)
        ax.plot(edge, y, markersize=7, clip_on=False, zorder=4, **STILL_THERE)  # type: ignore[arg-type]
        words.append(f"{key} still there")
    ax.set_yticks([-i for i in range(len(keys))], [f"{key}" for key in keys])
    ax.set_xlim(0, edge)
    ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    ax.set_xlabel("time (s)")
    ax.set_ylabel("user")
    figure.legend(handles=_legend(ttl_s), loc="outside lower right", ncols=4, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _cause(events: Sequence[tuple[float, Any]], number: int) -> str:
    """Why this event removed an entry; "" if it removed none.

    A write removes expired entries before its fill is told, at the same moment. What a look-up removes is its own key.
    """
    when, event = events[number]
    if event[2] == "delete":
        return "deleted"
    if event[2] != "expired":
        return "evicted" if event[2] == "evicted" else ""
    later = ((moment, other) for moment, other in events[number + 1 :] if other[2] not in ("expired", "evicted"))
    moment, other = next(later, (when, event))
    by_a_write = moment == when and other[2] == "fill" and other.key != event.key
    return "purged by a write" if by_a_write else "removed by a look-up"


def _draw_lifetime(ax: Axes, y: float, since: float, until: float, ttl_s: float) -> None:
    expires = since + ttl_s
    ax.barh(y, min(until, expires) - since, left=since, height=0.55, **SERVED)
    if until > expires:
        ax.barh(y, until - expires, left=expires, height=0.55, **EXPIRED)


def _legend(ttl_s: float) -> list[Line2D | Patch]:
    causes = [
        Line2D([], [], marker=marker, color=colour, linestyle="", label=cause)
        for cause, (marker, colour) in CAUSES.items()
        if cause != "deleted"
    ]
    return [
        Patch(**SERVED, label=f"may be served ({ttl_s:g} s)"),
        Patch(**EXPIRED, label="expired, not yet removed"),
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        *causes,
        Line2D([], [], label="still there", **STILL_THERE),  # type: ignore[arg-type]
    ]
