"""The picture of an exam's item, with a lane for each caller and load. The report itself is text and draws nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cachelab.lab.flight_exam.record import Step, describe_step
from cachelab.lab.plots.style import COLOURS, INK, Picture, axes, darkened, finish, outlined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_steps"]

WRONG = darkened(COLOURS["miss"], 6)
"""So dark that it can also be read on a pale bar."""
VERDICT_MARKS = {"pass": "✓", "fail": "✗", "hangs": "✗", "not applicable": "–"}
VERDICT_COLOURS = {
    "pass": darkened(COLOURS["hit"], 4.5),
    "fail": WRONG,
    "hangs": WRONG,
    "not applicable": COLOURS["limit"],
}


def plot_steps(steps: Sequence[Step], item: str, verdict: str, why: str) -> Picture:
    """Callers above, loads below them, all others last; each has a bar from its first step to its last one.

    The bar of a caller that still waits, or of a load that still runs, reaches the right edge.
    """
    actors = sorted(dict.fromkeys(step.actor for step in steps), key=_group)
    y_of = {actor: len(actors) - 1 - i for i, actor in enumerate(actors)}
    figure, (ax,) = axes(1.5 + 0.46 * len(actors))
    ax.grid(False)
    right = len(steps) + 0.6
    _draw_bars(ax, steps, y_of, right)
    _draw_words(ax, steps, y_of)
    ax.set_yticks(list(y_of.values()), list(y_of))
    ax.set_ylim(-0.6, len(actors) - 0.4)
    ax.set_xlim(0.4, right)
    ax.set_xticks(range(1, len(steps) + 1))
    ax.set_xlabel("step")
    title = f"{VERDICT_MARKS[verdict]} {item}: {verdict}"
    ax.set_title(title, loc="left", fontsize=9.5, color=VERDICT_COLOURS[verdict])
    words = "; ".join(f"{step.actor} {describe_step(step)}" for step in steps)
    return finish(figure, textwrap.fill(why, 88), f"{words}. {verdict[0].upper()}{verdict[1:]}: {why}")


def _draw_bars(ax: Axes, steps: Sequence[Step], y_of: dict[str, int], right: float) -> None:
    for actor, y in y_of.items():
        own = [(number, step.did) for number, step in enumerate(steps, 1) if step.actor == actor]
        (first, _), (last, did) = own[0], own[-1]
        left = first - 0.45
        end = right if did.startswith(("calls", "begins")) else last + 0.45
        colour = _colour(actor)
        ax.barh(y, end - left, left=left, height=0.72, **outlined(colour, 0.22))


def _draw_words(ax: Axes, steps: Sequence[Step], y_of: dict[str, int]) -> None:
    size = 9 if len(steps) <= 10 else 7.5 if len(steps) <= 14 else 6.5
    for number, step in enumerate(steps, 1):
        harmed = "caller" in step.actor and step.did == "is cancelled"
        wrong = harmed or step.did.startswith(("waits for ever", "hold the key"))
        colour, weight = (WRONG, "bold") if wrong else (INK, "normal")
        text = textwrap.fill(describe_step(step), max(10, 90 // len(steps)))
        place = (number, y_of[step.actor])
        ax.annotate(text, place, ha="center", va="center", fontsize=size, color=colour, weight=weight)


def _group(actor: str) -> int:
    """Callers first, then loads, then the others; a stable sort keeps the order within each group."""
    return 0 if "caller" in actor else 1 if "load" in actor else 2


def _colour(actor: str) -> str:
    return COLOURS["collapsed"] if "caller" in actor else COLOURS["origin"] if "load" in actor else COLOURS["stale"]
