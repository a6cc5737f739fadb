"""Read a log in the Extended Log File Format of the W3C, as IIS and CloudFront write it.

A line that begins with `#Fields:` names the fields of the lines below it, up to the next such line:

    #Fields: date time cs-method cs-uri-stem cs-uri-query sc-status sc-bytes cs-host
    2000-10-10 20:55:36 GET /page id=1 200 2326 www.example.com

Source: https://www.w3.org/TR/WD-logfile.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from cachelab.lab.keys.key_trace import KeyTrace
from cachelab.lab.keys.line_reader import LineReader

__all__ = ["DIRECTIVE", "METHODS", "STATUSES", "read_extended"]

METHODS = {"GET", "HEAD"}
STATUSES = {"200", "206", "304"}
DIRECTIVE = re.compile(r"#(?:Version|Fields|Software|Start-Date|End-Date|Date|Remark):")
NEEDED = ["cs-method", "cs-uri-stem", "sc-status"]
HOSTS = ["x-host-header", "cs-host", "cs(Host)", "s-sitename"]
"""The fields that tell sites apart. The first of them that a log has is part of the key."""


def read_extended(lines: LineReader, numbered: Iterable[tuple[int, str]], query: bool) -> KeyTrace:
    """The trace of such a log. It has times, or sizes, only if all of its lines have them."""
    keys: list[str] = []
    times: list[float] = []
    sizes: list[int] = []
    left_out = 0
    timed = sized = True
    known: dict[str, str] = {}
    names: list[str] = []
    for number, line in numbered:
        if line.startswith("#") and DIRECTIVE.match(line):
            if line.startswith("#Fields:"):
                names = line.removeprefix("#Fields:").split()
                timed = timed and {"date", "time"} <= set(names)
                sized = sized and "sc-bytes" in names
            continue
        try:
            record = _record(line, names)
            seconds = _seconds(f"{record['date']}T{record['time']}") if timed else 0.0
            size = _size(record["sc-bytes"]) if sized else 0
        except ValueError as error:
            lines.reject(number, line, str(error))
            continue
        path = record["cs-uri-stem"]
        if record["cs-method"] not in METHODS or record["sc-status"] not in STATUSES or path in {"", "-"}:
            left_out += 1
            continue
        key = next((record[name] for name in HOSTS if record.get(name, "-") != "-"), "") + path
        if query and record.get("cs-uri-query", "-") != "-":
            key += f"?{record['cs-uri-query']}"
        keys.append(known.setdefault(key, key))
        times.append(seconds)
        sizes.append(size)
    expected = "the lines below a line like #Fields: date time cs-method cs-uri-stem sc-status have these fields"
    return lines.key_trace(keys, times if timed else None, sizes if sized else None, left_out, expected=expected)


def _record(line: str, names: list[str]) -> dict[str, str]:
    if not names:
        raise ValueError("no #Fields: before it")
    values = line.split("\t" if "\t" in line else " ")
    if len(values) != len(names):
        raise ValueError(f"fields: {len(values)} where #Fields: has {len(names)}")
    record = dict(zip(names, values, strict=True))
    for name in NEEDED:
        if name not in record:
            raise ValueError(f"#Fields: has no {name}")
    return record


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError("its date and time are not like 2000-10-10 and 20:55:36") from None


def _size(text: str) -> int:
    if text == "-":
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ValueError("its sc-bytes is not a whole number of bytes")
    return int(text)
