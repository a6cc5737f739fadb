"""A trace of keys from a file: what was asked for, and what of the file could not be read.

`trace.keys` goes where a list of keys goes: into `count_hits`, `lru_curve`, `miss_ratio_curve`.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from cachelab.lab.text import PAGE, short

__all__ = ["KeyTrace", "Malformed", "printable"]


class Malformed(NamedTuple):
    """A line that could not be read: its number in the file, from 1; its beginning; and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class KeyTrace:
    """The requests of a file, at least one, in the order of the file.

    `keys`       the key of each request, a text; equal keys are one object
    `times_s`    seconds from the first request of the file, below 0 for one that was written down later but came
                 earlier; None if no time was read
    `sizes`      bytes of each request; None if no size was read
    `malformed`  how many lines could not be read; `examples` are the first three, and the last of a damaged gzip
    `left_out`   how many lines are well formed, but nothing that a cache would have been asked
    """

    keys: list[str]
    times_s: list[float] | None = None
    sizes: list[int] | None = None
    malformed: int = 0
    examples: tuple[Malformed, ...] = ()
    left_out: int = 0

    def __len__(self) -> int:
        """The number of requests."""
        return len(self.keys)

    def describe(self) -> None:
        """Print what is in the trace, and the malformed lines of `examples`."""
        asked = Counter(self.keys)
        once = sum(times == 1 for times in asked.values())
        print(f"{len(self):,} {_many('request', len(self))} for {len(asked):,} different {_many('key', len(asked))}")
        print(f"{once:,} of the keys, {once / len(asked):.1%}, asked for only once")
        if self.times_s is not None:
            print(f"{max(self.times_s) - min(self.times_s):,.0f} seconds from the earliest request to the latest")
        if self.sizes is not None:
            print(f"{sum(self.sizes):,} bytes, {short(sum(self.sizes) / len(self))} a request")
        if self.left_out:
            print(f"{self.left_out:,} {_many('line', self.left_out)} left out: nothing that a cache would be asked")
        if self.malformed:
            print(f"{self.malformed:,} malformed {_many('line', self.malformed)} skipped:")
        for number, text, reason in self.examples:
            print(f"  line {number:,}, {reason}:")
            print(textwrap.indent(printable(text, PAGE - 4), "    "))


def printable(text: str, width: int) -> str:
    """The text in at most `width` characters, control characters escaped, an ellipsis where it is cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: width + 1])
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _many(thing: str, number: int) -> str:
    return thing if number == 1 else thing + "s"
