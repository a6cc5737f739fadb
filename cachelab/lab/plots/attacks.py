"""An attack with ids that nobody has: what it does to the users' hits, and what it asks of the origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, Picture, finish, outlined
from cachelab.lab.text import ms
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_attack"]

UNKNOWN = outlined(COLOURS["origin"], 0.25)


def plot_attack(runs: Mapping[str, ReplayResult], title: str, *, users: int) -> Picture:
    """A strip for each run with three panels over time: the users' misses, the queries, and how long a user waits.

    A read is a user's if its key is from 1 to `users`. All others are for unknown ids; a dotted vertical line stands
    where they begin. Queries are counted by when they were asked, and stand on each other: those for users below, those
    for unknown ids above. A dot in the third panel is a read of a user that missed. Good for up to about 4 runs.
    """
    figure = Figure(figsize=(8.6, 1.2 + 1.1 * len(runs)), dpi=150, layout="constrained")
    panels = figure.subplots(len(runs), 3, squeeze=False, sharex=True, sharey="col")
    words = []
    for strip, (label, run) in zip(panels, runs.items(), strict=True):
        reads = [row for row in run.reads if 1 <= row.key <= users]
        begin = min((row.when for row in run.reads if not 1 <= row.key <= users), default=0.0)
        unknown = sum(not 1 <= query.key <= users for query in run.queries)
        missed = [row for row in reads if row.outcome not in ("hit", "stale")]
        longest = ms(max(row.latency_s for row in reads))
        _draw_strip(strip, run, missed, users)
        during = _hit_ratio(reads, begin, run.seconds)
        titles = (f"{label}: hit ratio {during:.2f}", f"{unknown:,} for unknown ids", f"{longest} at most")
        for ax, text in zip(strip, titles, strict=True):
            if begin:
                ax.axvline(begin, color=COLOURS["limit"], linewidth=1.2, linestyle=":")
            ax.set_title(text, loc="left", fontsize=9.5, color=INK)
        hits = f"the users' hit ratio is {during:.3f}"
        if begin:
            before = _hit_ratio(reads, 0, begin)
            hits = f"the users' hit ratio is {before:.3f} before the unknown ids come, and {during:.3f} from then on"
        words.append(f"{label}: {hits}; {unknown:,} queries for unknown ids; a user waits {longest} at most")
    _finish_axes(panels.tolist())
    handles = [
        Patch(color=COLOURS["miss"], label="users' misses"),
        Patch(color=COLOURS["origin"], label="queries for users"),
        Patch(**UNKNOWN, label="queries for unknown ids"),
        Line2D([], [], color=COLOURS["limit"], linestyle=(0, (6, 3)), label="capacity"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")


def _draw_strip(strip: Sequence[Axes], run: ReplayResult, missed: Sequence[Row], users: int) -> None:
    misses, queries, waits = strip
    misses.stairs(_per_second(row.when for row in missed), fill=True, color=COLOURS["miss"])
    of_users = _per_second(query.asked - run.start for query in run.queries if 1 <= query.key <= users)
    queries.stairs(_per_second(query.asked - run.start for query in run.queries), fill=True, **UNKNOWN)
    queries.stairs(of_users, fill=True, color=COLOURS["origin"])
    if run.capacity:
        queries.axhline(run.capacity, color=COLOURS["limit"], linewidth=1.2, linestyle=(0, (6, 3)))
    waits.plot(
        [row.when for row in missed], [row.latency_s for row in missed], ".", color=COLOURS["miss"], markersize=2
    )


def _finish_axes(panels: Sequence[Sequence[Axes]]) -> None:
    for ax in (ax for strip in panels for ax in strip):
        ax.spines[["top", "right"]].set_visible(False)
    for ax, unit in zip(panels[len(panels) // 2], ("users' misses/s", "queries/s", "a user waits (s)"), strict=True):
        ax.set_ylabel(unit)
    for ax in panels[-1]:
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("time (s)")


def _per_second(moments: Iterable[float]) -> list[int]:
    """How many of these moments are in each second."""
    seconds = [int(moment) for moment in moments]
    counts = [0] * (1 + max(seconds, default=0))
    for second in seconds:
        counts[second] += 1
    return counts


def _hit_ratio(reads: Iterable[Row], start: float, end: float) -> float:
    """The share of hits among the reads from `start` to `end`, in seconds; 0 if there are none."""
    hits = [row.outcome in ("hit", "stale") for row in reads if start <= row.when <= end]
    return sum(hits) / len(hits) if hits else 0.0
