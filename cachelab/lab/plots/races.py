"""Pictures of races: one interleaving step by step, and all of them side by side."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, PALETTE, Picture, axes, finish
from cachelab.lab.sim.races import Interleaving, Race

__all__ = ["plot_orders", "plot_race"]


def plot_race(run: Interleaving, title: str) -> Picture:
    """One lane for each actor with its operations in order; below, what the cache and the origin hold after each."""
    actors = list(dict.fromkeys(run.order))
    figure, (ax,) = axes(1.2 + 0.5 * (len(actors) + 2))
    ax.grid(False)
    level = {name: len(actors) + 1 - i for i, name in enumerate(actors)}
    for number, step in enumerate(run.steps, 1):
        colour = PALETTE[actors.index(step.actor)]
        ax.barh(level[step.actor], 0.94, left=number - 0.47, height=0.7, color=colour, alpha=0.2, edgecolor=colour)
        ax.annotate(step.did, (number, level[step.actor]), ha="center", va="center", fontsize=9.5)
        stale = step.cached not in (None, step.origin)
        colour, weight = (COLOURS["miss"], "bold") if stale else ("#444444", "normal")
        cached = "empty" if step.cached is None else f"version {step.cached}"
        ax.annotate(
            cached + (" ✗" if stale else ""), (number, 1), ha="center", va="center", color=colour, weight=weight
        )
        ax.annotate(f"version {step.origin}", (number, 0), ha="center", va="center", fontsize=9.5, color="#444444")
    ax.axhline(1.5, color="#BBBBBB", linewidth=0.8)
    ax.set_yticks([*level.values(), 1, 0], [*level, "in the cache", "at the origin"])
    ax.set_ylim(-0.5, len(actors) + 1.6)
    ax.set_xlim(0.4, len(run.steps) + 0.6)
    ax.set_xticks(range(1, len(run.steps) + 1))
    ax.set_xlabel("step")
    words = "; ".join(f"{step.actor} {step.did}" for step in run.steps)
    last = run.steps[-1]
    end = "nothing" if last.cached is None else f"version {last.cached}"
    return finish(figure, title, f"{words}. At the end the cache holds {end}, the origin version {last.origin}.")


def plot_orders(races: Mapping[str, Race], title: str) -> Picture:
    """Every interleaving as a row, a cell for each turn in its actor's colour; rows that end stale are marked."""
    figure, panels = axes(3.6, columns=len(races))
    actors = list(dict.fromkeys(name for race in races.values() for name in race.interleavings[0].order))
    for ax, (label, race) in zip(panels, races.items(), strict=True):
        ax.grid(False)
        rows = len(race.interleavings)
        for number, run in enumerate(race.interleavings):
            y, height = 1 - (number + 0.5) / rows, 0.86 / rows
            for turn, name in enumerate(run.order):
                colour = PALETTE[actors.index(name)]
                ax.barh(y, 0.92, left=turn, height=height, color=colour, alpha=1 if run.stale else 0.28)
            if run.stale:
                ax.annotate("✗", (len(run.order) + 0.3, y), color=COLOURS["miss"], va="center", ha="center", fontsize=8)
        ax.set_title(f"{label}: {len(race.stale)} of {rows}", loc="left", fontsize=9.5)
        ax.set_xlim(0, len(race.interleavings[0].order) + 0.8)
        ax.set_ylim(0, 1)
        ax.set_yticks([])
        ax.set_xticks([])
        ax.spines[["left", "bottom"]].set_visible(False)
    handles: list[Patch | Line2D] = [Patch(color=PALETTE[i], label=name) for i, name in enumerate(actors)]
    handles.append(Line2D([], [], marker="$✗$", color=COLOURS["miss"], linestyle="", label="ends stale"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    words = "; ".join(
        f"{label}: {len(race.stale)} of {len(race.interleavings)} orders end stale" for label, race in races.items()
    )
    return finish(figure, title, f"{words}.")
