"""Exercise 7.1: a rate limiter that can lock a user out for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.sim.fake_redis import FakeRedis
from cachelab.lab.text import evidence_table

__all__ = ["EXERCISE"]

TEN_CALLS = [0.01 * n for n in range(10)]
STEP_MS = 0.5
"""A pod is killed at moments that are so far apart. A packet takes as long to arrive, and so does its reply."""
BEFORE_THE_END_MS = [-1.2, -0.8, -0.4, 0.0, 0.4, 0.8]
"""How long before the end of a window a second call begins, in milliseconds; below 0 it begins after the end."""


async def _answers(allow: Any, client: Any, user: str, moments: list[float]) -> list[bool]:
    """Whether `allow` lets `user` through at each moment, in seconds from now."""
    loop = asyncio.get_running_loop()
    start, answers = loop.time(), []
    for moment in moments:
        await asyncio.sleep(start + moment - loop.time())
        answers.append(bool(await awaited("allow", allow(client, user))))
    return answers


async def _check_limit(allow: Any) -> float:
    """It is a rate limiter: 10 calls in 60 s, for each user. Returns how many seconds a call takes."""
    client, loop = FakeRedis().client(), asyncio.get_running_loop()
    answers = await _answers(allow, client, "ana", [0.1 * n for n in range(12)])
    if answers != [True] * 10 + [False] * 2:
        evidence = f"12 calls within a second: {' '.join('yes' if allowed else 'no' for allowed in answers)}"
        raise Wrong("The first 10 calls of a minute are allowed, the 11th is not.", evidence)
    start = loop.time()
    allowed = await allow(client, "ben")
    call_s = loop.time() - start
    if not allowed:
        raise Wrong("Each user has a counter of their own.", "ana has used her 10 calls; ben's first call: no")
    await _check_that_all_ends(client)
    silent = await _answers(allow, client, "liz", [*TEN_CALLS, 60.5])
    if not silent[-1]:
        words = "The 60 s begin with the first call, and the next call after them begins new ones: yours are longer."
        raise Wrong(words, "10 calls at once, and none for a minute; the call after 60.5 s: no")
    steady = await _answers(allow, client, "eva", [8.0 * n for n in range(30)])
    if not all(steady):
        words = "Eight calls a minute are never too many. If each call makes the 60 s longer, they never end."
        raise Wrong(words, f"a call every 8 s for 4 minutes: call {steady.index(False) + 1} is refused")
    await asyncio.sleep(60 - loop.time() % 60 + 30)  # half past a minute
    early = (await _answers(allow, client, "zoe", [*TEN_CALLS, 31.0, 59.5]))[-2:]
    if any(early):
        words = "The 60 s begin with the first call. Yours are shorter, or begin by the clock."
        raise Wrong(words, f"10 calls at once; the call after {31 if early[0] else 59.5} s: yes")
    at_once = await asyncio.gather(*(allow(client, "kim") for _ in range(30)))
    if sum(map(bool, at_once)) != 10:
        words = "Between a GET and the SET after it, other calls read the same number. Let Redis count (INCR)."
        raise Wrong(words, f"30 calls at once: {sum(map(bool, at_once))} are allowed, not 10")
    return call_s


async def _check_that_all_ends(client: Any) -> None:
    """After calls that have all come to their end, each key in Redis has a TTL."""
    for name in sorted(await client.keys()):
        if await client.ttl(name) == -1:
            words = (
                "Even if no pod is killed, a counter is left without a TTL. It counts for ever, and stays in Redis if "
                "its user never comes back. A counter needs its TTL from its first call on."
            )
            raise Wrong(words, f"calls of ana and ben have ended; the key {name.decode()!r} has no TTL")


async def _answers_after_a_kill(allow: Any, after_ms: float) -> list[bool]:
    """The answers to 19 calls in the hours after a pod was killed during its first call."""
    redis = FakeRedis()
    client = redis.client("pod")
    await client.ping()
    pod = asyncio.create_task(allow(client, "ana"))
    await asyncio.sleep(after_ms / 1_000)
    redis.kill("pod")
    pod.cancel()  # it may try again for ever
    await asyncio.gather(pod, return_exceptions=True)
    await asyncio.sleep(3_600)
    return await _answers(allow, redis.client(), "ana", [0.0] * 9 + [3_600.0] * 9 + [7_200.0])


async def _answers_across_the_end(allow: Any, second_s: float) -> list[bool]:
    """A first call, a second one after `second_s`, as the window ends, and then the answers to 19 calls in 3 hours."""
    client = FakeRedis().client()
    hours = [3_600.0] * 9 + [7_200.0] * 9 + [10_800.0]
    return (await _answers(allow, client, "ana", [0.0, second_s, *hours]))[2:]


def _examine(allow: Any) -> str:
    """Try the limit, then kill a pod at several moments of a call, then let a window end during a call."""
    if allow is ...:
        raise NotYet("write the name of your function in place of the ...")
    call_s = run_experiment(_check_limit, allow)
    kills_ms = [0.2 + STEP_MS * n for n in range(min(int(call_s * 1_000 / STEP_MS) + 2, 40))]
    rows: list[list[object]] = []
    for after_ms in kills_ms:
        refused = run_experiment(_answers_after_a_kill, allow, after_ms).count(False)
        outcome = "-" if not refused else f"{refused} of 19 calls in the next three hours are refused"
        rows.append([f"{after_ms:.1f} ms", outcome])
        if refused:
            words = (
                "A pod that is killed between your two commands leaves a counter without a TTL. It counts for ever, "
                "and its user is locked out. The counter must never be there without its TTL."
            )
            raise Wrong(words, evidence_table(["killed after", "then"], rows, wrong_row=len(rows) - 1))
    for before_ms in BEFORE_THE_END_MS:
        second_s = 60 - before_ms / 1_000
        refused = run_experiment(_answers_across_the_end, allow, second_s).count(False)
        if refused:
            words = (
                "Between your two commands the counter can expire. The second command then makes a new one, which has "
                "no TTL. Let both happen at once."
            )
            raise Wrong(
                words, f"a second call {second_s:.4f} s after the first; then {refused} of 19 calls are refused"
            )
    return f"It counts, it forgets, and a pod may be killed at any of {len(kills_ms)} moments."


EXERCISE = Exercise(
    _examine,
    [
        "When can the pod be killed? What is in Redis then, and what will ever remove it?",
        "Make the counter together with its TTL: SET name 0 EX 60 NX does nothing if it is there.",
        "pipe = client.pipeline(); pipe.set(name, 0, ex=60, nx=True); pipe.incr(name); _, n = await pipe.execute()",
    ],
)
