"""Read a web server's access log: which keys would a cache in front of the site have been asked for?

It reads the formats that Apache and nginx write by default, the Common and the Combined Log Format, also with the name
of the virtual host in front, or more fields at the end:

    192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /page?id=1 HTTP/1.1" 200 2326
    192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /page?id=1 HTTP/1.1" 200 2326 "referer" "user agent"
    www.example.com:443 192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /page?id=1 HTTP/1.1" 200 2326

and the Extended Log File Format of the W3C, which IIS and CloudFront write: a line that begins with `#Fields:` names
the fields of the lines below it.

Source: https://httpd.apache.org/docs/2.4/logs.html; https://www.w3.org/TR/WD-logfile.html; RFC 9111 for what a cache
may answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from os import PathLike

from cachelab.lab.keys.extended_log import DIRECTIVE, METHODS, STATUSES, read_extended
from cachelab.lab.keys.key_trace import KeyTrace
from cachelab.lab.keys.line_reader import LineReader, key_by, open_lines

__all__ = ["looks_like_log", "read_access_log"]

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SECONDS = {f":{second:02}": second for second in range(61)}  # 60 is a leap second
JSON = (
    'JSON lines are read with lab.read_trace, which needs the field with the key, as in key="request.uri", and those '
    'that make a line a read, as in only={"request.method": "GET"}'
)
MAX_CACHED = 200  # characters before a time; the host in a longer text is not remembered
EXPECTED = (
    'an access log has lines like 192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 2326, '
    "a CSV file is read with lab.read_trace, and for another format pass key=, a function that finds the key in a line"
)

# The quantifiers are possessive (`++`, `*+`): without backtracking the time is linear in the length of the line.
LINE = re.compile(
    r'\S++ (?:- \S++ \[|([^\[]*+)\[)([^\]]*+)\] "((?:[^"\\]++|\\.)*+)" (\d{3}) (\d{1,18}|-)(?: |$)', re.ASCII
)
TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)
START = re.compile(r'\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "', re.ASCII)
IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
TORN = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}$", re.ASCII)  # an address at the end of another word
IPV6 = re.compile(r"[0-9a-fA-F:.]+")
NAME = re.compile(r"[\w.-]+", re.ASCII)
NAME_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", re.ASCII)


def read_access_log(
    path: str | PathLike[str], *, query: bool = False, key: Callable[[str], str | None] | None = None
) -> KeyTrace:
    """Read an access log in one of the formats above: a text or UTF-16, plain or packed with gzip, bzip2, xz or zstd.

    A request is a GET or a HEAD that was answered with 200, 206 (a part of the content) or 304 (the client's copy is
    still valid). Lines with other methods or statuses, or without a proper request, are counted as `left_out`. The key
    is the path, with its query string only if `query` is true. The virtual host comes before the path if the log has it
    where it is looked for: in front of a line, with a port or before the client's address, or in a field of its own
    under `#Fields:`. `times_s` has the resolution of the log, a second. `sizes` are the bytes that were sent: 0 for a
    304 or a HEAD.

    For any other format pass `key`: a function that takes a line and returns its key, or None for a line to leave out.
    The trace then has no times and no sizes.

    Raises OSError if there is no such file, and ValueError if no line of it is a request.
    """
    with open_lines(path) as lines:
        if key is not None:
            return _read_lines(lines, key_by(key))
        return _read_common(lines, query)


def looks_like_log(line: str) -> bool:
    """Whether this is a line of an access log."""
    return LINE.match(line) is not None or DIRECTIVE.match(line) is not None


def _read_common(lines: LineReader, query: bool) -> KeyTrace:
    keys: list[str] = []
    times: list[float] = []
    sizes: list[int] = []
    left_out = 0
    known: dict[str, str] = {}
    numbered = iter(lines)
    for number, line in numbered:
        match = LINE.match(line)
        if match is None:
            if DIRECTIVE.match(line) and not (keys or left_out):
                return read_extended(lines, chain([(number, line)], numbered), query)
            lines.reject(number, line, "not in the Common or the Combined Log Format")
            continue
        unusual, when, request, status, size = match.groups()
        host: str | None = ""
        if unusual is not None:
            before = line[: match.start(2) - 1]
            host = _host(before) if len(before) < MAX_CACHED else _host.__wrapped__(before)
        if host is None or (line.count("[") > 1 and START.search(line, match.end())):
            lines.reject(number, line, "two records in one line")
            continue
        try:
            time = _minute(when[:17] + when[20:]) + SECONDS[when[17:20]]
        except (KeyError, ValueError):
            lines.reject(number, line, "its time is not like [10/Oct/2000:13:55:36 -0700]")
            continue
        method, _, target = request.partition(" ")
        before, protocol, _ = target.rpartition(" HTTP/")
        target = before if protocol else target
        key = target if query else target.partition("?")[0]
        if method in METHODS and status in STATUSES and key:
            if host and "://" not in key:
                key = host + key
            keys.append(known.setdefault(key, key))
            times.append(time)
            sizes.append(0 if size == "-" else int(size))
        else:
            left_out += 1
    is_json = bool(lines.examples) and lines.examples[0].text.startswith("{")
    return lines.key_trace(keys, times, sizes, left_out, expected=JSON if is_json else EXPECTED)


def _read_lines(lines: LineReader, find: Callable[[str], str | None]) -> KeyTrace:
    """The keys that the learner's function finds."""
    keys: list[str] = []
    left_out = 0
    known: dict[str, str] = {}
    for number, line in lines:
        try:
            key = find(line)
        except ValueError as error:
            lines.reject(number, line, str(error))
            continue
        if key is None:
            left_out += 1
        elif not key:
            lines.reject(number, line, "its key is empty")
        else:
            keys.append(known.setdefault(key, key))
    nothing = "has no key: key= returned None for all lines that can be read"
    return lines.key_trace(keys, None, None, left_out, expected="key= has to find the key in a line", nothing=nothing)


@lru_cache(maxsize=4_096)
def _host(text: str) -> str | None:
    """The virtual host in what stands before a line's time, or "" if there is none; None if two records are there.

    A host has a port, or stands in front of the client's address and is no address itself.
    """
    words = text.split()
    client = next((place for place, word in enumerate(words) if _is_address(word)), -1)
    if client < 0:
        return words[0] if len(words) > 3 and NAME_AND_PORT.fullmatch(words[0]) else ""
    after = words[client + 1 :]
    if client == 0 and after and _is_address(after[0]):
        del after[0]  # that of a proxy, or of the client behind it
    if any(TORN.search(word) or _is_address(word.lstrip("-")) for word in after):
        return None
    before = words[client - 1] if client else ""
    if NAME_AND_PORT.fullmatch(before):
        return before
    return before if client == 1 and NAME.fullmatch(before) and before.strip("0123456789._-") else ""


def _is_address(word: str) -> bool:
    if IPV4.fullmatch(word):
        return True
    return ("::" in word or word.count(":") == 7) and IPV6.fullmatch(word) is not None


@lru_cache(maxsize=1_024)  # a log is nearly in order of time, and has many lines for a minute
def _minute(text: str) -> float:
    """Seconds from 1970 to the start of a minute like "10/Oct/2000:13:55 -0700". Raises ValueError if it is not one."""
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, month, year, hour, minute, sign, hours, minutes = match.groups()
    offset = (int(hours) * 3_600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
    at = datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    return at.timestamp() - offset
