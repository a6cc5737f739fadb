"""The lanes of a sign-up: what each pod says of a new user, before and after the commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, finish, outlined
from cachelab.lab.traffic.replay_result import ReplayResult, Row

__all__ = ["plot_sign_up"]

LOOKS: dict[str, dict[str, Any]] = {
    "not found, and not there yet": {"marker": "o", "color": INK, "markerfacecolor": "white", "markersize": 5},
    "found": {"marker": MARKERS["hit"], "color": COLOURS["hit"], "markersize": 5},
    "told “not found” of a user who is there": {"marker": MARKERS["miss"], "color": COLOURS["miss"], "markersize": 7},
}
SIGNS_UP = outlined(COLOURS["wait"], 1)


def plot_sign_up(runs: Mapping[str, ReplayResult], title: str) -> Picture:
    """A strip for each run with a lane for each pod, and in it each read of the new user: found, or "not found".

    Each run is of one new user. A pale bar stands in the lane of the pod at which the user signs up, for as long as
    that takes, and a dashed line at the commit. A read that asked before the commit is no false "not found". Good for
    up to about 4 runs of 4 pods.
    """
    pods = 1 + max(row.node for run in runs.values() for row in run.rows)
    figure = Figure(figsize=(8.6, 1.0 + len(runs) * (0.42 + 0.22 * pods)), dpi=150, layout="constrained")
    strips = figure.subplots(len(runs), 1, squeeze=False, sharex=True)[:, 0]
    end = max(row.when for run in runs.values() for row in run.rows)
    words, found = [], set[str]()
    for ax, (label, run) in zip(strips, runs.items(), strict=True):
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        commit = next(query.ended - run.start for query in run.queries if query.kind == "write")
        ax.axvline(commit, color=INK, linestyle="--", linewidth=1.2, zorder=1)
        kinds = {row: _kind(row, commit) for row in run.reads}
        found |= set(kinds.values())
        _draw_lanes(ax, run, kinds)
        ax.set_yticks(range(pods), [f"pod {pod + 1}" for pod in range(pods)])
        ax.set_ylim(pods - 0.4, -0.6)
        ax.set_xlim(-0.01 * end, 1.01 * end)
        wrong = [row for row, kind in kinds.items() if kind.startswith("told")]
        after = sum(row.when >= commit for row in run.reads)
        told = f"{len(wrong)} of {after} reads after the commit are told “not found”"
        ax.set_title(f"{label}: {told}", loc="left", fontsize=9.5, pad=3, color=INK)
        where = ", ".join(f"pod {pod + 1}" for pod in sorted({row.node for row in wrong}))
        words.append(f"{label}: the commit is at {commit:.2f} s; {told}" + (f", at {where}" if where else ""))
    strips[-1].set_xlabel("time (s)")
    handles: list[Line2D | Patch] = [Line2D([], [], linestyle="", label=k, **LOOKS[k]) for k in LOOKS if k in found]
    handles += [Patch(**SIGNS_UP, label="signs up"), Line2D([], [], color=INK, linestyle="--", label="commit")]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=8.5)
    return finish(figure, title, "; ".join(words) + ".")


def _kind(row: Row, commit: float) -> str:
    """What kind of answer this read got. The commit is a moment in seconds since the start of the run."""
    early, found, wrong = LOOKS
    if row.result == "value":
        return found
    return wrong if row.when >= commit else early


def _draw_lanes(ax: Axes, run: ReplayResult, kinds: Mapping[Row, str]) -> None:
    for row in run.rows:
        if row.op == "write":
            ax.barh(row.node, row.latency_s, left=row.when, height=0.6, **SIGNS_UP, zorder=2)
    for kind, look in LOOKS.items():
        rows = [row for row in run.reads if kinds[row] == kind]
        ax.plot([row.when for row in rows], [row.node for row in rows], linestyle="", zorder=3, **look)
