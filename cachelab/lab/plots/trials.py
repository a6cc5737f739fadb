"""The outcomes of many trials of several kinds: a bar for each kind, a part of it for each outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from cachelab.lab.plots.style import COLOURS, INK, Picture, axes, contrast, darkened, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_trials"]

OUTCOMES = {  # outcome -> colour, hatching; the worst is last
    "right value": (COLOURS["hit"], "..."),
    "counted miss": (COLOURS["collapsed"], ""),
    "error": (COLOURS["error"], "///"),
    "wrong value": (COLOURS["limit"], ""),
}
ROOM_FOR_A_NUMBER = 0.1
"""A part of a bar has its number written on it if it is at least so much of the longest bar."""


def plot_trials(trials: Mapping[str, Mapping[str, Sequence[str]]], title: str) -> Picture:
    """A panel for each variant, in it a bar for each kind of trial, and in that a part for each outcome.

    `trials`  for each variant, for each kind, the outcomes of its trials: "right value", "counted miss", "error" or
              "wrong value". The kinds are those of the first variant.
    """
    kinds = list(next(iter(trials.values())))
    figure, panels = axes(1.3 + 0.33 * len(kinds), columns=len(trials))
    words = []
    for ax, (label, outcomes) in zip(panels, trials.items(), strict=True):
        counts = [Counter(outcomes[kind]) for kind in kinds]
        in_all = f"{label}: {_in_words(sum(counts, Counter()))}"
        _draw(ax, counts)
        ax.set_title(label, loc="left", fontsize=9.5)
        ax.set_yticks(range(len(kinds)), kinds)
        ax.set_xlabel("trials")
        each = ", ".join(f"{kind} {_in_words(trials)}" for kind, trials in zip(kinds, counts, strict=True))
        words.append(f"{in_all}; of these {each}")
    panels[0].set_ylim(len(kinds) - 0.5, -0.5)  # the first kind is at the top
    found = {outcome for outcomes in trials.values() for trial in outcomes.values() for outcome in trial}
    handles = [_looks(outcome) for outcome in OUTCOMES if outcome in found]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, ". ".join(words) + ".")


def _draw(ax: Axes, counts: Sequence[Counter[str]]) -> None:
    longest = max(trials.total() for trials in counts)
    for row, trials in enumerate(counts):
        left = 0
        for outcome, (colour, hatch) in OUTCOMES.items():
            width = trials[outcome]
            if width:
                ax.barh(row, width, left=left, height=0.7, hatch=hatch, facecolor=colour, edgecolor=darkened(colour, 6))
            if width >= ROOM_FOR_A_NUMBER * longest:
                ink = "white" if contrast("white", colour) > contrast(INK, colour) else INK
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
                ax.text(left + width / 2, row, f"{width:,}", ha="center", va="center", color=ink, fontsize=9, bbox=box)
            left += width
    ax.grid(visible=False)


def _looks(outcome: str) -> Patch:
    colour, hatch = OUTCOMES[outcome]
    return Patch(hatch=hatch, label=outcome, facecolor=colour, edgecolor=darkened(colour, 6))


def _in_words(trials: Counter[str]) -> str:
    return " and ".join(f"{trials[outcome]:,} {outcome}" for outcome in OUTCOMES if trials[outcome])
