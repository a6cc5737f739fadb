"""A trace of keys from a file: which keys were requested, and which lines of the file could not be read.

`trace.keys` goes where a list of keys goes: into `count_hits`, `lru_curve`, `miss_ratio_curve`.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from cachelab.lab.text import PAGE, printable, short

__all__ = ["KeyTrace", "Malformed"]


OUTSIDE_UTF_8 = re.compile("[\udc80-\udcff]")  # what Python's `surrogateescape` makes of such bytes


class Malformed(NamedTuple):
    """A line that could not be read: its number in the file, counted from 1, its beginning, and the reason."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class KeyTrace:
    """The requests of a file, at least one, in the order of the file.

    `keys`       the key of each request, a text; equal keys are one object
    `times_s`    seconds from the first request in the file, negative for a request that came before it but was logged
                 after it; None if no times were read
    `sizes`      bytes of each request; None if no sizes were read
    `malformed`  how many lines could not be read
    `examples`   the first three of them, and the line at which a damaged file ends
    `left_out`   how many lines are well formed, but are no request that would reach a cache, or were not asked for
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
        """Print a summary of the trace, and the malformed lines that are kept as `examples`."""
        counts = Counter(self.keys)
        once = sum(count == 1 for count in counts.values())
        print(f"{_counted(len(self), 'request')} for {_counted(len(counts), 'different key')}")
        print(f"{once:,} of the keys, {once / len(counts):.1%}, asked for only once")
        strange = sum(map(bool, map(OUTSIDE_UTF_8.search, counts)))
        if strange:
            print(f"{strange:,} of the keys with bytes that are not UTF-8, which are kept apart")
        if self.times_s is not None:
            print(f"{max(self.times_s) - min(self.times_s):,.0f} seconds from the earliest request to the latest")
        if self.sizes is not None:
            print(f"{sum(self.sizes):,} bytes, {short(sum(self.sizes) / len(self))} a request")
        if self.left_out:
            print(f"{_counted(self.left_out, 'line')} left out: nothing that a cache would be asked")
        if self.malformed:
            print(f"{_counted(self.malformed, 'malformed line')} skipped:")
        for number, text, reason in self.examples:
            print(f"  line {number:,}, {reason}:")
            print(textwrap.indent(printable(text, PAGE - 4), "    "))


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing if number == 1 else thing + 's'}"
