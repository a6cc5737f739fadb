"""Users by the second: how many were answered at once, waited or gave up, and how often they asked.

Problem: a share of errors, or a latency, does not show a service that does not come back. Its users ask, leave, and ask
    again.
Idea: each second has a bar of its users, stacked by what they got. A line has the attempts: where it stays above the
    bars, users try again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, Picture, darkened, finish
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_users"]

AT_ONCE_S = 0.01
"""An answer within so many seconds came at once: a hit, if need be with some round trips to Redis."""
KINDS = {"answered at once": ("hit", ""), "waited": ("miss", ""), "gave up": ("error", "////")}
"""What may happen to a user, and the meaning whose colour it has, with its hatching."""


def plot_users(
    results: Mapping[str, ReplayResult], title: str, *, moments: Mapping[str, float] | None = None
) -> Picture:
    """A strip for each result: the users of each second, stacked by what they got, and a line for their attempts.

    A user is a read; it counts in the second in which it first asks. One that gave up got no answer from any of its
    attempts. `moments` has seconds since the start, each with its name, which get a dashed line. From the last of them
    on the words count how long the service takes to come back (`ReplayResult.back_after_s`).
    """
    moments = moments or {}
    figure = Figure(figsize=(8.6, max(2.7, 1.0 + 1.3 * len(results))), dpi=150, layout="constrained")
    strips = figure.subplots(len(results), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    words = []
    for ax, (label, result) in zip(strips, results.items(), strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        _draw(ax, result)
        for moment in moments.values():
            ax.axvline(moment, color=COLOURS["limit"], linestyle="--", linewidth=1.2, zorder=3)
        told = _describe_return(result, moments)
        ax.set_title(f"{label}{told and f': {told}'}", loc="left", fontsize=9.5, pad=3, color=INK)
        words.append(f"{label}: {'; '.join(filter(None, [told, _describe_shares(result, moments), _most(result)]))}")
    strips[0].set_ylim(0, 1.08 * max(max(_attempts(result)) for result in results.values()))  # of all strips
    for name, moment in moments.items():
        place: dict[str, Any] = {"xytext": (-4, -2), "textcoords": "offset points", "ha": "right", "va": "top"}
        strips[0].annotate(name, (moment, strips[0].get_ylim()[1]), fontsize=9, color=INK, **place)
    strips[-1].set_xlabel("time (s)")
    figure.supylabel("users a second", fontsize=9.5)
    handles: list[Patch | Line2D] = [
        Patch(facecolor=COLOURS[mark], hatch=hatch, edgecolor=darkened(COLOURS[mark], 6), linewidth=0.0, label=kind)
        for kind, (mark, hatch) in KINDS.items()
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1.4, label="attempts a second"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")


def _kind(row: Row) -> str:
    """What happened to the user."""
    if row.result == "error":
        return "gave up"
    return "waited" if row.latency_s > AT_ONCE_S else "answered at once"


def _draw(ax: Axes, result: ReplayResult) -> None:
    seconds = math.ceil(result.seconds)
    counts = {kind: [0] * seconds for kind in KINDS}
    for row in result.reads:
        counts[_kind(row)][min(int(row.when), seconds - 1)] += 1
    base, edges = [0] * seconds, list(range(seconds + 1))
    for kind, (mark, hatch) in KINDS.items():
        tops = [low + count for low, count in zip(base, counts[kind], strict=True)]
        look: dict[str, Any] = {"facecolor": COLOURS[mark], "edgecolor": darkened(COLOURS[mark], 6), "linewidth": 0.0}
        ax.stairs(tops, edges, baseline=base, fill=True, hatch=hatch, zorder=1, **look)
        base = tops
    attempts = _attempts(result)
    ax.plot([second + 0.5 for second in range(seconds)], attempts, color=INK, linewidth=1.4, zorder=2)
    ax.set_xlim(0, seconds)


def _attempts(result: ReplayResult) -> list[int]:
    """How many attempts began in each second of the workload."""
    attempts = [0] * math.ceil(result.seconds)
    for moment in result.attempts:
        if moment < len(attempts):
            attempts[int(moment)] += 1
    return attempts


def _describe_return(result: ReplayResult, moments: Mapping[str, float]) -> str:
    """When the service was back after the last of these moments; "" if there are none."""
    if not moments:
        return ""
    back_s = result.back_after_s(max(moments.values()))
    return "does not come back" if back_s == math.inf else f"back after {back_s:g} s"


def _describe_shares(result: ReplayResult, moments: Mapping[str, float]) -> str:
    """The share of users that were answered, before the first moment and after the last, or all the time."""
    if not moments:
        return f"{result.answered_share(0, math.inf):.0%} of the users answered"
    before = result.answered_share(0, min(moments.values()))
    after = result.answered_share(max(moments.values()), math.inf)
    return f"{before:.0%} of the users answered before, {after:.0%} afterwards"


def _most(result: ReplayResult) -> str:
    return f"at most {max(_attempts(result))} attempts a second"
