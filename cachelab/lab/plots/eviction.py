"""Pictures of evictions: which key leaves at each request of a short trace, and miss ratios over a long one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, TypeAlias

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cachelab.eviction import FIFO, OPT, Policy, count_hits, count_hits_with_ttl, lru_curve
from cachelab.lab.plots.style import COLOURS, INK, MARKERS, PALETTE, Picture, axes, darkened, finish

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
    "no eviction": (COLOURS["limit"], "", (0, (6, 3))),
}
LABELS = {"S3FIFO": "S3-FIFO", "WTinyLFU": "W-TinyLFU"}
HAND = darkened(COLOURS["origin"], 4.5)
OTHER_STYLE = (PALETTE[0], "o", "-")


def miss_ratios(
    keys: Collection[Any],
    sizes: Sequence[int],
    policies: Iterable[Callable[[int], Policy[Any]]],
    *,
    times_s: Collection[float] | None = None,
    ttl_s: float = inf,
) -> dict[str, list[float]]:
    """The miss ratios of each policy at `sizes` (entries), by the policy's name, and the lowest that are possible.

    Without times no entry expires, and the lowest are those of OPT. With `times_s`, the moment of each request in
    seconds, an entry expires `ttl_s` seconds after it was stored. Then the lowest are those of a cache that has room
    for all keys; they are named "no eviction". Raises ValueError for a TTL without times, or too few or many times.
    """
    if times_s is None:
        if ttl_s != inf:
            raise ValueError("With a TTL the replay has to know when each request came: give times_s, too.")
        return _without_expiry(keys, sizes, policies)
    ratios = {
        _name(policy): [count_hits_with_ttl(policy(size), keys, times_s, ttl_s).miss_ratio for size in sizes]
        for policy in policies
    }
    roomy: FIFO[Any] = FIFO(max(1, len(set(keys))))
    ratios["no eviction"] = [count_hits_with_ttl(roomy, keys, times_s, ttl_s).miss_ratio] * len(sizes)
    return ratios


def _without_expiry(
    keys: Collection[Any], sizes: Sequence[int], policies: Iterable[Callable[[int], Policy[Any]]]
) -> dict[str, list[float]]:
    ratios = {}
    for policy in policies:
        name = _name(policy)
        if name == "LRU":
            ratios[name] = lru_curve(keys, sizes)
        else:
            ratios[name] = [count_hits(policy(size), keys).miss_ratio for size in sizes]
    ratios["OPT"] = [count_hits(OPT(size, list(keys)), keys).miss_ratio for size in sizes]
    return ratios


def _name(policy: Callable[[int], Policy[Any]]) -> str:
    return getattr(policy, "__name__", "?")


def plot_policies(
    panels: Curves, sizes: Sequence[int], title: str, *, drawn: Collection[str] = (), limit: float | None = None
) -> Picture:
    """Miss ratio over size (entries, logarithmic): a panel for each trace, and in it a line for each policy.

    `drawn` names the policies that are drawn; without it all are. The names are in a legend below the panels, since
    lines may lie on each other, and open marks show both. The dark line is the lowest that is possible. `limit` is the
    miss ratio that the origin can carry, a dashed line. Three traces are in one row, other numbers in rows of two.
    """
    columns = 3 if len(panels) == 3 else min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axs = axes(0.8 + 2.35 * rows, columns, rows)
    words = []
    for ax, (trace, curves) in zip(axs, panels.items(), strict=False):
        shown = {name: ratios for name, ratios in curves.items() if not drawn or name in drawn}
        _draw_curves(ax, shown, sizes)
        if limit is not None:
            ax.axhline(limit, color=darkened(COLOURS["miss"], 3), linestyle="-.", label="the origin's limit")
        ax.set_title(trace, loc="left", fontsize=10)
        middle = len(sizes) // 2
        words.append(f"{trace}: " + ", ".join(f"{name} {ratios[middle]:.3f}" for name, ratios in shown.items()))
    for ax in axs[len(panels) :]:
        ax.remove()
    for ax in axs[-columns:]:
        ax.set_xlabel("room (entries)")
    for ax in axs[::columns]:
        ax.set_ylabel("miss ratio")
    handles = {str(line.get_label()): line for ax in axs[: len(panels)] for line in ax.get_lines()}
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    if limit is not None:
        words.append(f"the origin can carry {limit:.3f}")
    return finish(figure, title, f"miss ratios with room for {sizes[len(sizes) // 2]}; " + "; ".join(words) + ".")


def _draw_curves(ax: Axes, curves: Mapping[str, Sequence[float]], sizes: Sequence[int]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
    ax.minorticks_off()
    ax.set_ylim(0, 1.06)
    for place, (name, ratios) in enumerate(curves.items()):
        colour, marker, line = STYLES.get(name, OTHER_STYLE)
        (drawn,) = ax.plot(sizes, ratios, color=colour, linestyle=line, linewidth=1.5, label=LABELS.get(name, name))
        drawn.set(marker=marker, markersize=max(4, 8 - place), markerfacecolor="none")


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
    `visited` of a policy are drawn as ★, and its hand, if it has one, as ▲.
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
        ax.annotate(name, (-0.6, y + 0.72), ha="right", va="center", weight="bold")
        ax.annotate("its queue", (-0.6, y), ha="right", va="center", fontsize=9.5)
        _draw_queue(ax, policy, keys[number - 1], y)
        _label_queue(ax, policy, y)
        hit, evicted = reactions[name][-1]
        did = "hit" if hit else "miss" if evicted is None else f"miss, {evicted} is evicted"
        hits = sum(reaction.hit for reaction in reactions[name])
        ax.annotate(f"{did}; {hits} hits of {number}", (1.5 * bound, y), va="center", fontsize=9.5)
        words.append(f"{name}: {did}, in the queue {_queue_in_words(policy)}")
    ax.set_xlim(-2.2, max(len(keys), 1.5 * bound + 4))
    ax.set_ylim(-0.6, top + 0.5)
    handles = [
        Line2D([], [], marker=MARKERS["hit"], color=COLOURS["hit"], linestyle="", label="hit"),
        Line2D([], [], marker=MARKERS["miss"], color=COLOURS["miss"], linestyle="", label="miss"),
        Line2D([], [], marker="*", markersize=9, color=INK, linestyle="", label="mark"),
        Line2D([], [], marker="$▲$", color=HAND, linestyle="", label="hand"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=4, frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _label_queue(ax: Axes, policy: Policy[Any], y: float) -> None:
    """What the two ends of the queue are. Under a hand the words stand a little lower."""
    ends = ("least recently used", "most recently used") if type(policy).__name__ == "LRU" else ("oldest", "newest")
    for end, x in zip(ends, (-0.45, 1.5 * (len(policy) - 1) - 0.3), strict=True):
        if x < 0 or len(policy) > 2:
            low = 0.8 if hasattr(policy, "_hand") else 0.47
            ax.annotate(end, (x, y - low), va="center", fontsize=8, color="#5F5F5F")


def _draw_requests(ax: Axes, keys: Sequence[Any], number: int, y: float) -> None:
    ax.annotate("requests", (-0.6, y), ha="right", va="center", fontsize=9.5)
    for i, key in enumerate(keys):
        current, past_or_current = i == number - 1, i < number
        box = {"boxstyle": "square,pad=0.35", "facecolor": "#F0F0F0" if past_or_current else "white"}
        box["edgecolor"] = COLOURS["limit"] if current else "none"
        colour = COLOURS["limit"] if past_or_current else "#6B6B6B"
        weight = "bold" if current else "normal"
        ax.annotate(f"{key}", (i, y), ha="center", va="center", bbox=box, weight=weight, color=colour)


def _at_hand(policy: Policy[Any]) -> Any:
    """The key at the policy's hand, the oldest if the hand waits there for an eviction; None without a hand."""
    if not hasattr(policy, "_hand"):
        return None
    key = getattr(policy._hand, "key", None)
    return key if key in policy.resident else next(iter(policy.resident))


def _queue_in_words(policy: Policy[Any]) -> str:
    """The keys in their order, with * after a marked one and [ ] around the one at the hand."""
    hand = _at_hand(policy)
    keys = ((key, f"{key}{'*' if getattr(note, 'visited', False) else ''}") for key, note in policy.resident.items())
    return " ".join(f"[{shown}]" if key == hand else shown for key, shown in keys)


def _draw_queue(ax: Axes, policy: Policy[Any], requested: Any, y: float) -> None:
    hand = _at_hand(policy)
    for i, (key, note) in enumerate(policy.resident.items()):
        box = {"boxstyle": "square,pad=0.5", "facecolor": "#DCE9F5" if key == requested else "white"}
        ax.annotate(f"{key}", (1.5 * i, y), ha="center", va="center", bbox=box | {"edgecolor": "#666666"})
        if getattr(note, "visited", False):
            ax.plot(1.5 * i + 0.5, y + 0.12, "*", markersize=9, color=INK)
        if key == hand:
            ax.annotate("▲", (1.5 * i, y - 0.48), ha="center", va="center", fontsize=9, color=HAND)
