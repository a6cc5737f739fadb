"""The picture of an exam's item: a lane for each caller and load, and what each did, step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cachelab.lab.exam_words import Step
from cachelab.lab.show import COLOURS, Picture, axes, finish

__all__ = ["plot_steps", "told"]

BAD = {"fail": "miss", "hangs": "miss", "pass": "hit", "not applicable": "limit"}


def told(step: Step) -> str:
    """What a step's actor did, and how many did."""
    return step.did if step.count == 1 else f"{step.did} (×{step.count})"


def plot_steps(steps: Sequence[Step], title: str, verdict: str, why: str) -> Picture:
    """Callers above, loads below them, the writer last; a bar from each actor's first step to its last."""
    actors = list(dict.fromkeys(step.actor for step in steps))
    actors.sort(key=_rank)
    level = {actor: len(actors) - 1 - i for i, actor in enumerate(actors)}
    figure, (ax,) = axes(1.5 + 0.46 * len(actors))
    ax.grid(False)
    for actor in actors:
        own = [number for number, step in enumerate(steps, 1) if step.actor == actor]
        colour = _colour(actor)
        width = own[-1] - own[0] + 0.9
        ax.barh(level[actor], width, left=own[0] - 0.45, height=0.72, color=colour, alpha=0.22, edgecolor=colour)
    size = 9 if len(steps) <= 10 else 7.5 if len(steps) <= 14 else 6.5
    for number, step in enumerate(steps, 1):
        bad = step.did.startswith(("gets Cancelled", "waits for ever", "hold the key"))
        ax.annotate(
            textwrap.fill(told(step), 11),
            (number, level[step.actor]),
            ha="center",
            va="center",
            fontsize=size,
            color=COLOURS["miss"] if bad else "#222222",
            weight="bold" if bad else "normal",
        )
    ax.set_yticks(list(level.values()), list(level))
    ax.set_ylim(-0.6, len(actors) - 0.4)
    ax.set_xlim(0.4, len(steps) + 0.6)
    ax.set_xticks(range(1, len(steps) + 1))
    ax.set_xlabel("step")
    mark = {"pass": "✓", "not applicable": "–"}.get(verdict, "✗")
    note = textwrap.fill(f"{mark} {verdict}: {why}", 100)
    ax.set_title(note, loc="left", fontsize=9.5, color=COLOURS[BAD[verdict]])
    words = "; ".join(f"{step.actor} {told(step)}" for step in steps)
    return finish(figure, title, f"{words}. {verdict[0].upper()}{verdict[1:]}: {why}")


def _rank(actor: str) -> int:
    """Callers, then loads, then the rest; a stable sort keeps the order within each."""
    return 0 if "caller" in actor else 1 if "load" in actor else 2


def _colour(actor: str) -> str:
    return COLOURS["collapsed"] if "caller" in actor else COLOURS["origin"] if "load" in actor else COLOURS["stale"]
