"""Processes that share one load through a lease in a real Redis, and of which some are killed while they load.

    rounds = await lab.leased_pods(redis, lease_s=1.0, kills=[None, 0.1, 0.2])

A process that is killed gets SIGKILL (on Windows it is terminated): it can release nothing, and nobody is told.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from cachelab.lab.real_redis.connect import FoundRedis
from cachelab.lab.real_redis.leased_process import CALLERS, loads_list
from cachelab.lab.real_redis.pods import TIMEOUT_S, Pod, PodFailed, in_a_thread, need_a_shared_redis

__all__ = ["LeasedRound", "leased_pods"]

PATIENCE_S = 20.0  # for a load to begin, on a machine that is busy


@dataclass(frozen=True)
class LeasedRound:
    """What happened to one key that all processes asked for at once.

    `killed_after`  so many seconds after its load had begun a process was killed; None if none was
    `loads`         the loads of all processes together
    `answers`       how many callers were answered, and `values` the different values that they got
    `longest_wait`  how long the slowest process took to answer its callers, in seconds
    `errors`        the errors of Redis in the processes that were not killed
    """

    killed_after: float | None
    loads: int
    answers: int
    values: list[str]
    longest_wait: float
    errors: int


async def leased_pods(
    redis: FoundRedis,
    *,
    lease_s: float | None,
    kills: Sequence[float | None] = (None,),
    processes: int = 4,
    load_s: float = 0.3,
) -> list[LeasedRound]:
    """Let 50 callers in each of several processes ask for a key that is not there, once for each of `kills`.

    `lease_s`    the lease of the processes' `LeasedStore`; with None they have a `RedisStore`
    `kills`      for each round, so many seconds after the first load of its key has begun, kill the process that loads;
                 None kills none. For each death one process more is started, so that each round has `processes`.
    `load_s`     how many seconds a load takes

    Raises `RedisNotUsable` if processes cannot share this Redis, and `PodFailed` if one ends that was not killed, or if
    no load begins.
    """
    need_a_shared_redis(redis)
    namespace = f"{redis.prefix}{'plain' if lease_s is None else 'leased'}.{time.time_ns()}"
    job = {"url": redis._url, "timeout_s": TIMEOUT_S, "is_cluster": redis.kind == "cluster", "namespace": namespace}
    order = json.dumps(job | {"lease_s": lease_s, "load_s": load_s})
    client = redis.client()
    count = processes + sum(kill is not None for kill in kills)
    with ExitStack() as stack:
        pods = [stack.enter_context(Pod(number, "real_redis.leased_process")) for number in range(count)]
        alive = await in_a_thread(_started, pods, order)
        rounds = []
        for key, kill in enumerate(kills):
            asked = dict(list(alive.items())[:processes])
            for pod in asked.values():
                pod.send(str(key))
            if kill is not None:
                holder = await _first_to_load(client, loads_list(namespace, key))
                await asyncio.sleep(kill)
                asked.pop(holder).kill()
                del alive[holder]
            reports = await in_a_thread(_reports, list(asked.values()))
            loads = int(await client.llen(loads_list(namespace, key)))
            rounds.append(_round(kill, loads, reports))
        return rounds


def _round(kill: float | None, loads: int, reports: list[dict[str, Any]]) -> LeasedRound:
    return LeasedRound(
        kill,
        loads,
        CALLERS * len(reports),
        sorted({value for report in reports for value in report["values"]}),
        max(report["seconds"] for report in reports),
        sum(report["errors"] for report in reports),
    )


def _started(pods: list[Pod], order: str) -> dict[int, Pod]:
    """The pods by their process ids, when all are ready."""
    for pod in pods:
        pod.send(order)
    return {int(pod.receive()): pod for pod in pods}


def _reports(pods: list[Pod]) -> list[dict[str, Any]]:
    return [json.loads(pod.receive()) for pod in pods]


async def _first_to_load(client: Any, name: str) -> int:
    """The process id of the first that loads, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while not (noted := await client.lindex(name, 0)):
        if time.monotonic() > deadline:
            raise PodFailed("None of the processes has begun a load.")
        await asyncio.sleep(0.005)
    return int(noted)
