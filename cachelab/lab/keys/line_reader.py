"""The lines of a file, one after the other, whatever is in them; and the lines that could not be read.

A line ends with a line feed, a carriage return, or both. Bytes that are not UTF-8 become the characters that Python's
`surrogateescape` has for them, so that different bytes stay different texts. A file is never held in memory as a whole,
and of a line never more than a few megabytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from cachelab.lab.keys.key_trace import KeyTrace, Malformed
from cachelab.lab.keys.unpacking import BLOCK, Unpacking
from cachelab.lab.progress_bar import progress
from cachelab.lab.text import printable

__all__ = ["LineReader", "key_by", "open_lines"]

MAX_LINE = 2**18  # characters; a character has at most 4 bytes in UTF-8, so a line that was cut is longer
MAX_EXAMPLES = 3
MAX_SHOWN = 200  # characters that are kept of a malformed line


@contextmanager
def open_lines(path: str | PathLike[str]) -> Iterator[LineReader]:
    """Open a file to read its lines, with a progress bar if it takes long. Raises OSError if there is no such file."""
    path = Path(os.path.expanduser(path))  # noqa: PTH111  # the method of Path raises for a user who does not exist
    name = printable(str(path), MAX_SHOWN)
    if path.is_dir():
        raise IsADirectoryError(f"{name} is a folder: name a file in it.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {name}: check its name, and the folder that you are in.")
    if not path.is_file():
        raise OSError(f"{name} is not a regular file: copy its contents into one.")
    with path.open("rb") as file, progress(f"Reading {printable(path.name, 40)}", path.stat().st_size) as done:
        name = printable(path.name, MAX_SHOWN)
        yield LineReader(name, Unpacking(name, file, done))


class LineReader:
    """Iterate over it for the number and the text of each line, and call `reject` for a line that you cannot read.

    Empty lines, very long lines, and lines with a NUL character are rejected already.
    """

    def __init__(self, name: str, blocks: Unpacking) -> None:
        self.name = name
        self.count = 0
        self.malformed = 0
        self.examples: list[Malformed] = []
        self._blocks = blocks

    def reject(self, number: int, line: str, reason: str) -> None:
        """Count a malformed line. Keep it if it is one of the first, or the one at which the file is damaged."""
        self.malformed += 1
        if len(self.examples) < MAX_EXAMPLES or reason == self._blocks.damage:
            self.examples.append(Malformed(number, line[:MAX_SHOWN], reason))

    def key_trace(
        self,
        keys: list[str],
        times: list[float] | None,
        sizes: list[int] | None,
        left_out: int,
        *,
        expected: str,
        nothing: str = "has no request that would reach a cache. Lines with other methods or statuses",
    ) -> KeyTrace:
        """The trace of what was read, with times counted from the first. Without a key it raises ValueError.

        The error's text ends with `expected`, which says what such a file looks like; or, if all lines were left out,
        it begins with `nothing`, which says why.
        """
        if keys:
            start = times[0] if times else 0.0
            for place, time in enumerate(times or ()):
                times[place] = time - start  # type: ignore[index]  # in place, as a second list would take much memory
            return KeyTrace(keys, times, sizes, self.malformed, tuple(self.examples), left_out)
        if left_out:
            raise ValueError(f"{self.name} {nothing}: {left_out:,}, malformed: {self.malformed:,}.")
        if not self.malformed:
            raise ValueError(f"{self.name} is empty: {expected}.")
        first = self.examples[0]
        raise ValueError(
            f"No line of {self.name} can be read: line {first.line:,} is '{printable(first.text, 60)}' "
            f"({first.reason}): {expected}."
        )

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for lines in self._decoded():
            before = self.count
            self.count += len(lines)
            # It is faster to look at all lines at once. There are next to none to reject.
            if all(lines) and max(map(len, lines)) < MAX_LINE and "\0" not in "".join(lines):
                yield from enumerate(lines, before + 1)
                continue
            for number, line in enumerate(lines, before + 1):
                if not line:
                    self.reject(number, line, "empty")
                elif len(line) >= MAX_LINE:
                    self.reject(number, line, "too long")
                elif "\0" in line:
                    self.reject(number, line, "has a NUL")
                else:
                    yield number, line

    def _decoded(self) -> Iterator[list[str]]:
        """The lines, as many at a time as end in one block."""
        rest = b""
        for block in self._blocks:
            if rest.endswith(b"\r") and not block.startswith(b"\n"):
                yield _split(rest)
                rest = b""
            # A carriage return at the end of the block may have its line feed in the next.
            end = 1 + max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1))
            if end:
                yield _split(rest + block[:end])
                rest = block[end:]
            elif len(rest) < BLOCK:
                rest += block
            elif block.endswith(b"\r"):
                rest += b"\r"
        if self._blocks.damage:
            self.count += 1
            self.reject(self.count, _text(rest[:MAX_SHOWN]), self._blocks.damage)
        elif rest:
            yield _split(rest + b"\n")


def key_by(function: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """The learner's function that finds a key. What it raises for a line of another form becomes a ValueError."""

    def find(record: Any) -> str | None:
        try:
            key = function(record)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"key= raised {type(error).__name__}: {printable(str(error), 60)}") from None
        if key is not None and not isinstance(key, str):
            raise ValueError(f"key= returned {type(key).__name__}, and not a text or None")
        return key

    return find


def _split(data: bytes) -> list[str]:
    """The lines of some bytes that end with the end of a line."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = _text(data).split("\n")
    del lines[-1]
    return lines


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
