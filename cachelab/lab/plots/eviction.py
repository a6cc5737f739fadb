"""Pictures of who leaves: policies step by step on a short trace, and as curves on a long one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from matplotlib.lines import Line2D

from cachelab.eviction import OPT, Policy, count_hits, lru_curve
from cachelab.lab.plots.style import COLOURS, MARKERS, PALETTE, Picture, axes, finish

__all__ = ["eviction_steps", "miss_ratios", "plot_policies"]

Curves = Mapping[str, Mapping[str, Sequence[float]]]
STYLES = {  # policy -> colour, marker, line
    "FIFO": (PALETTE[4], "v", ":"),
    "LRU": (PALETTE[0], "o", "-"),
    "LFU": (PALETTE[3], "P", "-."),
    "SIEVE": (PALETTE[1], "^", "-"),
    "S3FIFO": (PALETTE[2], "s", "--"),
    "WTinyLFU": (PALETTE[5], "D", "-"),
    "OPT": (COLOURS["limit"], "", (0, (6, 3))),
}


def miss_ratios(
    keys: Collection[Any], sizes: Sequence[int], policies: Iterable[Callable[[int], Policy[Any]]]
) -> dict[str, list[float]]:
    """Each policy's miss ratios at `sizes` (entries) by its name, and those of OPT, which knows all `keys`."""
    found = {}
    for policy in policies:
        name = getattr(policy, "__name__", "?")
        found[name] = (
            lru_curve(keys, sizes) if name == "LRU" else [count_hits(policy(size), keys).miss_ratio for size in sizes]
        )
    found["OPT"] = [count_hits(OPT(size, list(keys)), keys).miss_ratio for size in sizes]
    return found


def plot_policies(panels: Curves, sizes: Sequence[int], title: str) -> Picture:
    """Miss ratio over size (entries, log), a panel for each trace and a line for each policy; OPT is the dark one."""
    figure, axs = axes(3.7, columns=len(panels))
    words, names = [], list(dict.fromkeys(name for found in panels.values() for name in found))
    for ax, (trace, found) in zip(axs, panels.items(), strict=True):
        for name, misses in found.items():
            colour, marker, line = STYLES.get(name, (PALETTE[0], "o", "-"))
            ax.plot(sizes, misses, color=colour, marker=marker, linestyle=line, linewidth=1.3, markersize=4.5)
        ax.set_xscale("log")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize=8)
        ax.minorticks_off()
        ax.set_ylim(0, 1.04)
        ax.set_xlabel("room (entries)")
        ax.set_title(trace, loc="left", fontsize=10)
        middle = len(sizes) // 2
        said = ", ".join(f"{name} {misses[middle]:.3f}" for name, misses in found.items())
        words.append(f"{trace}: {said}")
    axs[0].set_ylabel("miss ratio")
    handles = []
    for name in names:
        colour, marker, line = STYLES.get(name, (PALETTE[0], "o", "-"))
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, markersize=4.5, label=name))  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(names), frameon=False, fontsize=8.5)
    return finish(figure, title, f"miss ratios with room for {sizes[len(sizes) // 2]}; " + "; ".join(words) + ".")


def eviction_steps(
    policies: Mapping[str, Callable[[int], Policy[Any]]],
    keys: Sequence[Any],
    bound: int,
    title: str,
    *,
    first: int = 1,
) -> dict[str, Picture]:
    """A frame for each request from number `first` on: what came, who hit, who left, and the queue that is left.

    The queue is `resident` in its order, oldest or least recently used on the left. A policy whose notes have a mark
    `visited` is drawn with its marks (●), and one with a hand with the hand (▲).
    """
    playing = {name: policy(bound) for name, policy in policies.items()}
    told: dict[str, list[tuple[bool, Any]]] = {name: [] for name in policies}
    frames: dict[str, Picture] = {}
    for number, key in enumerate(keys, 1):
        for name, policy in playing.items():
            hit, left = key in policy.resident, None
            if hit:
                policy.hit(key)
            else:
                if len(policy) >= bound:
                    left = policy.evict()
                policy.add(key)
            told[name].append((hit, left))
        if number >= first:
            frames[f"{number} ({key})"] = _frame(playing, told, keys, number, bound, title)
    return frames


def _frame(
    playing: Mapping[str, Policy[Any]],
    told: Mapping[str, list[tuple[bool, Any]]],
    keys: Sequence[Any],
    number: int,
    bound: int,
    title: str,
) -> Picture:
    figure, (ax,) = axes(1.0 + 1.0 * (len(playing) + 0.4))
    ax.set_axis_off()
    top = 1.6 * len(playing)
    ax.annotate("requests", (-0.6, top), ha="right", va="center", fontsize=9.5)
    for i, key in enumerate(keys):
        weight = "bold" if i == number - 1 else "normal"
        box = {"boxstyle": "square,pad=0.35", "facecolor": "#F0F0F0" if i < number else "white", "edgecolor": "none"}
        if i == number - 1:
            box |= {"edgecolor": COLOURS["limit"]}
        colour = COLOURS["limit"] if i < number else "#AAAAAA"
        ax.annotate(f"{key}", (i, top), ha="center", va="center", bbox=box, weight=weight, color=colour)
    words = []
    for line, (name, policy) in enumerate(playing.items()):
        y = top - 1.6 * (line + 1) + 0.35
        for i, (hit, _) in enumerate(told[name]):
            kind = "hit" if hit else "miss"
            ax.plot(i, y + 0.72, MARKERS[kind], color=COLOURS[kind], markersize=6.5)
        ax.annotate(name, (-0.6, y), ha="right", va="center", weight="bold")
        marks = [bool(getattr(note, "visited", False)) for note in policy.resident.values()]
        hand = getattr(getattr(policy, "_hand", None), "key", None)
        for i, (key, marked) in enumerate(zip(policy.resident, marks, strict=True)):
            fresh = key == keys[number - 1]
            box = {"boxstyle": "square,pad=0.5", "facecolor": "#DCE9F5" if fresh else "white", "edgecolor": "#666666"}
            ax.annotate(f"{key}", (1.5 * i, y), ha="center", va="center", bbox=box)
            if marked:
                ax.annotate("●", (1.5 * i + 0.5, y + 0.12), ha="center", va="center", color=COLOURS["limit"])
            if hasattr(policy, "_hand") and (key == hand if hand in policy.resident else i == 0):
                ax.annotate("▲", (1.5 * i, y - 0.48), ha="center", va="center", fontsize=9, color=COLOURS["miss"])
        if line == 0:
            for end, place in (("next to go, or oldest", -0.45), ("newest", 1.5 * (len(policy) - 1) - 0.3)):
                ax.annotate(end, (place, y - 0.45), va="center", fontsize=7.5, color="#777777")
        hit, left = told[name][-1]
        did = "hit" if hit else "miss" if left is None else f"miss, {left} leaves"
        hits = sum(one for one, _ in told[name])
        ax.annotate(f"{did}; {hits} hits of {number}", (1.5 * bound, y), va="center", fontsize=9.5)
        words.append(f"{name}: {did}, in the queue {' '.join(map(str, policy.resident))}")
    ax.set_xlim(-2.2, max(len(keys), 1.5 * bound + 4))
    ax.set_ylim(-0.5, top + 0.5)
    handles = [
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        Line2D([], [], marker=MARKERS["miss"], color=COLOURS["miss"], linestyle="", label="miss"),
        Line2D([], [], marker="$●$", color=COLOURS["limit"], linestyle="", label="mark: was used"),
        Line2D([], [], marker="$▲$", color=COLOURS["miss"], linestyle="", label="hand"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=4, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")
