"""Read a trace of keys from a CSV file: the key of each request, and its time and size if the file has them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from os import PathLike

from cachelab.lab.keys.access_log import looks_like_log
from cachelab.lab.keys.key_trace import KeyTrace
from cachelab.lab.keys.line_reader import open_lines
from cachelab.lab.text import printable

__all__ = ["read_trace"]

MAX_NAMES = 20  # columns that an error message names
MAX_TIME_S = 1e300  # the difference of two such times is still a finite number


def read_trace(
    path: str | PathLike[str], key: str = "key", *, time: str | None = None, size: str | None = None
) -> KeyTrace:
    """Read a CSV file in UTF-8, plain or gzip. Its first line names the columns, and each other line is a request.

    `key`   the column with the key, which is read as a text
    `time`  the column with the time of the request: a number of seconds, or a date and time as in ISO 8601, in UTC if
            it names no time zone
    `size`  the column with the size in bytes, a whole number

    Between quotes a field may hold commas and doubled quotes, but no line breaks.

    Raises OSError if there is no such file, and ValueError if it has no such column or no line that can be read.
    """
    keys: list[str] = []
    times: list[float] | None = None if time is None else []
    sizes: list[int] | None = None if size is None else []
    known: dict[str, str] = {}
    with open_lines(path) as lines:
        numbered_lines = iter(lines)
        number, header = next(numbered_lines, (0, ""))
        if number != 1 and lines.malformed:
            raise _no_header(lines.name, lines.examples[0].text, lines.examples[0].reason)
        if number != 1:
            raise ValueError(f"{lines.name} is empty: a CSV file begins with the names of its columns.")
        split = _splitter()
        names = _column_names(header, split, lines.name)
        key_at = _column_index(key, names, lines.name)
        time_at = 0 if time is None else _column_index(time, names, lines.name)
        size_at = 0 if size is None else _column_index(size, names, lines.name)
        for number, line in numbered_lines:
            try:
                fields = split(line)
                if len(fields) != len(names):
                    raise ValueError(f"fields: {len(fields)} where the first line has {len(names)}")
                requested = fields[key_at]
                if not requested:
                    raise ValueError("its key is empty")
                seconds = 0.0 if times is None else _seconds(fields[time_at])
                length = 0 if sizes is None else _bytes(fields[size_at])
            except ValueError as error:
                lines.reject(number, line, str(error))
                continue
            keys.append(known.setdefault(requested, requested))
            if times is not None:
                times.append(seconds)
            if sizes is not None:
                sizes.append(length)
        return lines.key_trace(keys, times, sizes, 0, expected="each line needs a field for each column")


def _column_names(header: str, split: Callable[[str], list[str]], file: str) -> list[str]:
    """The names of the columns in the first line. Raises ValueError if the line cannot hold such names."""
    if looks_like_log(header):
        raise ValueError(f"{file} looks like the access log of a web server: read it with lab.read_access_log(path).")
    if not header.replace("\t", "").removeprefix("\ufeff").isprintable():
        raise _no_header(file, header, "not a text")
    try:
        return [name.strip() for name in split(header.removeprefix("\ufeff"))]
    except ValueError as error:
        raise _no_header(file, header, str(error)) from None


def _no_header(file: str, header: str, reason: str) -> ValueError:
    return ValueError(
        f"{file} does not begin with the names of columns, but with '{printable(header, 40)}' ({reason}): "
        "unpack it, or export it as a CSV file."
    )


def _column_index(name: str, names: list[str], file: str) -> int:
    """The index of the column with this name. If there is none, raises ValueError and names the columns that exist."""
    if name in names:
        return names.index(name)
    existing = ", ".join(printable(one, 60) for one in names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
    close = get_close_matches(name, [one[:60] for one in names[:1_000]], n=1)
    if close:
        advice = f"did you mean {close[0]!r}"
    elif len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        advice = "are its columns separated by something other than commas"
    else:
        advice = "does its first line name the columns"
    raise ValueError(f"{file} has no column {name!r}, only {existing}: {advice}?")


def _splitter() -> Callable[[str], list[str]]:
    """What splits a line into fields. One csv reader serves all lines: to make one takes longer than to read a line."""
    lines: list[str] = []
    reader = csv.reader(iter(lines.pop, None), strict=True)

    def split(line: str) -> list[str]:
        if '"' not in line:
            return line.split(",")
        lines.append(line)
        try:
            return next(reader)
        except (csv.Error, IndexError):  # IndexError if it wants another line
            raise ValueError("a quote is not closed, or a field goes on after its closing quote") from None

    return split


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("its time is neither a number of seconds nor a date like 2000-10-10T13:55:36Z") from None
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not abs(seconds) < MAX_TIME_S:
        raise ValueError("its time is too large, or not a number")
    return seconds


def _bytes(text: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = -1
    if size < 0:
        raise ValueError("its size is not a whole number of bytes")
    return size
