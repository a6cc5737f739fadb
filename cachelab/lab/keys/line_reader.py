"""The lines of a file, plain or gzip, one after the other, whatever is in them; and what could not be read of it.

A file is never held as a whole, and of a line never more than about a megabyte. A gzip that is cut off or damaged gives
what stands before the damage.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from os import PathLike
from pathlib import Path

from cachelab.lab.keys.key_trace import KeyTrace, Malformed, printable
from cachelab.lab.progress_bar import progress

__all__ = ["LineReader", "open_lines"]

GZIP = b"\x1f\x8b"
BLOCK = 2**20  # bytes read at once, and the most that is kept of a line without an end
LONGEST = 2**18  # characters; UTF-8 takes at most 4 bytes for one, so a line that was cut at BLOCK is longer
EXAMPLES = 3
KEPT = 200  # characters of a malformed line


@contextmanager
def open_lines(path: str | PathLike[str]) -> Iterator[LineReader]:
    """Open a file to read its lines, with a bar if that takes long. Raises OSError if there is no such file."""
    path = Path(path)
    name = printable(str(path), KEPT)
    if path.is_dir():
        raise IsADirectoryError(f"{name} is a folder: name a file in it.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {name}: check its name, and the folder that you are in.")
    if not path.is_file():
        raise OSError(f"{name} is no regular file: copy what it gives into one.")
    with path.open("rb") as file, progress(f"Reading {printable(path.name, 40)}", path.stat().st_size) as done:
        yield LineReader(printable(path.name, KEPT), file, done)


class LineReader:
    """Iterate for the number and the text of each line that may be a record; `reject` the one that is none.

    Empty and very long lines, and those with a NUL, are rejected already.
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
        """Count a malformed line, and keep the first few."""
        self.malformed += 1
        if len(self.examples) < EXAMPLES or reason == self._damage:
            self.examples.append(Malformed(number, line[:KEPT], reason))

    def key_trace(
        self, keys: list[str], times: list[float] | None, sizes: list[int] | None, left_out: int, *, expected: str
    ) -> KeyTrace:
        """What was read, its times counted from the first. ValueError if that is nothing; `expected` says what was."""
        if keys:
            start = times[0] if times else 0.0
            for place, time in enumerate(times or ()):
                times[place] = time - start  # type: ignore[index]  # in place: a second list would take as much again
            return KeyTrace(keys, times, sizes, self.malformed, tuple(self.examples), left_out)
        if left_out:
            raise ValueError(
                f"{self.name} has no request that a cache would be asked: {left_out:,} lines are of other methods or "
                f"statuses, and {self.malformed:,} malformed."
            )
        if not self.malformed:
            raise ValueError(f"{self.name} is empty: {expected}.")
        first = self.examples[0]
        raise ValueError(
            f"No line of {self.name} can be read, line {first.line:,} is '{printable(first.text, 60)}' "
            f"({first.reason}): {expected}."
        )

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for lines in self._decoded():
            for line in lines:
                self.count += 1
                if not line:
                    self.reject(self.count, line, "empty")
                elif len(line) >= LONGEST:
                    self.reject(self.count, line, "too long")
                elif "\0" in line:
                    self.reject(self.count, line, "has a NUL")
                else:
                    yield self.count, line

    def _decoded(self) -> Iterator[list[str]]:
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
            self.reject(self.count, rest[:KEPT].decode(errors="replace"), self._damage)
        elif rest:
            yield _split(rest)

    def _blocks(self) -> Iterator[bytes]:
        packed = self._file.peek(2)[:2] == GZIP
        read = gzip.GzipFile(fileobj=self._file).read1 if packed else self._file.read
        try:
            while block := read(BLOCK):
                yield block
                self._done(self._file.tell())
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self._damage = "the gzip file is cut off or damaged here"


def _split(data: bytes) -> list[str]:
    lines = data.decode(errors="replace").split("\n")
    return [line.removesuffix("\r") for line in lines] if b"\r" in data else lines
