"""Play a workload against a cache, or against anything that can be called with a key, and write down what happened.

Every request is a task of its own that starts at its own time, answered or not the one before: an open loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from cachelab.cache import Cache
from cachelab.entry import ABSENT
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.listeners import RequestEvents, current_request
from cachelab.lab.traffic.replay_result import ReplayResult, Row
from cachelab.lab.traffic.workload import Request, Workload

__all__ = ["replay"]

Get: TypeAlias = Callable[[int], Awaitable[Any]]


async def replay(
    workload: Workload | Iterable[Request],
    get: Get | Cache[int, Any] | Sequence[Get | Cache[int, Any]],
    *,
    db: SlowDatabase | None = None,
    write: Get | None = None,
) -> ReplayResult:
    """Send every request at its time and return the trace once all are answered.

    `get`    what answers a read: a Cache or an async function of the key; a list of them, one for each node
    `db`     the origin: its queries go into the trace, and answers are scored by how long they were out of date
    `write`  what does a write, an async function of the key; by default `db.update_user`, which tells no cache

    An answer that raises is a row with the result "error". Raises ValueError if the nodes do not match the list.
    """
    requests = workload.requests() if isinstance(workload, Workload) else sorted(workload)
    answers = [one.get if isinstance(one, Cache) else one for one in (get if isinstance(get, Sequence) else [get])]
    if not requests:
        raise ValueError("The workload has no requests: give it more seconds or a higher rate.")
    if len(answers) <= max(request.node for request in requests):
        raise ValueError(f"The workload has more nodes than the {len(answers)} given to replay: one `get` per node.")
    if write is None and db is not None:
        write = db.update_user
    if write is None and any(request.write for request in requests):
        raise ValueError("The workload has writes: say what does them with write=, or give replay the database as db=.")

    loop = asyncio.get_running_loop()
    start = loop.time()
    queries_before = len(db.queries) if db else 0
    rows: list[Row | None] = [None] * len(requests)
    running: dict[int, asyncio.Task[None]] = {}  # a loop alone holds its tasks only weakly
    all_answered = loop.create_future()
    left = len(requests)

    async def serve(number: int, request: Request) -> None:
        nonlocal left
        seen = RequestEvents(number)
        current_request.set(seen)
        began = loop.time()
        value, error = None, ""
        try:
            value = await (write(request.key) if request.write and write else answers[request.node](request.key))
        except (Exception, asyncio.CancelledError) as raised:  # a shared load may pass a cancellation on
            error = type(raised).__name__
        ended = loop.time()
        record = seen.records[-1] if seen.records else None  # the last to tell is the one the caller asked
        guess = "miss" if seen.queries or error else "hit"
        commit = None if request.write else getattr(value, "commit", None)
        rows[number] = Row(
            when=began - start,
            node=request.node,
            key=request.key,
            op="write" if request.write else "read",
            cache=record.cache if record else "",
            outcome="" if request.write else record.outcome if record else guess,
            result="error" if error else "absent" if value is ABSENT else "value",
            latency_s=round(ended - began, 9),  # what the clock adds in the 12th place is nobody's latency
            version=commit,
            stale_s=db.stale_s(request.key, commit, ended) if db and commit is not None else 0.0,
            error=error,
        )
        del running[number]
        left -= 1
        if not left:
            all_answered.set_result(None)

    def arrive(number: int) -> None:
        running[number] = loop.create_task(serve(number, requests[number]))
        if number + 1 < len(requests):
            loop.call_at(start + requests[number + 1].when, arrive, number + 1)

    loop.call_at(start + requests[0].when, arrive, 0)
    await all_answered
    return ReplayResult(
        rows=[row for row in rows if row is not None],
        queries=db.queries[queries_before:] if db else [],
        seconds=workload.seconds if isinstance(workload, Workload) else requests[-1].when,
        start=start,
        capacity=db.capacity if db else None,
    )
