"""Exercise 0.2: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cachelab import lab
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


async def open_loop(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock = asyncio.get_running_loop().time

    async def one(request: lab.Request) -> float:
        await asyncio.sleep(request.when - clock())
        start = clock()
        await db.fetch_user(request.key)
        return clock() - start

    return await asyncio.gather(*(one(request) for request in requests))


async def one_by_one(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock, latencies = asyncio.get_running_loop().time, []
    for request in requests:
        start = clock()
        await db.fetch_user(request.key)
        latencies.append(clock() - start)
    return latencies


async def all_at_once(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return await open_loop([request._replace(when=0.0) for request in requests], db)


async def service_time_only(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    await open_loop(requests, db)
    return [db.service_s for _ in requests]


async def on_the_wall_clock(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    async def one(request: lab.Request) -> float:
        await asyncio.sleep(request.when)
        start = time.perf_counter()
        await db.fetch_user(request.key)
        return time.perf_counter() - start

    return await asyncio.gather(*(one(request) for request in requests))


async def in_milliseconds(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return [1000 * seconds for seconds in await open_loop(requests, db)]


async def too_few(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return (await open_loop(requests, db))[:-1]


ANSWERS: list[tuple[Any, str]] = [
    (open_loop, "Correct."),
    (one_by_one, "coordinated omission"),
    (all_at_once, "You send all requests at once"),
    (service_time_only, "Start the watch when the user asks"),
    (on_the_wall_clock, "on the clock of the simulation"),
    (in_milliseconds, "the latencies are not those of the users"),
    (too_few, "one latency for each request"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("0.2", answer, words, capsys)


def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("0.2", ANSWERS, capsys)
