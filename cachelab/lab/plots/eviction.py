"""Pictures of evictions: which key leaves at each request of a short trace, and miss ratios over a long one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cachelab.eviction import OPT, Policy, count_hits, lru_curve
from cachelab.lab.plots.style import COLOURS, MARKERS, PALETTE, Picture, axes, darkened, finish

__all__ = ["eviction_steps", "miss_ratios", "plot_policies"]

Curves: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]
"""For each trace, the miss ratios of each policy."""
STYLES = {  # policy -> colour, marker, line
    "FIFO": (PALETTE[4], "v", ":"),
    "LRU": (PALETTE[0], "o", "-"),
    "LFU": (PALETTE[3], "P", "-."),
    "SIEVE": (PALETTE[1], "^", "-"),
    "S3FIFO": (PALETTE[2], "s", "--"),
    "WTinyLFU": (PALETTE[5], "D", "-"),
    "OPT": (COLOURS["limit"], "", (0, (6, 3))),
}
HAND = darkened(COLOURS["miss"], 4.5)
OTHER_STYLE = (PALETTE[0], "o", "-")


def miss_ratios(
    keys: Collection[Any], sizes: Sequence[int], policies: Iterable[Callable[[int], Policy[Any]]]
) -> dict[str, list[float]]:
    """The miss ratios of each policy at `sizes` (entries), by the policy's name, and those of OPT."""
    ratios = {}
    for policy in policies:
        name = getattr(policy, "__name__", "?")
        if name == "LRU":
            ratios[name] = lru_curve(keys, sizes)
        else:
            ratios[name] = [count_hits(policy(size), keys).miss_ratio for size in sizes]
    ratios["OPT"] = [count_hits(OPT(size, list(keys)), keys).miss_ratio for size in sizes]
    return ratios


def plot_policies(panels: Curves, sizes: Sequence[int], title: str) -> Picture:
    """Miss ratio over size (entries, logarithmic): a panel for each trace, a line for each policy, the dark one OPT."""
    figure, axs = axes(3.7, columns=len(panels))
    words, names = [], list(dict.fromkeys(name for curves in panels.values() for name in curves))
    for ax, (trace, curves) in zip(axs, panels.items(), strict=True):
        for name, ratios in curves.items():
            colour, marker, line = STYLES.get(name, OTHER_STYLE)
            ax.plot(sizes, ratios, color=colour, marker=marker, linestyle=line, linewidth=1.3, markersize=4.5)
        ax.set_xscale("log")
        ax.set_xticks(sizes, [f"{size:g}" for size in sizes], fontsize=8)
        ax.minorticks_off()
        ax.set_ylim(0, 1.04)
        ax.set_xlabel("room (entries)")
        ax.set_title(trace, loc="left", fontsize=10)
        middle = len(sizes) // 2
        words.append(f"{trace}: " + ", ".join(f"{name} {ratios[middle]:.3f}" for name, ratios in curves.items()))
    axs[0].set_ylabel("miss ratio")
    handles = []
    for name in names:
        colour, marker, line = STYLES.get(name, OTHER_STYLE)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle=line, markersize=4.5, label=name))  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(names), frameon=False, fontsize=8.5)
    return finish(figure, title, f"miss ratios with room for {sizes[len(sizes) // 2]}; " + "; ".join(words) + ".")


class _Reaction(NamedTuple):
    """What a policy made of one request: a hit or not, and the key that it evicted, if any."""

    hit: bool
    evicted: Any = None


def eviction_steps(
    policies: Mapping[str, Callable[[int], Policy[Any]]],
    keys: Sequence[Any],
    bound: int,
    title: str,
    *,
    first: int = 1,
) -> dict[str, Picture]:
    """A picture for each request from number `first` on: its key, hit or miss, the evicted key, and the queue.

    The queue is the policy's `resident` in its order, with the oldest or least recently used key on the left. The marks
    `visited` of a policy are drawn as ●, and its hand, if it has one, as ▲.
    """
    running = {name: policy(bound) for name, policy in policies.items()}
    reactions: dict[str, list[_Reaction]] = {name: [] for name in policies}
    pictures: dict[str, Picture] = {}
    for number, key in enumerate(keys, 1):
        for name, policy in running.items():
            reactions[name].append(_request(policy, key, bound))
        if number >= first:
            pictures[f"{number} ({key})"] = _plot_request(running, reactions, keys, number, bound, title)
    return pictures


def _request(policy: Policy[Any], key: Any, bound: int) -> _Reaction:
    if key in policy.resident:
        policy.hit(key)
        return _Reaction(hit=True)
    evicted = policy.evict() if len(policy) >= bound else None
    policy.add(key)
    return _Reaction(hit=False, evicted=evicted)


def _plot_request(
    policies: Mapping[str, Policy[Any]],
    reactions: Mapping[str, list[_Reaction]],
    keys: Sequence[Any],
    number: int,
    bound: int,
    title: str,
) -> Picture:
    """The requests on top, and below them, for each policy, its hits and misses so far and its queue."""
    figure, (ax,) = axes(1.0 + 1.0 * (len(policies) + 0.4))
    ax.set_axis_off()
    top = 1.6 * len(policies)
    _draw_requests(ax, keys, number, top)
    words = []
    for line, (name, policy) in enumerate(policies.items()):
        y = top - 1.6 * (line + 1) + 0.35
        for i, reaction in enumerate(reactions[name]):
            kind = "hit" if reaction.hit else "miss"
            ax.plot(i, y + 0.72, MARKERS[kind], color=COLOURS[kind], markersize=6.5)
        ax.annotate(name, (-0.6, y), ha="right", va="center", weight="bold")
        _draw_queue(ax, policy, keys[number - 1], y)
        if line == 0:
            for end, x in (("next to go, or oldest", -0.45), ("newest", 1.5 * (len(policy) - 1) - 0.3)):
                ax.annotate(end, (x, y - 0.45), va="center", fontsize=7.5, color="#6B6B6B")
        hit, evicted = reactions[name][-1]
        did = "hit" if hit else "miss" if evicted is None else f"miss, {evicted} leaves"
        hits = sum(reaction.hit for reaction in reactions[name])
        ax.annotate(f"{did}; {hits} hits of {number}", (1.5 * bound, y), va="center", fontsize=9.5)
        words.append(f"{name}: {did}, in the queue {' '.join(map(str, policy.resident))}")
    ax.set_xlim(-2.2, max(len(keys), 1.5 * bound + 4))
    ax.set_ylim(-0.5, top + 0.5)
    handles = [
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        Line2D([], [], marker=MARKERS["miss"], color=COLOURS["miss"], linestyle="", label="miss"),
        Line2D([], [], marker="$●$", color=COLOURS["limit"], linestyle="", label="mark: was used"),
        Line2D([], [], marker="$▲$", color=HAND, linestyle="", label="hand"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=4, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _draw_requests(ax: Axes, keys: Sequence[Any], number: int, y: float) -> None:
    ax.annotate("requests", (-0.6, y), ha="right", va="center", fontsize=9.5)
    for i, key in enumerate(keys):
        current, past_or_current = i == number - 1, i < number
        box = {"boxstyle": "square,pad=0.35", "facecolor": "#F0F0F0" if past_or_current else "white"}
        box["edgecolor"] = COLOURS["limit"] if current else "none"
        colour = COLOURS["limit"] if past_or_current else "#6B6B6B"
        weight = "bold" if current else "normal"
        ax.annotate(f"{key}", (i, y), ha="center", va="center", bbox=box, weight=weight, color=colour)


def _draw_queue(ax: Axes, policy: Policy[Any], requested: Any, y: float) -> None:
    hand = getattr(getattr(policy, "_hand", None), "key", None)
    for i, (key, note) in enumerate(policy.resident.items()):
        box = {"boxstyle": "square,pad=0.5", "facecolor": "#DCE9F5" if key == requested else "white"}
        ax.annotate(f"{key}", (1.5 * i, y), ha="center", va="center", bbox=box | {"edgecolor": "#666666"})
        if getattr(note, "visited", False):
            ax.annotate("●", (1.5 * i + 0.5, y + 0.12), ha="center", va="center", color=COLOURS["limit"])
        if hasattr(policy, "_hand") and (key == hand if hand in policy.resident else i == 0):
            ax.annotate("▲", (1.5 * i, y - 0.48), ha="center", va="center", fontsize=9, color=HAND)
