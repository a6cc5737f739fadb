"""Visits: requests that come to several workers at times decided beforehand, and what each of them got.

A monitoring system asks each worker for its metrics meanwhile. What it could reckon from them are the `Numbers` of each
window of time: rates and ratios of all workers together.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cachelab.lab.traffic.workload import Request
from cachelab.lab.web_app.serving import Answer, Worker

__all__ = ["Numbers", "Visit", "Watch", "read_metrics", "visit", "watch"]

Totals = Counter[tuple[str, ...]]
LINE = re.compile(r'(\w+)\{cache="(\w+)",\w+="([\w ]+)"(?:,\w+="\w+")?\} (\S+)')


class Visit(NamedTuple):
    """A request and its answer: when it came, to which worker, for which user, the answer and how long it took."""

    when: float
    worker: int
    user_id: int
    write: bool
    answer: Answer
    latency_s: float


class Numbers(NamedTuple):
    """What is to be seen of one window of time. Ratios are from 0 to 1; those of nothing are 1, and means are 0.

    `when`                the end of the window, in seconds from the first request
    `up_s`                how many seconds the workers had been up then
    `memory_hits`         the share of the gets of the cache "memory" that were answered from it, fresh or stale
    `redis_hits`          the same of the cache "redis"
    `loads_per_s`         loads from the database
    `load_s`              the mean time of the loads that ended
    `stale_per_s`         answers that were stale
    `stale_age_s`         for how long stale answers had not been fresh, the mean
    `store_errors_per_s`  calls of Redis that failed
    `p99_s`               the latency that 1 % of the requests that ended exceeded
    `errors_per_s`        answers with a status of 500 or more
    """

    when: float
    up_s: float
    memory_hits: float
    redis_hits: float
    loads_per_s: float
    load_s: float
    stale_per_s: float
    stale_age_s: float
    store_errors_per_s: float
    p99_s: float
    errors_per_s: float


@dataclass(frozen=True)
class Watch:
    """What `watch` saw: each visit in order of its end, and the numbers of each window."""

    visits: list[Visit]
    numbers: list[Numbers]

    @property
    def errors(self) -> int:
        """How many answers had a status of 500 or more."""
        return _errors(self.visits)

    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ if any answer, time or number differs."""
        return sha256(repr((self.visits, self.numbers)).encode()).hexdigest()[:16]


async def visit(workers: Sequence[Worker], requests: Iterable[Request]) -> list[Visit]:
    """Send each request at its time to its worker (its node), and return what they got, in order of their ends.

    A write gives the user a new address: `v1@example.com` is that of the first write.
    """
    visits: list[Visit] = []
    await _send_all(workers, requests, visits)
    return visits


async def watch(
    workers: Sequence[Worker], requests: Sequence[Request], *, up_since: float = 0.0, window_s: float = 2.0
) -> Watch:
    """As `visit`, and reckon `Numbers` from the metrics of the workers, for each window of `window_s` seconds."""
    loop, seen = asyncio.get_running_loop(), Watch([], [])
    began = loop.time()

    async def look() -> None:
        before, first = await _totals(workers), 0
        while True:
            await asyncio.sleep(window_s)
            after, end = await _totals(workers), loop.time()
            visits, first = seen.visits[first:], len(seen.visits)
            seen.numbers.append(_numbers(after - before, visits, window_s, end - began, end - up_since))
            before = after

    looking = asyncio.create_task(look())
    await _send_all(workers, requests, seen.visits)
    looking.cancel()
    return seen


def read_metrics(text: str) -> Totals:
    """The totals in what `PrometheusMetrics` wrote, by metric, cache and the label that follows, added up."""
    totals: Totals = Counter()
    for metric, cache, label, total in LINE.findall(text):
        totals[metric.removeprefix("cachelab_").removesuffix("_total"), cache, label] += float(total)  # type: ignore[assignment]
    return totals


async def _totals(workers: Sequence[Worker]) -> Totals:
    totals: Totals = Counter()
    for worker in workers:
        totals.update(read_metrics((await worker.get("/metrics")).body.decode()))
    return totals


async def _send_all(workers: Sequence[Worker], requests: Iterable[Request], visits: list[Visit]) -> None:
    loop, writes = asyncio.get_running_loop(), 0
    began, tasks = loop.time(), []

    async def send(request: Request, email: str) -> None:
        sent, worker, path = loop.time(), workers[request.node], f"/users/{request.key}"
        answer = await (worker.put(path, {"email": email}) if request.write else worker.get(path))
        took = loop.time() - sent
        visits.append(Visit(request.when, request.node, request.key, request.write, answer, round(took, 6)))

    for request in requests:
        await asyncio.sleep(began + request.when - loop.time())
        writes += request.write
        tasks.append(asyncio.create_task(send(request, f"v{writes}@example.com")))
    await asyncio.gather(*tasks)


def _errors(visits: list[Visit]) -> int:
    return sum(visit.answer.status >= 500 for visit in visits)


def _numbers(totals: Totals, visits: list[Visit], seconds: float, when: float, up_s: float) -> Numbers:
    stale, loads = totals["gets", "memory", "stale"], totals["facts", "redis", "loaded"]
    latencies = sorted(each.latency_s for each in visits) or [0.0]
    return Numbers(
        when=round(when, 3),
        up_s=round(up_s, 3),
        memory_hits=_hits(totals, "memory"),
        redis_hits=_hits(totals, "redis"),
        loads_per_s=totals["facts", "redis", "load"] / seconds,
        load_s=totals["load_seconds", "redis", "loaded"] / loads if loads else 0.0,
        stale_per_s=stale / seconds,
        stale_age_s=totals["stale_seconds", "memory", "stale"] / stale if stale else 0.0,
        store_errors_per_s=totals["facts", "redis", "store error"] / seconds,
        p99_s=latencies[int(0.99 * (len(latencies) - 1))],
        errors_per_s=_errors(visits) / seconds,
    )


def _hits(totals: Totals, cache: str) -> float:
    gets = {outcome: totals["gets", cache, outcome] for outcome in ("hit", "stale", "miss", "collapsed")}
    answered = gets["hit"] + gets["stale"]
    return answered / sum(gets.values()) if any(gets.values()) else 1.0
