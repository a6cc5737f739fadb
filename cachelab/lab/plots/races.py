"""Pictures of races: one interleaving step by step, and all interleavings beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, PALETTE, Picture, axes, darkened, finish, outlined
from cachelab.lab.sim.races import Interleaving, Race, Step

__all__ = ["plot_orders", "plot_race"]

EMPTY = "empty"
GAP = 0.03
"""Half the room between two boxes, in steps."""
GREY = "#8A8A8A"
MOST_WIDE = 8
"""With more steps than this each has less room: words are broken into lines, and versions are "v1"."""
MOST_NAMED_ROWS = 12
"""In more rows than this the names of the steps would not have room."""


def plot_race(race: Interleaving, title: str) -> Picture:
    """A lane for each actor with its steps in order; below, what cache and origin hold, also after the last step.

    A fill or a delete begins where its actor sends it and ends where it arrives. A version in the cache that is older
    than the origin's has a colour of its own and the word "old". Good for up to about 14 steps.
    """
    actors, steps, length = list(dict.fromkeys(race.order)), race.steps, len(race.steps)
    crowded = length > MOST_WIDE
    size = min(9.5, (100 if crowded else 58) / (length + 1))  # so that "version 1, old" has room in one step
    version, number, end = ("v", "", "then") if crowded else ("version ", "step ", "afterwards")
    figure, (ax,) = axes(1.2 + 0.4 * (len(actors) + 2))
    ax.grid(False)
    _draw_steps(ax, steps, actors, size, crowded=crowded)
    _draw_contents(ax, 1, [_in_the_cache(step, version) for step in steps], size)
    _draw_contents(ax, 0, [f"{version}{step.origin}" for step in steps], size)
    ax.axhline(1.5, color="#BBBBBB", linewidth=0.8)
    ax.set_yticks(range(len(actors) + 2), ["at the origin", "in the cache", *reversed(actors)])
    ax.set_ylim(-0.5, len(actors) + 1.5)
    ax.set_xlim(0.4, length + 1.6)
    ax.set_xticks(range(1, length + 2), [*(f"{number}{i}" for i in range(1, length + 1)), end])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    return finish(figure, title, _story(race))


def _draw_steps(ax: Axes, steps: Sequence[Step], actors: Sequence[str], size: float, *, crowded: bool) -> None:
    """Draw a box for each step in the lane of its actor, and before a late fill or delete the time of its way."""
    for number, step in enumerate(steps, 1):
        y, colour = len(actors) + 1 - actors.index(step.actor), PALETTE[actors.index(step.actor)]
        if _is_late(number, step):
            left, right = step.began - 0.5 + GAP, number - 0.5 - GAP
            ax.barh(y, right - left, left=left, height=0.7, linestyle="--", **outlined(colour, 0.05))
            what = step.did.split()[0].removesuffix("s")
            text = "on its way" if step.began == number - 1 else f"the {what} is on its way"
            ax.annotate(text, ((left + right) / 2, y), ha="center", va="center", fontsize=size, color=INK)
        ax.barh(y, 1 - 2 * GAP, left=number - 0.5 + GAP, height=0.7, **outlined(colour, 0.25))
        did = step.did.replace(" ", "\n") if crowded else step.did
        ax.annotate(did, (number, y), ha="center", va="center", fontsize=size, color=INK)


def _draw_contents(ax: Axes, y: int, texts: Sequence[str], size: float) -> None:
    """Draw what is in one place after each step, and afterwards. The same text in neighbouring steps is one bar."""
    for first, end, text in _spans([*texts, texts[-1]]):
        old = text.endswith("old")
        looks = outlined(COLOURS["stale"], 0.5) if old else outlined(GREY, 0 if text == EMPTY else 0.15)
        ax.barh(y, end - first - 2 * GAP, left=first - 0.5 + GAP, height=0.62, **looks)
        weight = "bold" if old else "normal"
        middle = (first + end - 1) / 2
        ax.annotate(text, (middle, y), ha="center", va="center", fontsize=size, color=INK, weight=weight)


def _spans(texts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Each run of equal texts: the number of its first, from 1, that of the one after its last, and the text."""
    end = 1
    for text, group in groupby(texts):
        first, end = end, end + len(list(group))
        yield first, end, text


def _in_the_cache(step: Step, word: str) -> str:
    if step.cached is None:
        return EMPTY
    return f"{word}{step.cached}{'' if step.cached == step.origin else ', old'}"


def _is_late(number: int, step: Step) -> bool:
    """Whether this is a fill or a delete during whose way others took steps."""
    return step.did.startswith(("fills", "deletes")) and step.began < number


def _story(interleaving: Interleaving) -> str:
    """The steps in words, and how it ends."""
    told = []
    for number, step in enumerate(interleaving.steps, 1):
        late = f" (on its way since step {step.began})" if _is_late(number, step) else ""
        told.append(f"{step.actor} {step.did}{late}")
    last = interleaving.steps[-1]
    end = "nothing" if last.cached is None else f"version {last.cached}"
    return f"{'; '.join(told)}. At the end the cache holds {end}, the origin version {last.origin}."


def plot_orders(races: Mapping[str, Race], title: str) -> Picture:
    """A row for each interleaving, with a cell for each turn in its actor's colour; rows that end stale are marked."""
    figure, panels = axes(3.6, columns=len(races))
    orders = [interleaving.order for race in races.values() for interleaving in race.interleavings]
    actors = list(dict.fromkeys(name for order in orders for name in order))
    for ax, (label, race) in zip(panels, races.items(), strict=True):
        ax.grid(False)
        for number, interleaving in enumerate(race.interleavings):
            _draw_order(ax, interleaving, actors, number, len(race.interleavings))
        ax.set_title(f"{label}: {len(race.stale)} of {len(race.interleavings)}", loc="left", fontsize=10.5)
        ax.set_xlim(0, max(len(interleaving.order) for interleaving in race.interleavings) + 0.5)
        ax.set_ylim(0, 1)
        ax.set_yticks([])
        ax.set_xticks([])
        ax.spines[["left", "bottom"]].set_visible(False)
    handles: list[Patch | Line2D] = [
        Patch(**outlined(darkened(PALETTE[i], 4.5), 1), label=name) for i, name in enumerate(actors)
    ]
    handles.append(Line2D([], [], marker="$✗$", color=INK, linestyle="", label="ends stale"))
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9.5)
    words = "; ".join(
        f"{label}: {len(race.stale)} of {len(race.interleavings)} orders end stale" for label, race in races.items()
    )
    return finish(figure, title, f"{words}.")


def _draw_order(ax: Axes, interleaving: Interleaving, actors: Sequence[str], number: int, rows: int) -> None:
    """Draw row `number`, from 0, of so many rows, strong if it ends stale and pale if not."""
    y, stale = 1 - (number + 0.5) / rows, interleaving.stale
    for turn, (name, did) in enumerate(zip(interleaving.order, _verbs(interleaving), strict=True)):
        colour = darkened(PALETTE[actors.index(name)], 4.5)
        ax.barh(y, 1 - 2 * GAP, left=turn + GAP, height=0.86 / rows, **outlined(colour, 1 if stale else 0.15))
        if rows <= MOST_NAMED_ROWS:
            box = {"facecolor": colour, "edgecolor": "none", "pad": 0} if stale else None
            ink = "white" if stale else INK
            ax.annotate(did, (turn + 0.5, y), ha="center", va="center", fontsize=8.5, color=ink, bbox=box)
    if stale:
        ax.annotate("✗", (turn + 1.25, y), ha="center", va="center", fontsize=10.5, color=INK)


def _verbs(interleaving: Interleaving) -> Iterator[str]:
    """For each turn the verb of the step that was taken in it, or nothing if the actor passed."""
    steps = iter([*interleaving.steps, None])
    step = next(steps)
    for name in interleaving.order:
        if step is not None and step.actor == name:
            yield step.did.split()[0].rstrip(":")
            step = next(steps)
        else:
            yield ""
