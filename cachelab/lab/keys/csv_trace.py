"""Read a trace of keys from a file with a record on each line, a CSV file or JSON lines."""

from __future__ import annotations

import csv
import json
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain
from operator import itemgetter
from os import PathLike
from typing import Any

from cachelab.lab.keys.access_log import looks_like_log
from cachelab.lab.keys.key_trace import KeyTrace
from cachelab.lab.keys.line_reader import LineReader, key_by, open_lines
from cachelab.lab.text import printable

__all__ = ["read_trace"]

Key = str | Callable[[dict[str, Any]], str | None]
Numbered = tuple[int, str]
Get = Callable[[Any], Any]
"""Finds a field in a record, and raises ValueError if it has none."""

MAX_NAMES = 20  # columns that an error message names
MAX_TIME_S = 1e300  # the difference of two such times is still a finite number
MAX_REPEATED = 20_000_000  # requests that a column with counts may add to the lines
OPERATIONS = {"op", "operation", "command", "method", "request_method"}
COUNTS = {"op_count"}
SEPARATORS = ",;\t|"
EXCEL = re.compile(r'"?sep=([,;\t|: ])"?', re.IGNORECASE)


def read_trace(
    path: str | PathLike[str],
    key: Key = "key",
    *,
    time: str | None = None,
    size: str | None = None,
    only: Mapping[str, object] | None = None,
    count: str | None = None,
    names: Sequence[str] | None = None,
) -> KeyTrace:
    """Read a CSV file or JSON lines: a text in UTF-8 or UTF-16, plain or packed with gzip, bzip2, xz or zstd.

    The first line of a CSV file names the columns, and each other line is a request. On each line of the other kind is
    a JSON object, whose fields are named as in "uri", or "request.uri" for a field of a field.

    `key`    the column with the key, which is read as a text; or a function that takes a line's fields, a dict, and
             returns the key, or None for a line to leave out
    `time`   the column with the time of the request: a number of seconds, or a date and time as in ISO 8601, in UTC if
             it names no time zone
    `size`   the column with the size in bytes, a whole number
    `only`   which lines are read: for a column the value, or a list of values, that it must have. The others are
             counted as `left_out`
    `count`  the column that says how many requests a line stands for
    `names`  the names of the columns, if the first line does not have them

    The columns are separated by commas, or by semicolons, tabs or bars if the names of the columns are; or by what
    stands in a first line like sep=; that Excel reads. Between quotes a field may hold them and doubled quotes, but no
    line breaks. A file whose column `op` or `operation` is not mentioned in `only` is read with a warning, as its lines
    may be writes; so is one with `op_count`.

    Raises OSError if there is no such file, and ValueError if it has no such column or no line that can be read.
    """
    columns = [name for name in (key, time, size, count, *(only or ())) if isinstance(name, str)]
    with open_lines(path) as lines:
        numbered = iter(lines)
        first = next(numbered, (0, ""))
        records: _Records
        if names is None and first[1].startswith("{"):
            records, numbered = _Objects(first[1], as_texts=isinstance(key, str)), chain([first], numbered)
        else:
            records, numbered = _table(lines, first, numbered, columns, names)
        finds = [None if name is None else records.get(name) for name in (time, size, count)]
        find_key = records.get(key) if isinstance(key, str) else records.by(key_by(key))
        trace = _read(lines, numbered, records, _Only(records, only or {}), find_key, finds)
        _warn_of_operations(lines.name, records.names, key, columns)
        return trace


class _Table:
    """The columns of a CSV file; a record is the list of its fields."""

    def __init__(self, file: str, separator: str, names: list[str], header: str | None) -> None:
        self.file = file
        self.names = [name.strip() for name in names]
        self.expected = "each line needs a field for each column"
        strip = header is not None and (self.names != names or f'{separator} "' in header)
        self.parse = self._parser(separator, strip, header)

    def _parser(self, separator: str, strip: bool, header: str | None) -> Callable[[str], list[str]]:
        split = _splitter(separator, strip=strip)
        count = len(self.names)
        first = "names= has" if header is None else "the first line has"

        def parse(line: str) -> list[str]:
            fields = split(line) if strip or '"' in line else line.split(separator)
            if len(fields) != count:
                raise ValueError(f"fields: {len(fields)} where {first} {count}")
            if line == header:
                raise ValueError("names the columns again")
            return fields

        return parse

    def get(self, name: str) -> Get:
        """What finds the field of this column. If there is no such column, the error names those that exist."""
        if self.names.count(name) > 1:
            raise ValueError(f"{self.file} has more than one column {name!r}: give each a name of its own.")
        if name in self.names:
            return itemgetter(self.names.index(name))
        close = get_close_matches(name, [one[:60] for one in self.names[:1_000]], n=1)
        if close:
            advice = f"did you mean {close[0]!r}?"
        else:
            advice = "does its first line name the columns? If not, name them with names=[…]."
        raise ValueError(f"{self.file} has no column {name!r}, only {_listed(self.names)}: {advice}")

    def by(self, function: Get) -> Get:
        """What finds the key of a record with a function of its fields."""
        return lambda fields: function(dict(zip(self.names, fields, strict=True)))


class _Objects:
    """JSON lines; a record is a dict. Its numbers are numbers, or texts as they are written if `as_texts`."""

    def __init__(self, first: str, *, as_texts: bool) -> None:
        number = str if as_texts else None
        self._decode = json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=number).decode
        try:
            record = self.parse(first)
        except ValueError:
            record = {}
        self.names = [
            f"{name}.{inner}" if inner else name
            for name, value in record.items()
            for inner in (value if isinstance(value, dict) and value else [""])
        ]
        known = f"; those of the first line are {_listed(self.names)}" if self.names else ""
        self.expected = f"each line needs a JSON object of its own with the fields that are asked for{known}"

    def parse(self, line: str) -> dict[str, Any]:
        try:
            record = self._decode(line)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
        return record

    def get(self, name: str) -> Get:
        """What finds the field of this name, which may be that of a field in a field."""
        path = name.split(".")

        def find(record: dict[str, Any]) -> str:
            value: Any = record.get(name)
            if value is None:
                value = record
                for part in path:
                    value = value.get(part) if isinstance(value, dict) else None
            if value is None:
                raise ValueError(f"has no field {name!r}")
            if isinstance(value, (dict, list)):
                raise ValueError(f"its field {name!r} is neither a text nor a number")
            return _text(value)

        return find

    def by(self, function: Get) -> Get:
        """What finds the key of a record with a function of its fields."""
        return function


_Records = _Table | _Objects
_Finds = Sequence[Get | None]


class _Only:
    """Which records are read: those that have, in each of these fields, one of the values."""

    def __init__(self, records: _Records, only: Mapping[str, object]) -> None:
        self.conditions = [(name, records.get(name), _values(values)) for name, values in only.items()]
        self._others: dict[str, None] = {}  # some of the values that were left out

    def admits(self, record: Any) -> bool:
        for name, find, values in self.conditions:
            try:
                value = find(record)
            except ValueError:
                return False
            if value not in values:
                if len(self._others) < MAX_NAMES:
                    self._others[f"{name} = {value!r}"] = None
                return False
        return True

    def nothing(self) -> str:
        """What to say of a file from which nothing was admitted."""
        found = f"; they have {_listed(list(self._others))}" if self._others else ""
        return f"has no request: all lines that can be read are left out{found}. Left out"


def _read(
    lines: LineReader, numbered: Iterable[Numbered], records: _Records, only: _Only, find_key: Get, finds: _Finds
) -> KeyTrace:
    """The trace of the lines; `finds` has what finds time, size and count, or None for what is not asked for."""
    keys: list[str] = []
    find_time, find_size, find_count = finds
    times: list[float] | None = None if find_time is None else []
    sizes: list[int] | None = None if find_size is None else []
    counts: list[int] | None = None if find_count is None else []
    left_out = 0
    known: dict[str, str] = {}
    parse, conditions = records.parse, only.conditions
    for number, line in numbered:
        try:
            record = parse(line)
            if conditions and not only.admits(record):
                left_out += 1
                continue
            key = find_key(record)
            if not key:
                if key is None:
                    left_out += 1
                    continue
                raise ValueError("its key is empty")
            seconds = 0.0 if find_time is None else _seconds(find_time(record))
            size = 0 if find_size is None else _whole(find_size(record), "its size is not a whole number of bytes")
            count = 1 if find_count is None else _whole(find_count(record), "its count is not a whole number")
        except ValueError as error:
            lines.reject(number, line, str(error))
            continue
        keys.append(known.setdefault(key, key))
        if times is not None:
            times.append(seconds)
        if sizes is not None:
            sizes.append(size)
        if counts is not None:
            counts.append(count)
    if not (keys or left_out or lines.malformed):
        raise ValueError(f"{lines.name} has only names of columns, {_listed(records.names)}, and no line below them.")
    if counts is not None:
        left_out += _repeat(lines.name, counts, (keys, times, sizes))
    return lines.key_trace(keys, times, sizes, left_out, expected=records.expected, nothing=only.nothing())


def _repeat(file: str, counts: list[int], columns: Iterable[list[Any] | None]) -> int:
    """Repeat each value in the columns as often as its count says. Return how many counts are 0."""
    if sum(counts) > len(counts) + MAX_REPEATED:
        raise ValueError(f"The counts of {file} add over {MAX_REPEATED:,} requests to its lines: read a part of it.")
    for column in columns:
        if column is not None:
            column[:] = [value for value, count in zip(column, counts, strict=True) for _ in range(count)]
    return counts.count(0)


def _table(
    lines: LineReader, first: Numbered, numbered: Iterator[Numbered], columns: Collection[str], names: object
) -> tuple[_Table, Iterator[Numbered]]:
    """The columns of a CSV file, and the lines with its records."""
    excel = EXCEL.fullmatch(first[1])
    number, line = next(numbered, (0, "")) if excel else first
    if not number and not lines.malformed:
        raise ValueError(f"{lines.name} is empty: a CSV file begins with the names of its columns.")
    if looks_like_log(line):
        raise ValueError(
            f"{lines.name} looks like the access log of a web server: read it with lab.read_access_log(path)."
        )
    separators = excel[1] if excel else SEPARATORS
    if names is None:
        if number != (2 if excel else 1):
            raise _no_header(lines.name, lines.examples[0].text, lines.examples[0].reason)
        table = _Table(lines.name, *_columns(lines.name, line, separators, columns), line)
    else:
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise ValueError('names= has to be a list of texts, as in names=["time", "key"].')
        table = _Table(lines.name, separators[0], list(names), None)
        if line.split(separators[0]) == list(names):
            raise ValueError(f"The first line of {lines.name} names the columns: leave names= out.")
        numbered = chain([(number, line)] if number else [], numbered)
    return table, numbered


def _columns(file: str, header: str, separators: str, columns: Collection[str]) -> tuple[str, list[str]]:
    """What separates the columns, and their names. Raises ValueError if the line cannot hold such names."""
    if not header.replace("\t", "").encode(errors="replace").decode().isprintable():  # bytes outside UTF-8 are letters
        raise _no_header(file, header, "not a text")
    found: dict[str, list[str]] = {}
    for separator in separators:
        try:
            found[separator] = _splitter(separator, strip=f'{separator} "' in header)(header)
        except ValueError as error:
            problem = str(error)
    if not found:
        raise _no_header(file, header, problem)

    fitting = (
        sep for sep, names in found.items() if sep in header and set(columns) <= {name.strip() for name in names}
    )
    separator = next(fitting, max(found, key=lambda separator: len(found[separator])))
    return separator, found[separator]


def _no_header(file: str, header: str, reason: str) -> ValueError:
    return ValueError(
        f"{file} does not begin with the names of columns, but with '{printable(header, 40)}' ({reason}): "
        "unpack it, or export it as a CSV file in UTF-8."
    )


def _warn_of_operations(file: str, names: Sequence[str], key: Key, columns: Collection[str]) -> None:
    """Warn if a line may be no read, or more than one, and the caller has not said which."""
    for name in [] if callable(key) else [name for name in names if name not in columns]:
        if name.rpartition(".")[2] in OPERATIONS:
            advice = f'may be writes: say which of them are reads, as in only={{"{name}": "GET"}}'
        elif name in COUNTS:
            advice = f'may stand for several requests: pass count="{name}"'
        else:
            continue
        warnings.warn(f"{file} has a column {name!r}, so its lines {advice}.", stacklevel=3)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name, 60) for name in names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")


def _splitter(separator: str, *, strip: bool = False) -> Callable[[str], list[str]]:
    """What splits a line into fields. One csv reader serves all lines: to make one takes longer than to read a line.

    With `strip` there are spaces around the separators, which are no part of the fields.
    """
    lines: list[str] = []
    reader = csv.reader(iter(lines.pop, None), strict=True, delimiter=separator, skipinitialspace=strip)

    def split(line: str) -> list[str]:
        if '"' not in line:
            return line.split(separator)
        lines.append(line)
        try:
            return next(reader)
        except (csv.Error, IndexError):  # IndexError if it wants another line
            raise ValueError("a quote is not closed, or a field goes on after its closing quote") from None

    return (lambda line: [field.strip(" ") for field in split(line)]) if strip else split


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


def _whole(text: str, otherwise: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(otherwise)
    return number


def _values(wanted: object) -> set[str]:
    """The values of `only` as texts."""
    some = wanted if isinstance(wanted, Iterable) and not isinstance(wanted, str) else [wanted]
    return {_text(value) for value in some}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
