"""Make the access log of a small site that does not exist, to try the reader and the policies on.

The log covers three days. Articles are requested by Zipf's law, the newest most often; there are new ones every day, so
the hot set moves. There are requests for images, scripts and style sheets, searches, comments, and pages that do not
exist. At night a crawler reads the old articles, each once. Five lines are broken. The addresses are among those that
RFC 5737 reserves for examples.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from itertools import accumulate
from os import PathLike
from pathlib import Path
from random import Random

from cachelab.lab.traffic.workload import zipf_popularity

__all__ = ["make_access_log"]

DAYS = 3
MIN_LINES = 1_000  # with fewer there would be hours without a line
VISITS = [4, 3, 2, 2, 2, 3, 5, 8, 10, 11, 11, 11, 10, 10, 11, 11, 11, 11, 12, 14, 16, 15, 12, 8]
"""The visitors' share of the requests in each hour of the day, in relation to the other hours."""
NIGHT, CRAWL = {2, 3}, 20
"""The hours in which the crawler comes, and its share of the requests in such an hour, in the same unit."""
SITE_CSS, SITE_JS, LOGO = "/static/site.css", "/static/site.js", "/static/logo.svg"
MISSING = ["/favicon.png", "/old-page", "/wp-login.php", "/.env"]
BROWSERS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
]
BROKEN = [
    "192.0.2.17 - - [03/Mar/2025:09:",
    "\x16\x03\x01\x02",
    '192.0.2.80 - - [00/Mrz/2025:12:00:00 +0000] "GET / HTTP/1.1" 200 5120 "-" "-"',
    "logrotate: error: disk full",
    '192.0.2.44 - - [05/Mar/2025:18:30:01 +0000] "GET /articles/1',
]


def make_access_log(path: str | PathLike[str], requests: int = 100_000, *, seed: int = 1) -> Path:
    """Write a log of `requests` lines in the Combined Log Format, as gzip if the name ends in .gz; return its path.

    The same seed gives the same text on every machine and Python version, and the same gzip file with the same zlib. An
    older file of that name is replaced. Raises ValueError for fewer than 1,000 lines, and OSError if the file cannot
    be written.
    """
    if requests < MIN_LINES:
        raise ValueError(f"A log of three days needs at least {MIN_LINES:,} lines, not {requests:,}.")
    path = Path(os.path.expanduser(path))  # noqa: PTH111  # the method of Path raises for a user who does not exist
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                packed.writelines(_lines_by_hour(requests, seed))
        else:
            file.writelines(_lines_by_hour(requests, seed))
    return path


def _lines_by_hour(requests: int, seed: int) -> Iterator[bytes]:
    """The lines of the log, those of an hour at a time."""
    rng = Random(seed)
    random = rng.random
    articles, old_articles = max(200, requests // 100), requests // 5
    ranks = iter(rng.choices(range(articles), cum_weights=[*accumulate(zipf_popularity(articles, 1.0))], k=requests))
    activity = DAYS * [visits + CRAWL * (hour in NIGHT) for hour, visits in enumerate(VISITS)]
    ends = [done * requests // sum(activity) for done in accumulate(activity)]
    broken = {requests * (2 * place + 1) // (2 * len(BROKEN)): line for place, line in enumerate(BROKEN)}
    crawled = start = 0
    for hours_before, end in enumerate(ends):
        day, hour = divmod(hours_before, 24)
        newest = old_articles + articles + day * (articles // 20)
        crawler_share = CRAWL / activity[hours_before] if hour in NIGHT else 0.0
        lines = []
        for number in range(start, end):
            minute, second = divmod((number - start) * 3_600 // (end - start), 60)
            when = f"{3 + day:02}/Mar/2025:{hour:02}:{minute:02}:{second:02} +0000"
            if random() < crawler_share:
                crawled += 1
                line = _line("203.0.113.9", when, "GET", f"/articles/{crawled}", 200, _size(crawled), "ExampleBot/1.0")
            else:
                network = "192.0.2" if random() < 0.5 else "198.51.100"
                host = int(random() ** 2 * 254)
                visit = _visit(random(), random(), newest - next(ranks))
                line = _line(f"{network}.{1 + host}", when, *visit, BROWSERS[host % len(BROWSERS)])
            lines.append(broken.get(number, line))
        start = end
        yield "".join(f"{line}\n" for line in lines).encode()


def _visit(kind: float, detail: float, article: int) -> tuple[str, str, int, int]:
    """Method, path, status and bytes of a visitor's request; `kind` and `detail` are two random numbers below 1."""
    if kind < 0.50:
        return ("HEAD", f"/articles/{article}", 200, 0) if detail < 0.01 else _page(f"/articles/{article}", article)
    if kind < 0.65:
        return _page(f"/images/{article}.jpg", 3 * article)
    if kind < 0.82:
        file = SITE_CSS if detail < 0.4 else SITE_JS if detail < 0.7 else LOGO
        return ("GET", file, 304, 0) if detail * 10 % 1 < 0.5 else _page(file, len(file))
    if kind < 0.90:
        return _page("/", 0)
    if kind < 0.94:
        return _page(f"/search?q=word{int(detail**3 * 500)}&page=1", 7)
    if kind < 0.97:
        return "POST", f"/articles/{article}/comments", 303, 0
    return "GET", MISSING[int(detail * len(MISSING))], 404, 196


def _page(path: str, number: int) -> tuple[str, str, int, int]:
    return "GET", path, 200, _size(number)


def _size(number: int) -> int:
    """The size of a page, 2,000 to 50,000 bytes; a page has the same size at any time."""
    return 2_000 + number * 7_919 % 48_001


def _line(host: str, when: str, method: str, path: str, status: int, size: int, agent: str) -> str:
    return f'{host} - - [{when}] "{method} {path} HTTP/1.1" {status} {size or "-"} "-" "{agent}"'
