"""Staleness: how long each stale answer had been out of date when it was given."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.lines import Line2D

from cachelab.lab.plots.style import COLOURS, PALETTE, Picture, axes, finish
from cachelab.lab.traffic.replay_result import ReplayResult

__all__ = ["plot_staleness"]

DOT_MARKERS = ["o", "s", "^", "D"]


def plot_staleness(results: Mapping[str, ReplayResult], title: str, *, limit_s: float | None = None) -> Picture:
    """A dot for each stale answer: when it was given, and for how long it had been out of date, both in seconds.

    A dashed line shows `limit_s`, such as a TTL. Where answers of two results are alike, the later result is on top.
    """
    figure, (ax,) = axes(3.6)
    end = max(row.when + row.latency_s for result in results.values() for row in result.reads)
    handles, words = [], []
    for i, (label, result) in enumerate(results.items()):
        stale = [row for row in result.reads if row.stale_s > 0]
        looks = {"marker": DOT_MARKERS[i % 4], "color": PALETTE[i % len(PALETTE)], "linestyle": ""}
        times = [row.when + row.latency_s for row in stale]
        ax.plot(times, [row.stale_s for row in stale], markersize=3, zorder=3 + i, **looks)  # type: ignore[arg-type]
        handles.append(Line2D([], [], markersize=6, label=label, **looks))  # type: ignore[arg-type]
        longest_s = max((row.stale_s for row in stale), default=0)
        words.append(
            f"{label}: {len(stale):,} of {len(result.reads):,} answers were stale, by {longest_s:.1f} s at most"
        )
    if limit_s is not None:
        ax.plot([0, end], [limit_s, limit_s], color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)), zorder=20)
        place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 9.5}
        ax.annotate(f"{limit_s:g} s", (end, limit_s), **place)  # type: ignore[arg-type]
    ax.set_xlim(0, 1.06 * end)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("time (s)")
    ax.set_ylabel("out of date for (s)")
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
