"""Read a web server's access log: which keys would a cache in front of the site have been asked for?

It reads the formats that Apache and nginx write by default, the Common and the Combined Log Format:

    192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /page?id=1 HTTP/1.1" 200 2326
    192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /page?id=1 HTTP/1.1" 200 2326 "referer" "user agent"

Source: https://httpd.apache.org/docs/2.4/logs.html; RFC 9111 for what a cache may answer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from os import PathLike

from cachelab.lab.keys.key_trace import KeyTrace
from cachelab.lab.keys.line_reader import open_lines

__all__ = ["looks_like_log", "read_access_log"]

METHODS = {"GET", "HEAD"}
STATUSES = {"200", "206", "304"}
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SECONDS = {f":{second:02}": second for second in range(61)}  # 60 is a leap second
EXPECTED = (
    'an access log has lines like 192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 2326, '
    "and a CSV file is read with lab.read_trace"
)

# The quantifiers are possessive (`++`, `*+`): without backtracking the time is linear in the length of the line.
LINE = re.compile(r'\S++ [^\[]*+\[([^\]]*+)\] "((?:[^"\\]++|\\.)*+)" (\d{3}) (\d{1,18}|-)(?: |$)', re.ASCII)
TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)


def read_access_log(path: str | PathLike[str], *, query: bool = False) -> KeyTrace:
    """Read an access log, plain or gzip, in the Common or the Combined Log Format.

    A request is a GET or a HEAD that was answered with 200, 206 (a part of the content) or 304 (the client's copy is
    still valid). Lines with other methods or statuses, or without a proper request, are counted as `left_out`. The key
    is the path, with its query string only if `query` is true. `times_s` has the resolution of the log, a second.
    `sizes` are the bytes that were sent: 0 for a 304 or a HEAD.

    Raises OSError if there is no such file, and ValueError if no line of it is a request.
    """
    keys: list[str] = []
    times: list[float] = []
    sizes: list[int] = []
    left_out = 0
    known: dict[str, str] = {}
    with open_lines(path) as lines:
        for number, line in lines:
            match = LINE.match(line)
            if match is None:
                lines.reject(number, line, "not in the Common or the Combined Log Format")
                continue
            when, request, status, size = match.groups()
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
                keys.append(known.setdefault(key, key))
                times.append(time)
                sizes.append(0 if size == "-" else int(size))
            else:
                left_out += 1
        return lines.key_trace(keys, times, sizes, left_out, expected=EXPECTED)


def looks_like_log(line: str) -> bool:
    """Whether this is a line of an access log."""
    return LINE.match(line) is not None


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
