"""Make the access log of a small site that does not exist, to try a reader and the policies on.

Three days of it: articles by Zipf's law, the newest the most popular, and new ones every day, so that the hot set
moves; what a page needs besides; searches, comments, pages that are not there; a crawler that reads the old articles
at night, each once; and five broken lines. Addresses are those that RFC 5737 sets aside for examples.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import accumulate
from os import PathLike
from pathlib import Path
from random import Random

from cachelab.lab.traffic.workload import zipf_popularity

__all__ = ["make_access_log"]

DAYS = 3
LEAST = 1_000  # lines; with fewer there would be hours without any
HOURS = [4, 3, 2, 2, 2, 3, 5, 8, 10, 11, 11, 11, 10, 10, 11, 11, 11, 11, 12, 14, 16, 15, 12, 8]
"""How busy the visitors are in each hour of the day."""
NIGHT, CRAWL = {2, 3}, 20
"""The hours in which the crawler is there, and how busy it is."""
SITE_CSS, SITE_JS, LOGO = "/static/site.css", "/static/site.js", "/static/logo.svg"
NOT_THERE = ["/favicon.png", "/old-page", "/wp-login.php", "/.env"]
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

    The same seed gives the same text on every machine and Python version, and the same gzip wherever zlib is the same.
    An older file of that name is replaced. Raises ValueError for fewer than 1,000 lines, OSError if it can not write.
    """
    if requests < LEAST:
        raise ValueError(f"A log of three days needs at least {LEAST:,} lines, not {requests:,}.")
    path = Path(path)
    with path.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                packed.writelines(_hours(requests, seed))
        else:
            file.writelines(_hours(requests, seed))
    return path


def _hours(requests: int, seed: int) -> Iterator[bytes]:
    """The lines of each hour."""
    rng = Random(seed)
    random = rng.random
    articles, old = max(200, requests // 100), requests // 5
    ranks = iter(rng.choices(range(articles), cum_weights=[*accumulate(zipf_popularity(articles, 1.0))], k=requests))
    busy = DAYS * [visits + CRAWL * (hour in NIGHT) for hour, visits in enumerate(HOURS)]
    ends = [done * requests // sum(busy) for done in accumulate(busy)]
    broken = {requests * (2 * place + 1) // (2 * len(BROKEN)): line for place, line in enumerate(BROKEN)}
    crawled = number = 0
    for at, end in enumerate(ends):
        day, hour = divmod(at, 24)
        newest = old + articles + day * (articles // 20)
        crawlers = CRAWL / busy[at] if hour in NIGHT else 0.0
        lines = []
        first, count = number, end - number
        for number in range(first, end):
            minute, second = divmod((number - first) * 3_600 // count, 60)
            when = f"{3 + day:02}/Mar/2025:{hour:02}:{minute:02}:{second:02} +0000"
            if random() < crawlers:
                crawled += 1
                line = _line("203.0.113.9", when, "GET", f"/articles/{crawled}", 200, _size(crawled), "ExampleBot/1.0")
            else:
                network = "192.0.2" if random() < 0.5 else "198.51.100"
                host = int(random() ** 2 * 254)
                asked = _visit(random(), random(), newest - next(ranks))
                line = _line(f"{network}.{1 + host}", when, *asked, BROWSERS[host % len(BROWSERS)])
            lines.append(broken.get(number, line))
        number = end
        yield "".join(f"{line}\n" for line in lines).encode()


def _visit(kind: float, detail: float, article: int) -> tuple[str, str, int, int]:
    """Method, path, status and bytes of what a visitor asks for; `kind` and `detail` are two random numbers below 1."""
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
    return "GET", NOT_THERE[int(detail * len(NOT_THERE))], 404, 196


def _page(path: str, number: int) -> tuple[str, str, int, int]:
    return "GET", path, 200, _size(number)


def _size(number: int) -> int:
    """2,000 to 50,000 bytes, the same for the same page at any time."""
    return 2_000 + number * 7_919 % 48_001


def _line(host: str, when: str, method: str, path: str, status: int, size: int, agent: str) -> str:
    return f'{host} - - [{when}] "{method} {path} HTTP/1.1" {status} {size or "-"} "-" "{agent}"'
