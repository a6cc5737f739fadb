"""The lines of a file, plain or gzip, one after the other, whatever is in them; and the lines that could not be read.

A file is never held in memory as a whole, and of a line never more than about a megabyte. Of a gzip file that is cut
off or damaged, the part before the damage is read.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from os import PathLike
from pathlib import Path

from cachelab.lab.keys.key_trace import KeyTrace, Malformed
from cachelab.lab.progress_bar import progress
from cachelab.lab.text import printable

__all__ = ["LineReader", "open_lines"]

GZIP = b"\x1f\x8b"  # the first bytes of a gzip file
BLOCK = 2**20  # bytes that are read at once, and at most kept of a line that has not ended
MAX_LINE = 2**18  # characters; a character has at most 4 bytes in UTF-8, so a line that was cut at BLOCK is longer
MAX_EXAMPLES = 3
MAX_SHOWN = 200  # characters that are kept of a malformed line


@contextmanager
def open_lines(path: str | PathLike[str]) -> Iterator[LineReader]:
    """Open a file to read its lines, with a progress bar if it takes long. Raises OSError if there is no such file."""
    path = Path(path)
    name = printable(str(path), MAX_SHOWN)
    if path.is_dir():
        raise IsADirectoryError(f"{name} is a folder: name a file in it.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {name}: check its name, and the folder that you are in.")
    if not path.is_file():
        raise OSError(f"{name} is not a regular file: copy its contents into one.")
    with path.open("rb") as file, progress(f"Reading {printable(path.name, 40)}", path.stat().st_size) as done:
        yield LineReader(printable(path.name, MAX_SHOWN), file, done)


class LineReader:
    """Iterate over it for the number and the text of each line, and call `reject` for a line that you cannot read.

    Empty lines, very long lines, and lines with a NUL character are rejected already.
    """

    def __init__(self, name: str, file: BufferedReader, done: Callable[[int], None]) -> None:
        self.name = name
        self.count = 0
        self.malformed = 0
        self.examples: list[Malformed] = []
        self._file = file
        self._done = done
        self._damage = ""

    def reject(self, number: int, line: str, reason: str) -> None:
        """Count a malformed line. Keep it if it is one of the first, or the one at which a gzip file is damaged."""
        self.malformed += 1
        if len(self.examples) < MAX_EXAMPLES or reason == self._damage:
            self.examples.append(Malformed(number, line[:MAX_SHOWN], reason))

    def key_trace(
        self, keys: list[str], times: list[float] | None, sizes: list[int] | None, left_out: int, *, expected: str
    ) -> KeyTrace:
        """The trace of what was read, with times counted from the first. Without a key it raises ValueError.

        The error's text ends with `expected`, which says what such a file looks like.
        """
        if keys:
            start = times[0] if times else 0.0
            for place, time in enumerate(times or ()):
                times[place] = time - start  # type: ignore[index]  # in place, as a second list would take much memory
            return KeyTrace(keys, times, sizes, self.malformed, tuple(self.examples), left_out)
        if left_out:
            raise ValueError(
                f"{self.name} has no request that would reach a cache. Lines with other methods or statuses: "
                f"{left_out:,}, malformed: {self.malformed:,}."
            )
        if not self.malformed:
            raise ValueError(f"{self.name} is empty: {expected}.")
        first = self.examples[0]
        raise ValueError(
            f"No line of {self.name} can be read: line {first.line:,} is '{printable(first.text, 60)}' "
            f"({first.reason}): {expected}."
        )

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for lines in self._decoded():
            for line in lines:
                self.count += 1
                if not line:
                    self.reject(self.count, line, "empty")
                elif len(line) >= MAX_LINE:
                    self.reject(self.count, line, "too long")
                elif "\0" in line:
                    self.reject(self.count, line, "has a NUL")
                else:
                    yield self.count, line

    def _decoded(self) -> Iterator[list[str]]:
        """The lines, as many at a time as end in one block."""
        rest = b""
        for block in self._blocks():
            head, newline, tail = block.rpartition(b"\n")
            if newline:
                yield _split(rest + head)
                rest = tail
            elif len(rest) < BLOCK:
                rest += block
        if self._damage:
            self.count += 1
            self.reject(self.count, rest[:MAX_SHOWN].decode(errors="replace"), self._damage)
        elif rest:
            yield _split(rest)

    def _blocks(self) -> Iterator[bytes]:
        is_gzip = self._file.peek(2)[:2] == GZIP
        read = gzip.GzipFile(fileobj=self._file).read1 if is_gzip else self._file.read
        try:
            while block := read(BLOCK):
                yield block
                self._done(self._file.tell())
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self._damage = "the gzip file is cut off or damaged here"


def _split(data: bytes) -> list[str]:
    lines = data.decode(errors="replace").split("\n")
    return [line.removesuffix("\r") for line in lines] if b"\r" in data else lines
