"""Pictures of races: one interleaving step by step, and all interleavings beside each other."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, PALETTE, Picture, axes, darkened, finish, outlined
from cachelab.lab.sim.races import Interleaving, Race

__all__ = ["plot_orders", "plot_race"]

MOST_WIDE = 8
"""With more steps, each has less room."""
STALE = darkened(COLOURS["miss"], 4.5)


def plot_race(interleaving: Interleaving, title: str) -> Picture:
    """A lane for each actor with its operations in order; below, what cache and origin hold after each operation.

    Good for up to about 14 steps; from 9 on, the words are broken into lines.
    """
    actors, steps = list(dict.fromkeys(interleaving.order)), interleaving.steps
    figure, (ax,) = axes(1.2 + 0.5 * (len(actors) + 2))
    ax.grid(False)
    y_of = {name: len(actors) + 1 - i for i, name in enumerate(actors)}
    for number, step in enumerate(steps, 1):
        y, colour = y_of[step.actor], PALETTE[actors.index(step.actor)]
        ax.barh(y, 0.94, left=number - 0.47, height=0.7, **outlined(colour, 0.2))
        did = step.did.replace(" ", "\n") if len(steps) > MOST_WIDE else step.did
        ax.annotate(did, (number, y), ha="center", va="center", fontsize=9.5)
        _write_contents(ax, number, step.cached, step.origin, "v" if len(steps) > MOST_WIDE else "version ")
    ax.axhline(1.5, color="#BBBBBB", linewidth=0.8)
    ax.set_yticks([*y_of.values(), 1, 0], [*y_of, "in the cache", "at the origin"])
    ax.set_ylim(-0.5, len(actors) + 1.6)
    ax.set_xlim(0.4, len(steps) + 0.6)
    ax.set_xticks(range(1, len(steps) + 1))
    ax.set_xlabel("step")
    words = "; ".join(f"{step.actor} {step.did}" for step in steps)
    last = steps[-1]
    end = "nothing" if last.cached is None else f"version {last.cached}"
    return finish(figure, title, f"{words}. At the end the cache holds {end}, the origin version {last.origin}.")


def _write_contents(ax: Axes, number: int, cached: int | None, origin: int, word: str) -> None:
    """Write under a step which version the cache holds, and below it that of the origin."""
    stale = cached not in (None, origin)
    colour, weight = (STALE, "bold") if stale else ("#444444", "normal")
    text = ("empty" if cached is None else f"{word}{cached}") + (" ✗" if stale else "")
    ax.annotate(text, (number, 1), ha="center", va="center", color=colour, weight=weight)
    ax.annotate(f"{word}{origin}", (number, 0), ha="center", va="center", fontsize=9.5, color="#444444")


def plot_orders(races: Mapping[str, Race], title: str) -> Picture:
    """A row for each interleaving, with a cell for each turn in its actor's colour; rows that end stale are marked."""
    figure, panels = axes(3.6, columns=len(races))
    orders = [interleaving.order for race in races.values() for interleaving in race.interleavings]
    actors = list(dict.fromkeys(name for order in orders for name in order))
    for ax, (label, race) in zip(panels, races.items(), strict=True):
        ax.grid(False)
        rows = len(race.interleavings)
        for number, interleaving in enumerate(race.interleavings):
            order, stale = interleaving.order, interleaving.stale
            y, height = 1 - (number + 0.5) / rows, 0.86 / rows
            for turn, name in enumerate(order):
                colour = PALETTE[actors.index(name)]
                ax.barh(y, 0.92, left=turn, height=height, **outlined(colour, 1 if stale else 0.28))
            if stale:
                ax.annotate("✗", (len(order) + 0.3, y), color=STALE, va="center", ha="center", fontsize=8)
        ax.set_title(f"{label}: {len(race.stale)} of {rows}", loc="left", fontsize=9.5)
        ax.set_xlim(0, max(len(interleaving.order) for interleaving in race.interleavings) + 0.8)
        ax.set_ylim(0, 1)
        ax.set_yticks([])
        ax.set_xticks([])
        ax.spines[["left", "bottom"]].set_visible(False)
    handles: list[Patch | Line2D] = [Patch(**outlined(PALETTE[i], 1), label=name) for i, name in enumerate(actors)]
    handles.append(Line2D([], [], marker="$✗$", color=STALE, linestyle="", label="ends stale"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    words = "; ".join(
        f"{label}: {len(race.stale)} of {len(race.interleavings)} orders end stale" for label, race in races.items()
    )
    return finish(figure, title, f"{words}.")
