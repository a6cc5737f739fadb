"""The picture of an exam's item: a lane for each caller and load, and what each did, step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from cachelab.lab.flight_exam.words import Step
from cachelab.lab.plots.style import COLOURS, Picture, axes, finish

__all__ = ["plot_steps", "told"]

_MARKS = {"pass": "✓", "fail": "✗", "hangs": "✗", "not applicable": "–"}
_COLOURS = {
    "pass": COLOURS["hit"],
    "fail": COLOURS["miss"],
    "hangs": COLOURS["miss"],
    "not applicable": COLOURS["limit"],
}


def told(step: Step) -> str:
    """What a step's actor did, and how many did."""
    if not step.actor.endswith("s"):
        return step.did
    verb, _, rest = step.did.partition(" ")
    many = {"is": "are"}.get(verb, verb.replace("s,", ",") if "," in verb else verb.removesuffix("s"))
    return f"{many} {rest}".strip() + (f" (×{step.count})" if step.count > 1 else "")


def plot_steps(steps: Sequence[Step], item: str, verdict: str, why: str) -> Picture:
    """Callers above, loads below them, the writer last; a bar from an actor's first step to its last.

    A bar that reaches the right edge belongs to somebody who is still waiting or loading there.
    """
    actors = sorted(dict.fromkeys(step.actor for step in steps), key=_rank)
    level = {actor: len(actors) - 1 - i for i, actor in enumerate(actors)}
    figure, (ax,) = axes(1.5 + 0.46 * len(actors))
    ax.grid(False)
    right = len(steps) + 0.6
    for actor in actors:
        own = [(number, step.did) for number, step in enumerate(steps, 1) if step.actor == actor]
        left, end = own[0][0] - 0.45, right if own[-1][1].startswith(("calls", "begins")) else own[-1][0] + 0.45
        colour = _colour(actor)
        ax.barh(level[actor], end - left, left=left, height=0.72, color=colour, alpha=0.22, edgecolor=colour)
    size = 9 if len(steps) <= 10 else 7.5 if len(steps) <= 14 else 6.5
    for number, step in enumerate(steps, 1):
        harmed = "caller" in step.actor and step.did == "is cancelled"
        bad = harmed or step.did.startswith(("waits for ever", "hold the key"))
        colour, weight = (COLOURS["miss"], "bold") if bad else ("#222222", "normal")
        text = textwrap.fill(told(step), 10)
        place = (number, level[step.actor])
        ax.annotate(text, place, ha="center", va="center", fontsize=size, color=colour, weight=weight)
    ax.set_yticks(list(level.values()), list(level))
    ax.set_ylim(-0.6, len(actors) - 0.4)
    ax.set_xlim(0.4, right)
    ax.set_xticks(range(1, len(steps) + 1))
    ax.set_xlabel("step")
    ax.set_title(f"{_MARKS[verdict]} {item}: {verdict}", loc="left", fontsize=9.5, color=_COLOURS[verdict])
    words = "; ".join(f"{step.actor} {told(step)}" for step in steps)
    return finish(figure, textwrap.fill(why, 88), f"{words}. {verdict[0].upper()}{verdict[1:]}: {why}")


def _rank(actor: str) -> int:
    """Callers, then loads, then the rest; a stable sort keeps the order within each."""
    return 0 if "caller" in actor else 1 if "load" in actor else 2


def _colour(actor: str) -> str:
    return COLOURS["collapsed"] if "caller" in actor else COLOURS["origin"] if "load" in actor else COLOURS["stale"]
