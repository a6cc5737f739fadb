"""The score of a day: five goals, the hours in which they were missed, and what the plan costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from cachelab.lab.day.traffic import EVENTS

__all__ = ["GOALS", "Quarter", "Score", "hours_of"]


class Quarter(NamedTuple):
    """A quarter of an hour: how many readers asked in it, and how many of them got each kind of bad answer."""

    readers: int = 0
    failed: int = 0
    stale: int = 0
    invented: int = 0
    not_found: int = 0
    queue: int = 0


GOALS = {
    "failed": "at most 1 % of the readers fail or wait for more than 300 ms",
    "stale": "at most 1 % of the answers are out of date by more than 60 s",
    "queue": "at the origin, no queue lasts longer than 30 s",
    "invented": "no answer is invented",
    "not_found": 'nobody who is there is told "not found"',
}
"""The goals, by the name of what is counted."""
MAX_SHARE, MAX_QUEUE_S = 0.01, 30
BAD = {
    "failed": "failed or waited for more than 300 ms",
    "stale": "got an answer out of date by more than 60 s",
    "queue": "seconds with a queue at the origin",
    "invented": "got an invented answer",
    "not_found": 'were told "not found"',
}


@dataclass(frozen=True)
class Score:
    """What a day has come to.

    `quarters`   the 96 quarters of an hour; readers are counted in the one in which they asked
    `queue_s`    the longest time in which there always was a query that waited, looked at once a second
    `queries`    how many queries the origin has served for readers
    `packets`    how many packets Redis has got
    `entries`    the most entries that a node held in its memory, looked at once an hour
    `parts`      the kinds of parts that the plan is made of, sorted
    """

    quarters: list[Quarter]
    queue_s: int
    queries: int
    packets: int
    entries: int
    parts: list[str]

    def count(self, kind: str) -> int:
        """How many readers of the whole day: "readers", or one of the kinds of bad answers."""
        return sum(getattr(quarter, kind) for quarter in self.quarters)

    def share(self, kind: str) -> float:
        """The same as a share of all readers, 0 to 1."""
        return self.count(kind) / self.count("readers")

    @property
    def missed(self) -> list[str]:
        """The names of the goals that were missed, in the order of `GOALS`."""
        is_missed = {
            "failed": self.share("failed") > MAX_SHARE,
            "stale": self.share("stale") > MAX_SHARE,
            "queue": self.queue_s > MAX_QUEUE_S,
            "invented": self.count("invented") > 0,
            "not_found": self.count("not_found") > 0,
        }
        return [goal for goal, missed in is_missed.items() if missed]

    @property
    def unhappy(self) -> float:
        """The share of readers that failed, waited too long, or got a bad answer."""
        return min(1.0, math.fsum(self.share(kind) for kind in ("failed", "stale", "invented", "not_found")))

    @property
    def rank(self) -> tuple[float, ...]:
        """Sorts scores, the best first: fewer goals missed; if all are kept, fewer parts; fewer unhappy readers."""
        return len(self.missed), 0 if self.missed else len(self.parts), self.unhappy

    def worst_hour(self, kind: str) -> int:
        """The hour in which most readers got this kind of bad answer."""
        counts = hours_of(self.quarters, kind)
        return counts.index(max(counts))

    @property
    def reasons(self) -> list[str]:
        """A sentence for each goal that was missed, with the hour in which most of it happened."""
        return [self._reason(kind) for kind in self.missed]

    def _reason(self, kind: str) -> str:
        hour, counts = self.worst_hour(kind), hours_of(self.quarters, kind)
        during = "".join(f" ({e.name})" for e in EVENTS.values() if e.start < hour + 1 and hour < e.end)
        if kind == "queue":
            return f"The origin had a queue for {self.queue_s} s on end; most of it at {hour:02d} h{during}."
        return f"{self.count(kind):,} readers {BAD[kind]}, {counts[hour]:,} of them at {hour:02d} h{during}."

    @property
    def report(self) -> str:
        """Some lines: each goal with what it has come to, the reasons for those that were missed, and the costs."""
        counted = {
            "failed": f"{self.share('failed'):.2%}",
            "stale": f"{self.share('stale'):.2%}",
            "queue": f"{self.queue_s} s",
            "invented": f"{self.count('invented'):,}",
            "not_found": f"{self.count('not_found'):,}",
        }
        lines = [f"{'MISSED' if g in self.missed else 'kept':8}{counted[g]:>8}  {GOALS[g]}" for g in GOALS]
        lines += [f"- {reason}" for reason in self.reasons]
        cost = f"{self.packets:,} packets to Redis, {self.queries:,} queries, {self.entries:,} entries in a node"
        return "\n".join([*lines, f"It costs {cost}, {len(self.parts)} parts."])

    def stored(self) -> dict[str, Any]:
        """The score as a value that JSON can hold."""
        return asdict(self) | {"quarters": [list(quarter) for quarter in self.quarters]}

    @classmethod
    def read(cls, stored: dict[str, Any]) -> Score:
        """The score that `stored` has made this value of."""
        return cls(**stored | {"quarters": [Quarter(*counts) for counts in stored["quarters"]]})


def hours_of(quarters: Sequence[Quarter], kind: str) -> list[int]:
    """How many there are of this kind in each of the 24 hours."""
    counts = [getattr(quarter, kind) for quarter in quarters]
    return [sum(counts[4 * hour : 4 * hour + 4]) for hour in range(len(counts) // 4)]
