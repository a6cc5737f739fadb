"""Read a web server's access log: what would a cache in front of the site have been asked?

Both formats that Apache and nginx write by default, the Common and the Combined Log Format:

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
SECONDS = {f":{second:02}": second for second in range(61)}  # now and then there is a leap second
EXPECTED = (
    'an access log has lines like 192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 2326, '
    "and a CSV file is read with lab.read_trace"
)

# No part gives back what it took (`++`, `*+`), so that no line takes longer than its length.
LINE = re.compile(r'\S++ [^\[]*+\[([^\]]*+)\] "((?:[^"\\]++|\\.)*+)" (\d{3}) (\d{1,18}|-)(?: |$)', re.ASCII)
TIME = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)


def read_access_log(path: str | PathLike[str], *, query: bool = False) -> KeyTrace:
    """Read an access log, plain or gzip, in the Common or the Combined Log Format.

    A request is a GET or a HEAD that was answered with 200, 206 (a part of it) or 304 (the client's copy is still
    good). Other methods and statuses, and requests that are none, are counted as `left_out`. The key is the path,
    without its query string unless `query`. `times_s` has the log's resolution, a second. `sizes` are the bytes that
    were sent: 0 for a 304 or a HEAD.

    Raises OSError without such a file, ValueError if no line of it is a request.
    """
    keys: list[str] = []
    times: list[float] = []
    sizes: list[int] = []
    left_out = 0
    known: dict[str, str] = {}
    with open_lines(path) as lines:
        for number, line in lines:
            found = LINE.match(line)
            if found is None:
                lines.reject(number, line, "not in the Common or the Combined Log Format")
                continue
            when, request, status, size = found.groups()
            try:
                time = _minute(when[:17] + when[20:]) + SECONDS[when[17:20]]
            except (KeyError, ValueError):
                lines.reject(number, line, "its time is not like [10/Oct/2000:13:55:36 -0700]")
                continue
            method, _, target = request.partition(" ")
            before, http, _ = target.rpartition(" HTTP/")
            target = before if http else target
            key = target if query else target.partition("?")[0]
            if method in METHODS and status in STATUSES and key:
                keys.append(known.setdefault(key, key))
                times.append(time)
                sizes.append(0 if size == "-" else int(size))
            else:
                left_out += 1
        return lines.key_trace(keys, times, sizes, left_out, expected=EXPECTED)


def looks_like_log(line: str) -> bool:
    """Whether a line is one of an access log."""
    return LINE.match(line) is not None


@lru_cache(maxsize=1_024)  # a log is nearly in order, and a minute has many lines
def _minute(text: str) -> float:
    """Seconds since 1970 at the start of the minute "10/Oct/2000:13:55 -0700". Raises ValueError if it is none."""
    found = TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, month, year, hour, minute, sign, hours, minutes = found.groups()
    offset = (int(hours) * 3_600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
    at = datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    return at.timestamp() - offset
