"""Which exercises are solved: remembered in the working copy, and anywhere else until the kernel ends.

A notebook of the working copy runs in its folder, which has a folder for this (`cachelab/lab/working_copy.py`). There
an empty file stands for a solved exercise, so that notebooks that run at the same time do not disturb each other.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from cachelab.lab.text import PAGE
from cachelab.lab.working_copy import SOLVED

__all__ = ["note_verdict", "solved"]

_NUMBER = re.compile(r"\d+\.\d+")
_in_this_kernel: set[str] = set()


def note_verdict(number: str, correct: bool) -> None:
    """Remember that the exercise was solved, if `correct`, and print which exercises of its chapter are.

    As long as none is, nothing is printed. An exercise that was solved once stays so.
    """
    if correct:
        _in_this_kernel.add(number)
        _write(number)
    chapter = [done for done in _all_solved() if done.partition(".")[0] == number.partition(".")[0]]
    if chapter:
        print(f"\n{_named(chapter)}")


def solved(*numbers: str) -> None:
    """Print which of these exercises are solved, such as `solved("5.1", "5.2")` at the end of chapter 5."""
    done = [number for number in numbers if number in _all_solved()]
    still = [number for number in numbers if number not in done]
    if not still:
        said = f"{_named(done)} Those are all its exercises."
    elif done:
        said = f"{_named(done)} Not solved yet: {', '.join(still)}."
    else:
        said = f"Not solved yet: {', '.join(still)}."
    print(textwrap.fill(said, PAGE))


def _named(done: list[str]) -> str:
    return f"Solved in this chapter: {', '.join(done)}."


def _all_solved() -> list[str]:
    """The numbers of all solved exercises, in the order of the course."""
    kept = {path.name for path in Path(SOLVED).glob("*.*") if _NUMBER.fullmatch(path.name)}
    return sorted(kept | _in_this_kernel, key=lambda number: [int(part) for part in number.split(".")])


def _write(number: str) -> None:
    if Path(SOLVED).is_dir():
        try:
            Path(SOLVED, number).touch()
        except OSError:
            return  # a folder that cannot be written to: remembered until the kernel ends
