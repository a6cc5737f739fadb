"""Exercise 0.2: right answers, also unusual ones, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
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


# Right answers


async def by_replay(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return [row.latency_s for row in (await lab.replay(requests, db.fetch_user, db=db)).rows]


async def in_a_group(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    clock, latencies = asyncio.get_running_loop().time, np.zeros(len(requests))

    async def one(number: int, request: lab.Request) -> None:
        await asyncio.sleep(request.when)
        await db.fetch_user(request.key)
        latencies[number] = clock() - request.when

    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            group.create_task(one(number, request))
    return latencies


async def one_clock_for_all(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    """It waits between the requests, and not in their tasks."""
    clock, tasks = asyncio.get_running_loop().time, []

    async def one(key: int) -> float:
        start = clock()
        await db.fetch_user(key)
        return clock() - start

    for request in requests:
        await asyncio.sleep(request.when - clock())
        tasks.append(asyncio.create_task(one(request.key)))
    return tuple([await task for task in tasks])


async def by_callbacks(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[float]] = [loop.create_future() for _ in requests]

    def send(request: lab.Request, end: asyncio.Future[float]) -> None:
        task = asyncio.ensure_future(db.fetch_user(request.key))
        task.add_done_callback(lambda _: end.set_result(loop.time()))

    for request, end in zip(requests, ends, strict=True):
        loop.call_at(request.when, send, request, end)
    return [await end - request.when for request, end in zip(requests, ends, strict=True)]


# Wrong answers


async def stub(requests: list[lab.Request], db: lab.SlowDatabase) -> Any: ...


async def returns_nothing(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    await open_loop(requests, db)


async def one_returns_nothing(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    async def one(request: lab.Request) -> None:
        await asyncio.sleep(request.when)
        await db.fetch_user(request.key)

    return await asyncio.gather(*(one(request) for request in requests))


async def forgets_the_await(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    return asyncio.gather(*(db.fetch_user(request.key) for request in requests))


def is_plain(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    return [0.05 for _ in requests]


async def has_a_typo(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    tasks = [asyncio.create_task(db.fetch_usr(request.key)) for request in requests]  # type: ignore[attr-defined]
    return await asyncio.gather(*tasks)


async def has_a_typo_in_a_task(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    latencies: list[float] = []

    async def one(request: lab.Request) -> None:
        await asyncio.sleep(request.wen)  # type: ignore[attr-defined]
        latencies.append(0.05)

    tasks = [asyncio.create_task(one(request)) for request in requests]
    await asyncio.sleep(10)
    return latencies if tasks else None


async def sends_nothing(requests: list[lab.Request], db: lab.SlowDatabase) -> Any:
    return [0.05 for _ in requests]


async def sends_twice(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    await open_loop(requests[:3], db)
    return await open_loop(requests, db)


async def always_the_same_user(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return await open_loop([request._replace(key=1) for request in requests], db)


async def in_steady_steps(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return await open_loop([request._replace(when=number / 120) for number, request in enumerate(requests)], db)


async def in_order_of_the_answers(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock, latencies = asyncio.get_running_loop().time, []

    async def one(request: lab.Request) -> None:
        await asyncio.sleep(request.when)
        await db.fetch_user(request.key)
        latencies.append(clock() - request.when)

    await asyncio.gather(*(one(request) for request in requests))
    return latencies


async def reads_the_clock_at_once(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock = asyncio.get_running_loop().time

    async def one(request: lab.Request) -> float:
        await asyncio.sleep(request.when)
        start = clock()
        query = asyncio.create_task(db.fetch_user(request.key))
        latency = clock() - start
        await query
        return latency

    return await asyncio.gather(*(one(request) for request in requests))


async def moments_of_the_answers(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return [request.when + s for request, s in zip(requests, await open_loop(requests, db), strict=True)]


async def no_numbers(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return [float("nan") for _ in await open_loop(requests, db)]


ANSWERS: list[tuple[Any, str]] = [
    (open_loop, "Correct."),
    (by_replay, "Correct."),
    (in_a_group, "Correct."),
    (one_clock_for_all, "Correct."),
    (by_callbacks, "Correct."),
    (..., "Nothing to check yet"),
    (stub, "Nothing to check yet"),
    (returns_nothing, "measure returns None: is a return missing?"),
    (one_returns_nothing, "yours has NoneType: is a return missing?"),
    (forgets_the_await, "an await is missing"),
    (is_plain, "measure has to be async"),
    (has_a_typo, "Your code raised AttributeError: 'SlowDatabase' object has no attribute 'fetch_usr', at line"),
    (has_a_typo_in_a_task, "no attribute 'wen', at line"),
    (sends_nothing, "No request reaches the database"),
    (sends_twice, "Each request has to be sent, and once"),
    (always_the_same_user, "Each request asks for a user of its own"),
    (in_steady_steps, "The requests go out at other times"),
    (in_order_of_the_answers, "in another order. Give them in the order of the requests"),
    (reads_the_clock_at_once, "Each latency is 0"),
    (moments_of_the_answers, "the latencies are not those of the users"),
    (no_numbers, "the latencies are not those of the users"),
    (one_by_one, "coordinated omission"),
    (all_at_once, "You send all requests at once"),
    (service_time_only, "A latency begins when the request is due"),
    (on_the_wall_clock, "on the clock of the simulation"),
    (in_milliseconds, "These are milliseconds"),
    (too_few, "one latency for each request"),
]


@each_answer(ANSWERS)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("0.2", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("0.2", ANSWERS, capsys)
