"""The lanes of a fleet: what each node does for one key, with a tick for each command that it sends to Redis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import offset_copy

from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, axes, finish, outlined
from cachelab.lab.sim.stampede import Answer, Load, Stampede
from cachelab.lab.text import ms

__all__ = ["plot_stampede"]

WAITS = outlined(COLOURS["wait"], 1)
KINDS = {"old answer": "stale", "answer": "hit", "error": "error"}
"""Each kind of answer, with its meaning in the language of colours. Of two in one place the first stands higher."""
REFUSED: dict[str, Any] = {
    "marker": MARKERS["miss"],
    "color": COLOURS["miss"],
    "markeredgecolor": "white",
    "markersize": 9,
    "linestyle": "",
}
TICK: dict[str, Any] = {"marker": "|", "color": INK, "markersize": 4, "markeredgewidth": 0.8, "linestyle": ""}


def plot_stampede(runs: Mapping[str, Stampede], title: str) -> Picture:
    """A panel for each run with a lane for each node: pale while its callers wait, solid while it loads.

    A tick under the bars is a command. A dot is an answer, to one or more callers, and a triangle is one that is older
    than a delete before its question. A cross above a bar is a fill that was refused. Good for up to about 12 nodes.
    """
    nodes = max((run.nodes for run in runs.values()), key=len)
    figure, panels = axes(1.7 + 0.3 * len(nodes), columns=len(runs))
    end = max(_end(run) for run in runs.values())
    kinds = set[str]()
    for ax, (label, run) in zip(panels, runs.items(), strict=True):
        ax.grid(False)
        y_of = {node: -number for number, node in enumerate(run.nodes)}
        _draw_bars(ax, run, y_of)
        _draw_marks(ax, run, y_of)
        kinds |= _draw_answers(ax, run, y_of)
        ax.set_title(f"{label}: {_counts(run)}", loc="left", fontsize=9.5)
        ax.set_xlim(-0.02 * end, 1.04 * end)
        ax.set_xlabel("time (s)")
        ax.locator_params(axis="x", nbins=5)
    panels[0].set_yticks([-number for number in range(len(nodes))], nodes)
    panels[0].set_ylim(-len(nodes) + 0.3, 1.35 if any(run.deletes for run in runs.values()) else 0.6)
    figure.legend(handles=_legend(runs, kinds), loc="outside lower right", ncols=6, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(f"{label}: {_describe(run)}" for label, run in runs.items()) + ".")


def _draw_bars(ax: Axes, run: Stampede, y_of: Mapping[str, int]) -> None:
    for node, y in y_of.items():
        for began, ended in _spans(run, node):
            ax.barh(y, ended - began, left=began, height=0.5, **WAITS, zorder=1)
        ticks = [sent.when for sent in run.commands if sent.node == node]
        ax.plot(ticks, [y - 0.36] * len(ticks), **TICK, zorder=3)
    for load in run.loads:
        ended = _load_end(run, load)
        ax.barh(y_of[load.node], ended - load.began, left=load.began, height=0.5, color=COLOURS["origin"], zorder=2)


def _draw_marks(ax: Axes, run: Stampede, y_of: Mapping[str, int]) -> None:
    """The refused fills, the node that was killed, and the moments of the deletes."""
    for when, node in run.refused:
        ax.plot(when, y_of[node] + 0.47, **REFUSED, zorder=5)
    if run.killed is not None:
        when, node = run.killed
        ax.plot([when, when], [y_of[node] - 0.4, y_of[node] + 0.4], color=INK, linewidth=2.5, zorder=5)
        beside: Callable[..., Any] = ax.annotate
        beside("killed", (when, y_of[node]), (5, 0), textcoords="offset points", va="center", color=INK, fontsize=9.5)
    for deleted in run.deletes:
        ax.axvline(deleted, color=INK, linewidth=1, linestyle="--", zorder=0)
    for deleted in run.deletes[:1]:
        ax.annotate(
            "write and delete",
            (deleted, 1.2),
            (4, 0),
            textcoords="offset points",
            va="top",
            color=INK,
            fontsize=9,
        )


def _draw_answers(ax: Axes, run: Stampede, y_of: Mapping[str, int]) -> set[str]:
    """The answers. Different ones of a node at one moment stand above each other. Returns which kinds there are."""
    kinds = [kind for kind in KINDS if any(_kind(run, answer) == kind for answer in run.answers)]
    places = {k: {(a.answered, y_of[a.node]) for a in run.answers if _kind(run, a) == k} for k in kinds}
    for kind in kinds:
        for place in sorted(places[kind]):
            here = [other for other in kinds if place in places[other]]
            up = 4 * (len(here) - 1 - 2 * here.index(kind))
            beside = offset_copy(ax.transData, ax.figure.figure, y=up, units="points")
            marker, colour = MARKERS[KINDS[kind]], COLOURS[KINDS[kind]]
            ax.plot(*place, marker, color=colour, markersize=6, transform=beside, zorder=4)
    return set(kinds)


def _legend(runs: Mapping[str, Stampede], kinds: set[str]) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(**WAITS, label="its callers wait"),
        Patch(color=COLOURS["origin"], label="it loads"),
        Line2D([], [], **TICK, label="command"),
    ]
    for kind, meaning in KINDS.items():
        if kind in kinds:
            handles.append(Line2D([], [], marker=MARKERS[meaning], color=COLOURS[meaning], linestyle="", label=kind))
    if any(run.refused for run in runs.values()):
        handles.append(Line2D([], [], **REFUSED, label="fill refused"))
    return handles


def _kind(run: Stampede, answer: Answer) -> str:
    if answer in run.old:
        return "old answer"
    if answer.error == "killed":
        return "killed"
    return "error" if answer.error else "answer"


def _end(run: Stampede) -> float:
    return max([run.last_answer, *(_load_end(run, load) for load in run.loads)])


def _load_end(run: Stampede, load: Load) -> float:
    """When a load ended; that of a killed node ended with it."""
    if load.ended is not None:
        return load.ended
    return run.killed[0] if run.killed is not None and run.killed[1] == load.node else run.last_answer


def _spans(run: Stampede, node: str) -> list[tuple[float, float]]:
    """From when to when at least one caller of this node waited, in order."""
    spans: list[tuple[float, float]] = []
    for asked, answered in sorted((a.asked, a.answered) for a in run.answers if a.node == node):
        if spans and asked <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], answered))
        else:
            spans.append((asked, answered))
    return spans


def _counts(run: Stampede) -> str:
    loads = len(run.loads)
    return f"{loads} {'load' if loads == 1 else 'loads'}, {len(run.commands)} commands"


def _describe(run: Stampede) -> str:
    begins = ", ".join(ms(load.began) for load in run.loads)
    words = f"{_counts(run)}, the last answer after {ms(run.last_answer)}"
    if 1 <= len(run.loads) <= 4:
        words += f"; {'the load begins' if len(run.loads) == 1 else 'the loads begin'} after {begins}"
    if run.killed is not None:
        words += f"; {run.killed[1]} is killed after {ms(run.killed[0])}"
    if run.refused:
        words += f"; {len(run.refused)} {'fill is' if len(run.refused) == 1 else 'fills are'} refused"
    if run.deletes:
        after = sum(a.asked >= run.deletes[0] for a in run.answers)
        old = f"{len(run.old)} {'gets' if len(run.old) == 1 else 'get'}"
        what = "version 1" if len(run.deletes) == 1 else "old versions"
        words += f"; of {after} callers after the delete {old} {what}"
        words += f", and a second later the fleet has version {run.later}"
    return words
