"""Play a workload against a cache, or against anything that can be called with a key, and record what happened.

Every request is a task of its own that starts at its own time, whether or not the one before is answered: an open loop.
Those who send them may lose patience and try again. Their attempts are then more than their requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeAlias

from cachelab.cache import Cache
from cachelab.entry import ABSENT, checked_count, checked_number
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
    patience_s: float | None = None,
    tries: int = 1,
) -> ReplayResult:
    """Send every request at its time, and return the result once all are answered.

    `get`    what answers a read: a Cache or an async function of the key; a list has one for each node
    `db`     the origin: its queries become part of the result, and answers are scored by how long they were out of date
    `write`  what does a write: an async function of the key, by default `db.update_user`, which no cache learns of
    `patience_s`  after so many seconds without an answer a reader cancels its attempt; with None it waits
    `tries`  how many attempts a reader has: after one that failed or took too long, it makes the next one at once

    A request that raises becomes a row with the result "error". If a reader has lost patience with its last attempt,
    the error is "TimeoutError". A row's `latency_s` is the time from its first attempt to the end of its last. Raises
    ValueError if the workload has no requests, more nodes than the list, or writes for which there is neither `write`
    nor `db`; and unless `patience_s` is above 0, and `tries` a whole number of at least 1.
    """
    requests = workload.requests() if isinstance(workload, Workload) else sorted(workload)
    reads = [one.get if isinstance(one, Cache) else one for one in (get if isinstance(get, Sequence) else [get])]
    if write is None and db is not None:
        write = db.update_user
    _check(requests, len(reads), write)
    _check_readers(patience_s, tries)

    loop = asyncio.get_running_loop()
    start = loop.time()
    queries_before = len(db.queries) if db else 0
    rows: list[Row | None] = [None] * len(requests)
    attempts: list[float] = []
    refused: list[float] = []

    ask = _reader(patience_s, tries, lambda: attempts.append(loop.time() - start))

    async def serve(number: int, done: Callable[[int], None]) -> None:
        request = requests[number]
        events = RequestEvents(number, refused=refused)
        current_request.set(events)
        began = loop.time()
        value, error = None, ""
        try:
            value = await (write(request.key) if request.write and write else ask(reads[request.node], request.key))
        except (Exception, asyncio.CancelledError) as raised:
            error = type(raised).__name__
        rows[number] = _row(request, events, value, error, start=start, began=began, ended=loop.time(), db=db)
        done(number)

    await _open_loop([request.when for request in requests], serve)
    return ReplayResult(
        rows=[row for row in rows if row is not None],
        queries=db.queries[queries_before:] if db else [],
        seconds=workload.seconds if isinstance(workload, Workload) else requests[-1].when,
        start=start,
        capacity=db.capacity if db else None,
        attempts=attempts,
        refused=[when - start for when in refused],
    )


def _check(requests: Sequence[Request], nodes: int, write: Get | None) -> None:
    """Raise ValueError if these requests cannot be sent to so many nodes."""
    if not requests:
        raise ValueError("The workload has no requests: give it more seconds or a higher rate.")
    if nodes <= max(request.node for request in requests):
        raise ValueError(f"The workload has more nodes than the {nodes} given to replay: one `get` per node.")
    if write is None and any(request.write for request in requests):
        raise ValueError("The workload has writes: say what does them with write=, or give replay the database as db=.")


def _check_readers(patience_s: float | None, tries: int) -> None:
    """Raise ValueError if no reader can be so."""
    if patience_s is not None and not checked_number("patience_s", patience_s) > 0:
        raise ValueError(f"patience_s is how many seconds a reader waits, more than 0, or None, not {patience_s!r}.")
    checked_count("tries", tries)


def _reader(patience_s: float | None, tries: int, note: Callable[[], None]) -> Callable[[Get, int], Awaitable[Any]]:
    """How readers with this patience and so many tries ask: each attempt begins with `note()`."""

    def ask_once(get: Get, key: int) -> Awaitable[Any]:
        note()
        return get(key)

    async def ask(get: Get, key: int) -> Any:
        for left in reversed(range(tries)):
            try:
                async with asyncio.timeout(patience_s):
                    return await ask_once(get, key)
            except (Exception, asyncio.CancelledError):  # a shared load may pass a cancellation on
                if not left:
                    raise
        return None  # for the type checker: `tries` is at least 1

    # a time limit for each read would make a replay a quarter slower, so readers that only wait have none
    return ask_once if patience_s is None and tries == 1 else ask


async def _open_loop(
    times: Sequence[float], serve: Callable[[int, Callable[[int], None]], Coroutine[Any, Any, None]]
) -> None:
    """Start a task `serve(number, done)` at each of these times from now on, and wait until all have called `done`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    running: dict[int, asyncio.Task[None]] = {}  # asyncio keeps only weak references to tasks
    all_done = loop.create_future()
    left = len(times)

    def done(number: int) -> None:
        nonlocal left
        running.pop(number, None)
        left -= 1
        if not left:
            all_done.set_result(None)

    def arrive(number: int) -> None:
        task = loop.create_task(serve(number, done))
        if not task.done():  # an eager task may have ended
            running[number] = task
        if number + 1 < len(times):
            loop.call_at(start + times[number + 1], arrive, number + 1)

    loop.call_at(start + times[0], arrive, 0)
    await all_done


def _row(
    request: Request,
    events: RequestEvents,
    value: Any,
    error: str,
    *,
    start: float,
    began: float,
    ended: float,
    db: SlowDatabase | None,
) -> Row:
    """The row of a request that ended with this value or error."""
    record = events.records[-1] if events.records else None  # the last cache to report is the one that was called
    guess = "miss" if events.queries or error else "hit"
    commit = None if request.write else getattr(value, "commit", None)
    return Row(
        when=began - start,
        node=request.node,
        key=request.key,
        op="write" if request.write else "read",
        cache=record.cache if record else "",
        outcome="" if request.write else record.outcome if record else guess,
        result="error" if error else "absent" if value is ABSENT else "value",
        latency_s=round(ended - began, 9),  # the 12th place holds only the rounding errors of the clock
        version=commit,
        stale_s=db.stale_s(request.key, commit, ended) if db and commit is not None else 0.0,
        error=error,
    )
