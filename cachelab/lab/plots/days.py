"""The day of chapter 14: one plan's day as a strip, and several plans by how their readers fared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cachelab.lab.day.score import MAX_SHARE, Score, hours_of
from cachelab.lab.day.traffic import EVENTS, HOUR_S
from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, axes, darkened, finish, outlined

__all__ = ["plot_day", "plot_plans", "wrong_share"]

KINDS = {
    "failed": ("failed or slow", "miss", "////"),
    "stale": ("stale by more than 60 s", "stale", "...."),
    "invented": ("invented", "error", "xxxx"),
    "not_found": ('told "not found"', "limit", ""),
}
"""Each kind of bad answer: its name, the meaning whose colour it has, and its pattern."""
LEAST_SHARE = 0.0005
"""Where the axes of shares begin; what is less stands there, too."""


def plot_day(score: Score, title: str) -> Picture:
    """The readers of each second, by the quarter of an hour, and those of them that got a bad answer; each event named.

    The horizontal axis has the 24 hours of the day, each of which takes a minute.
    """
    figure, (ax,) = axes(height=3.3)
    hours = [quarter / 4 for quarter in range(len(score.quarters) + 1)]
    a_second = [4 * quarter.readers / HOUR_S for quarter in score.quarters]
    top = 1.2 * max(a_second)
    ax.stairs(a_second, hours, fill=True, label="readers", **outlined(COLOURS["wait"], 0.6))
    floor = [0.0] * len(score.quarters)
    for kind, (name, meaning, pattern) in KINDS.items():
        if score.count(kind):
            bad = [4 * getattr(quarter, kind) / HOUR_S for quarter in score.quarters]
            roof = [low + more for low, more in zip(floor, bad, strict=True)]
            colour = COLOURS[meaning]
            look: dict[str, Any] = {
                "facecolor": colour,
                "edgecolor": darkened(colour, 6),
                "hatch": pattern,
                "linewidth": 0.6,
            }
            ax.stairs(roof, hours, baseline=floor, fill=True, label=name, **look)
            floor = roof
    ax.grid(visible=False)
    for event in EVENTS.values():
        ax.axvspan(event.start, event.end, **outlined(COLOURS["origin"], 0.12), zorder=0)
        ax.annotate(event.name, (event.end + 0.1, 0.97 * top), fontsize=9, color=INK, va="top", zorder=6)
    ax.set_ylim(0, top)
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 3), [f"{hour} h" for hour in range(0, 25, 3)])
    ax.set_ylabel("readers per second")
    figure.legend(loc="outside lower right", ncols=5, frameon=False, fontsize=9)
    return finish(figure, title, _day_in_words(score))


def _day_in_words(score: Score) -> str:
    bad = [f"{score.count(kind):,} {name}" for kind, (name, *_) in KINDS.items() if score.count(kind)]
    words = f"{score.count('readers'):,} readers: {', '.join(bad) or 'nobody unhappy'}"
    for kind, (name, *_) in KINDS.items():
        counts = enumerate(hours_of(score.quarters, kind))
        hours = [f"{hour:02d} h {count:,}" for hour, count in counts if count > MAX_SHARE * score.count("readers") / 10]
        words += f"; {name} by the hour: {', '.join(hours)}" if hours else ""
    return f"{words}."


def plot_plans(scores: Mapping[str, Score], title: str) -> Picture:
    """A mark for each plan: readers that failed or waited too long to the right, answers that were wrong upwards.

    Wrong is an answer that is stale by more than 60 s, invented, or "not found". The box holds what the goals allow
    of both. A circle has kept all goals, a cross has missed one. Both axes are logarithmic.
    """
    figure, (ax,) = axes(height=4.2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(0.6 * LEAST_SHARE, 3)
    ax.set_ylim(0.6 * LEAST_SHARE, 1.5)
    corner = (0.6 * LEAST_SHARE, 0.6 * LEAST_SHARE)
    side = MAX_SHARE - corner[0]
    ax.add_patch(Rectangle(corner, side, side, zorder=0, **outlined(COLOURS["hit"], 0.12)))
    ax.annotate("the goals", (0.66 * LEAST_SHARE, 0.85 * MAX_SHARE), fontsize=9.5, color=INK, va="top")
    words = []
    for name, score in scores.items():
        _draw_plan(ax, name, score)
        failed, wrong = score.share("failed"), wrong_share(score)
        missed = f"misses {len(score.missed)}" if score.missed else "keeps all goals"
        words.append(f"{name}: {failed:.2%} failed or slow, {wrong:.2%} wrong, {missed}")
    ticks = [LEAST_SHARE, 0.01, 0.1, 1]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks, ["0", "1 %", "10 %", "100 %"])
        axis.set_ticks([], minor=True)
    ax.set_xlabel("readers that failed or waited for more than 300 ms")
    ax.set_ylabel("answers that were wrong")
    return finish(figure, title, "; ".join(words) + ".")


def wrong_share(score: Score) -> float:
    """The share of the readers that got a wrong answer: too stale, invented, or "not found"."""
    return sum(score.count(kind) for kind in ("stale", "invented", "not_found")) / score.count("readers")


def _draw_plan(ax: Axes, name: str, score: Score) -> None:
    meaning = "miss" if score.missed else "hit"
    place = max(LEAST_SHARE, score.share("failed")), max(LEAST_SHARE, wrong_share(score))
    ax.plot(*place, MARKERS[meaning], color=darkened(COLOURS[meaning], 3), markersize=8, zorder=3)
    note = ax.annotate(name, place, xytext=(5, 5), textcoords="offset points", fontsize=9.5, color=INK, zorder=4)
    note.set(rotation=32, rotation_mode="anchor")
