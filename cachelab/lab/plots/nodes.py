"""The lanes of nodes that share one Redis: when each waits, loads and fills, with a tick for each of its commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cachelab.events import Record
from cachelab.lab.plots.style import COLOURS, INK, MARKERS, Picture, axes, finish, outlined
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.sim.listeners import EventLog
from cachelab.lab.text import ms

__all__ = ["plot_nodes"]

WAITS, LOADS = outlined(COLOURS["wait"], 1), outlined(COLOURS["origin"], 1)
MARKS = {  # what happened -> its name in the legend, marker and colour
    "fill": ("fills", MARKERS["hit"], COLOURS["hit"]),
    "fenced": ("fill refused", MARKERS["miss"], COLOURS["miss"]),
    "load error": ("load fails", MARKERS["error"], COLOURS["error"]),
    "delete": ("deletes", "s", COLOURS["stale"]),
    "killed": ("killed", "D", COLOURS["limit"]),
}
Span: TypeAlias = tuple[float, float]


@dataclass
class _Lane:
    """What one node did: each span begins and ends at a second of the scenario."""

    waits: list[Span] = field(default_factory=list)
    loads: list[Span] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)


def plot_nodes(runs: Mapping[str, tuple[EventLog, FakeRedis]], title: str) -> Picture:
    """A panel for each run, in it a lane for each node: pale while a caller waits, solid while the origin is asked.

    A node is a cache and a client with the same name: `Cache(…, name="A", listen=log)` over `redis.client("A")`. A tick
    is a command that it has sent. Good for up to about 12 nodes.
    """
    lanes_of = {label: _lanes(log, redis) for label, (log, redis) in runs.items()}
    most = max(len(lanes) for lanes in lanes_of.values())
    figure, panels = axes(1.6 + 0.3 * most, columns=len(runs))
    end = max(_end(lane) for lanes in lanes_of.values() for lane in lanes.values())
    words, seen = [], dict.fromkeys(MARKS, False)
    for ax, (label, lanes) in zip(panels, lanes_of.items(), strict=True):
        for y, lane in enumerate(lanes.values()):
            _draw(ax, -y, lane)
            seen |= {kind: True for _, kind in lane.marks}
        commands = sum(len(lane.ticks) for lane in lanes.values())
        ax.grid(False)
        ax.set_title(f"{label}: {_loads(lanes)}, {commands:,} commands", loc="left", fontsize=9.5)
        ax.set_xlim(-0.02 * end, 1.03 * end)
        ax.set_xlabel("time (s)")
        ax.locator_params(axis="x", nbins=5)
        words.append(f"{label}: {_describe(lanes, runs[label][1])}")
    names = max(lanes_of.values(), key=len)
    panels[0].set_ylim(-most + 0.4, 0.6)  # the panels share the axis
    panels[0].set_yticks([-y for y in range(most)], list(names))
    handles: list[Line2D | Patch] = [
        Patch(**WAITS, label="a caller waits"),
        Patch(**LOADS, label="loads"),
        Line2D([], [], marker="|", color=INK, linestyle="", label="a command"),
        *(Line2D([], [], marker=m, color=c, linestyle="", label=name) for k, (name, m, c) in MARKS.items() if seen[k]),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, fontsize=9)
    return finish(figure, title, "; ".join(words) + ".")


def _lanes(log: EventLog, redis: FakeRedis) -> dict[str, _Lane]:
    """The lane of each node, in order of the names."""
    names = {event.cache for _, event in log} | {sent.node for sent in redis.commands}
    lanes = {name: _Lane() for name in sorted(names)}
    for sent in redis.commands:
        lanes[sent.node].ticks.append(sent.when)
    for node, when in redis.killed.items():
        lanes.setdefault(node, _Lane()).marks.append((when, "killed"))
    for when, event in log:
        lane, killed = lanes[event.cache], redis.killed.get(event.cache, float("inf"))
        if isinstance(event, Record):
            _end_wait(lane, event, min(when, killed))
        elif event.kind in ("loaded", "load error", "load abandoned"):
            lane.loads.append((when - (event.seconds or 0.0), min(when, killed)))
        if not isinstance(event, Record) and event.kind in MARKS and when < killed:
            lane.marks.append((when, event.kind))
    return lanes


def _end_wait(lane: _Lane, record: Record, when: float) -> None:
    """A caller that did not hit has waited since the first command after the wait before."""
    since = lane.waits[-1][1] if lane.waits else -1.0
    first = next((tick for tick in lane.ticks if tick > since), when)
    if record.outcome in ("miss", "collapsed") and first < when:
        lane.waits.append((first, when))


def _end(lane: _Lane) -> float:
    return max([end for _, end in (*lane.waits, *lane.loads)] + [when for when, _ in lane.marks], default=0.0)


def _draw(ax: Axes, y: float, lane: _Lane) -> None:
    for (since, until), looks, height in (
        *((span, WAITS, 0.7) for span in lane.waits),
        *((span, LOADS, 0.3) for span in lane.loads),
    ):
        ax.barh(y, until - since, left=since, height=height, **looks)
    ax.plot(lane.ticks, [y + 0.2] * len(lane.ticks), "|", color=INK, markersize=7, markeredgewidth=0.9, zorder=3)
    for when, kind in lane.marks:
        _, marker, colour = MARKS[kind]
        ax.plot(when, y, marker, color=colour, markersize=8, markeredgecolor="white", zorder=4)


def _loads(lanes: Mapping[str, _Lane]) -> str:
    return _counted(sum(len(lane.loads) for lane in lanes.values()), "load")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _describe(lanes: Mapping[str, _Lane], redis: FakeRedis) -> str:
    """The numbers of one run."""
    sent = Counter(command.command for command in redis.commands)
    kinds = ", ".join(f"{count:,} {name}" for name, count in sorted(sent.items()))
    waits = [until - since for lane in lanes.values() for since, until in lane.waits]
    words = f"{_counted(len(lanes), 'node')}, {_loads(lanes)}, {sent.total():,} commands ({kinds or 'none'})"
    words += f", the longest wait {ms(max(waits, default=0.0))}"
    for name, lane in lanes.items():
        words += "".join(f", {name} {MARKS[kind][0]} at {when:.3g} s" for when, kind in lane.marks)
    return words
