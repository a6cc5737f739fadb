"""Read a trace of keys from a CSV file: a key for each request, and its time and size if the file has them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from os import PathLike

from cachelab.lab.keys.access_log import looks_like_log
from cachelab.lab.keys.key_trace import KeyTrace, printable
from cachelab.lab.keys.line_reader import open_lines

__all__ = ["read_trace"]

SHOWN = 20  # columns in a sentence about them
LARGEST = 1e300  # seconds; the difference of two such times is still a number


def read_trace(
    path: str | PathLike[str], key: str = "key", *, time: str | None = None, size: str | None = None
) -> KeyTrace:
    """Read a CSV file, plain or gzip, UTF-8, whose first line names its columns; one request a line after it.

    `key`   the column with the key, read as a text
    `time`  the column with the time of the request: a number of seconds, or a date and time as in ISO 8601, UTC if it
            names no time zone
    `size`  the column with the size in bytes, a whole number

    A record is one line: commas and doubled quotes may stand between quotes, line breaks may not.

    Raises OSError without such a file, ValueError if it has no such column or no line that can be read.
    """
    keys: list[str] = []
    times: list[float] | None = None if time is None else []
    sizes: list[int] | None = None if size is None else []
    known: dict[str, str] = {}
    with open_lines(path) as lines:
        records = iter(lines)
        number, header = next(records, (0, ""))
        if number != 1 and lines.malformed:
            raise _no_names(lines.name, lines.examples[0].text, lines.examples[0].reason)
        if number != 1:
            raise ValueError(f"{lines.name} is empty: a CSV file begins with the names of its columns.")
        fields_of = _splitter()
        names = _names(header, fields_of, lines.name)
        key_at = _place(key, names, lines.name)
        time_at = 0 if time is None else _place(time, names, lines.name)
        size_at = 0 if size is None else _place(size, names, lines.name)
        for number, line in records:
            try:
                fields = fields_of(line)
                if len(fields) != len(names):
                    raise ValueError(f"fields: {len(fields)} where the first line has {len(names)}")
                asked = fields[key_at]
                if not asked:
                    raise ValueError("its key is empty")
                when = 0.0 if times is None else _seconds(fields[time_at])
                large = 0 if sizes is None else _bytes(fields[size_at])
            except ValueError as error:
                lines.reject(number, line, str(error))
                continue
            keys.append(known.setdefault(asked, asked))
            if times is not None:
                times.append(when)
            if sizes is not None:
                sizes.append(large)
        return lines.key_trace(keys, times, sizes, 0, expected="each line needs a field for each column")


def _names(header: str, fields_of: Callable[[str], list[str]], file: str) -> list[str]:
    """The names of the columns. Raises ValueError if this line can not be such names."""
    if looks_like_log(header):
        raise ValueError(f"{file} looks like the access log of a web server: read it with lab.read_access_log(path).")
    if not header.replace("\t", "").removeprefix("\ufeff").isprintable():
        raise _no_names(file, header, "no text")
    try:
        return [name.strip() for name in fields_of(header.removeprefix("\ufeff"))]
    except ValueError as error:
        raise _no_names(file, header, str(error)) from None


def _no_names(file: str, header: str, reason: str) -> ValueError:
    return ValueError(
        f"{file} does not begin with the names of columns, but with '{printable(header, 40)}' ({reason}): "
        "unpack it, or export it as a CSV file."
    )


def _place(name: str, names: list[str], file: str) -> int:
    """Where a column stands. Raises ValueError, with the columns that there are, if it is none of them."""
    if name in names:
        return names.index(name)
    there = ", ".join(printable(one, 60) for one in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    close = get_close_matches(name, [one[:60] for one in names[:1_000]], n=1)
    if close:
        advice = f"did you mean {close[0]!r}"
    elif len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        advice = "are its columns separated by something else than commas"
    else:
        advice = "does its first line name the columns"
    raise ValueError(f"{file} has no column {name!r}, only {there}: {advice}?")


def _splitter() -> Callable[[str], list[str]]:
    """What splits a line into fields: one reader for all lines, as making a reader takes longer than reading a line."""
    waiting: list[str] = []
    reader = csv.reader(iter(waiting.pop, None), strict=True)

    def fields(line: str) -> list[str]:
        if '"' not in line:
            return line.split(",")
        waiting.append(line)
        try:
            return next(reader)
        except (csv.Error, IndexError):  # the second if it asks for another line
            raise ValueError("its quotes do not close, or a field goes on after them") from None

    return fields


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("its time is no number of seconds, and no date like 2000-10-10T13:55:36Z") from None
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not abs(seconds) < LARGEST:
        raise ValueError("its time is too large, or no number")
    return seconds


def _bytes(text: str) -> int:
    try:
        size = int(text)
    except ValueError:
        size = -1
    if size < 0:
        raise ValueError("its size is no whole number of bytes")
    return size
