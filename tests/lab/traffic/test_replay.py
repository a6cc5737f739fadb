"""The replay: an open loop, and a row for each request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import Cache, Flight, Freshness, MemoryStore
from cachelab.lab.sim.database import SlowDatabase
from cachelab.lab.sim.faults import Down, Faulty
from cachelab.lab.sim.listeners import listen
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.workload import Request
from tests.support.fakes import in_virtual_time, now

THREE = [Request(0.0, 0, 1), Request(1.0, 0, 2), Request(2.0, 0, 3)]


async def get_slowly(key: int) -> int:
    """An answer after ten seconds."""
    await asyncio.sleep(10.0)
    return key


@in_virtual_time
async def test_a_replay_is_an_open_loop() -> None:
    """Each request is sent at its time, whether or not the one before is answered."""
    result = await replay(THREE, get_slowly)
    assert [(row.when, row.latency_s) for row in result.rows] == [(0.0, 10.0), (1.0, 10.0), (2.0, 10.0)]


@in_virtual_time
async def test_a_replay_ends_when_all_are_answered() -> None:
    """The last of three, sent at second 2, is answered at second 12."""
    await replay(THREE, get_slowly)
    assert now() == 12.0


@in_virtual_time
async def test_times_count_from_the_start_of_the_replay() -> None:
    """A replay that begins later has the same rows, and its result has none of the earlier queries."""
    db = SlowDatabase()
    first = await replay(THREE, db.fetch_user, db=db)
    await asyncio.sleep(10.0)
    second = await replay(THREE, db.fetch_user, db=db)
    assert (second.rows, len(second.queries)) == (first.rows, 3)


@in_virtual_time
async def test_requests_may_come_in_any_order() -> None:
    """They are sent in order of their times."""
    result = await replay(reversed(THREE), get_slowly)
    assert [row.when for row in result.rows] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("error", [LookupError, TimeoutError, asyncio.CancelledError])
@in_virtual_time
async def test_an_answer_that_raises_is_a_row(error: type[BaseException]) -> None:
    """The replay goes on, and the row has the error's name, also for a cancellation that a shared load passed on."""

    async def get(key: int) -> int:
        if key == 2:
            raise error
        return key

    result = await replay(THREE, get)
    assert [(row.result, row.error) for row in result.rows] == [("value", ""), ("error", error.__name__), ("value", "")]


@in_virtual_time
async def test_each_node_answers_its_own_requests() -> None:
    """A list of caches has one for each node, and the first is node 0."""
    requested: list[tuple[int, int]] = []

    def node(number: int) -> Callable[[int], Awaitable[int]]:
        async def get(key: int) -> int:
            requested.append((number, key))
            return key

        return get

    result = await replay([Request(0.0, 1, 7), Request(1.0, 0, 8), Request(2.0, 1, 9)], [node(0), node(1)])
    assert (requested, [row.node for row in result.rows]) == ([(1, 7), (0, 8), (1, 9)], [1, 0, 1])


@in_virtual_time
async def test_the_outcome_of_a_hand_written_get_is_inferred() -> None:
    """A request that made a query is a miss, and one that made none is a hit."""
    db = SlowDatabase()
    kept: dict[int, Any] = {}

    async def get(key: int) -> Any:
        if key not in kept:
            kept[key] = await db.fetch_user(key)
        return kept[key]

    result = await replay([Request(0.0, 0, 1), Request(1.0, 0, 1), Request(2.0, 0, 2)], get, db=db)
    assert [(row.cache, row.outcome) for row in result.rows] == [("", "miss"), ("", "hit"), ("", "miss")]


@in_virtual_time
async def test_an_error_is_no_hit() -> None:
    """A request that was refused before it could make a query was not answered from a cache."""
    result = await replay([Request(0.0, 0, 1)], Faulty(get_slowly, Down(0.0, 1.0)))
    assert [(row.outcome, row.result) for row in result.rows] == [("miss", "error")]


@in_virtual_time
async def test_refused_calls_are_listed_with_their_times() -> None:
    """They are no queries. A load in the background that is refused counts too, and times count from the start."""
    db = SlowDatabase(service_s=0.5)
    load = Faulty(db.fetch_user, Down(12.0, 15.0))
    cache: Cache[int, Any] = Cache(MemoryStore(9), load, ttl=1.0, flight=Flight(), freshness=Freshness(stale_for=9.0))
    await asyncio.sleep(10.0)
    result = await replay([Request(when, 0, 1) for when in (0.0, 2.0, 4.5, 5.5, 6.0)], cache, db=db)
    assert (list(result.refused), len(result.queries)) == ([2.0, 4.5], 2)
    assert (await replay([Request(0.0, 0, 1)], cache, db=db)).refused == []


@in_virtual_time
async def test_a_row_has_the_outcome_that_the_cache_reports() -> None:
    """With `listen=lab.listen` a row has the outcome and the name of the cache that the request called."""
    db = SlowDatabase()
    lower: Cache[int, Any] = Cache(MemoryStore(9), db.fetch_user, ttl=60.0, name="L2", listen=listen)
    upper: Cache[int, Any] = Cache(MemoryStore(9), lower, ttl=1.5, name="L1", listen=listen)
    result = await replay([Request(0.0, 0, 1), Request(1.0, 0, 1), Request(2.0, 0, 1)], upper, db=db)
    assert [(row.cache, row.outcome) for row in result.rows] == [("L1", "miss"), ("L1", "hit"), ("L1", "miss")]


@in_virtual_time
async def test_an_absent_key_has_a_result_of_its_own() -> None:
    """The result for a key that does not exist is neither a value nor an error, and it has no version."""
    db = SlowDatabase(users=1)
    result = await replay([Request(0.0, 0, 9)], db.fetch_user, db=db)
    assert [(row.result, row.version) for row in result.rows] == [("absent", None)]


@in_virtual_time
async def test_an_answer_is_scored_by_the_database() -> None:
    """Each row has the commit of its answer, and for how long that commit had been out of date when it arrived."""
    db = SlowDatabase(users=1, service_s=0.5)
    cache: Cache[int, Any] = Cache(MemoryStore(1), db.fetch_user, ttl=60.0)

    async def get(key: int) -> Any:
        value = await cache.get(key)
        await asyncio.sleep(0.25)  # a long way back to the caller
        return value

    requests = [Request(0.0, 0, 1), Request(1.0, 0, 1, write=True), Request(5.0, 0, 1)]
    result = await replay(requests, get, db=db)
    assert [(row.op, row.version, row.stale_s) for row in result.rows] == [
        ("read", 0, 0.0),
        ("write", None, 0.0),
        ("read", 0, 3.75),
    ]


@in_virtual_time
async def test_writes_go_to_the_given_function() -> None:
    """With `write=` the replay makes no query for a write."""
    db = SlowDatabase()
    written: list[int] = []

    async def write(key: int) -> None:
        written.append(key)

    await replay([Request(0.0, 0, 7, write=True)], get_slowly, db=db, write=write)
    assert (written, db.queries) == ([7], [])


class Origin:
    """It answers after the first `durations` seconds, and then after the next; None stands for a failure at once."""

    def __init__(self, *durations: float | None) -> None:
        self.durations, self.left = list(durations), 0

    async def __call__(self, key: int) -> int:
        duration = self.durations.pop(0)
        if duration is None:
            raise LookupError
        try:
            await asyncio.sleep(duration)
        except asyncio.CancelledError:
            self.left += 1
            raise
        return key


@in_virtual_time
async def test_a_reader_without_patience_leaves() -> None:
    """It cancels what it has asked for, and its row says so."""
    origin = Origin(10.0)
    result = await replay(THREE[:1], origin, patience_s=0.5)
    (row,) = result.rows
    assert (row.result, row.error, row.latency_s, origin.left) == ("error", "TimeoutError", 0.5, 1)


@pytest.mark.parametrize(
    ("durations", "attempts", "result", "latency_s"),
    [
        ([0.1], [0.0], "value", 0.1),
        ([9.0, 0.1], [0.0, 0.5], "value", 0.6),
        ([9.0, 9.0, 0.1], [0.0, 0.5, 1.0], "value", 1.1),
        ([9.0, 9.0, 9.0], [0.0, 0.5, 1.0], "error", 1.5),
        ([None, 9.0, 0.1], [0.0, 0.0, 0.5], "value", 0.6),
        ([None, None, None], [0.0, 0.0, 0.0], "error", 0.0),
    ],
)
@in_virtual_time
async def test_a_reader_tries_again_at_once(
    durations: list[float | None], attempts: list[float], result: str, latency_s: float
) -> None:
    """After its patience, or after an error; three times here. The row has its time from the first attempt on."""
    replayed = await replay(THREE[:1], Origin(*durations), patience_s=0.5, tries=3)
    (row,) = replayed.rows
    assert (replayed.attempts, row.result, row.latency_s) == (attempts, result, latency_s)


@in_virtual_time
async def test_a_write_is_sent_once_and_waits() -> None:
    """Patience and attempts are the readers'."""
    origin = Origin(10.0)
    result = await replay([Request(0.0, 0, 7, write=True)], get_slowly, write=origin, patience_s=0.5, tries=3)
    assert ([row.latency_s for row in result.rows], result.attempts) == ([10.0], [])


@in_virtual_time
async def test_attempts_count_from_the_start_of_the_replay() -> None:
    """As the times of the rows."""
    await asyncio.sleep(100.0)
    assert (await replay(THREE, get_slowly)).attempts == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"patience_s": 0}, "patience_s is how many seconds a reader waits, more than 0, or None, not 0"),
        ({"patience_s": float("nan")}, "patience_s is how many seconds a reader waits"),
        ({"tries": 0}, "tries must be a whole number of at least 1, not 0"),
    ],
)
@in_virtual_time
async def test_readers_that_cannot_be_played_are_refused(options: dict[str, Any], sentence: str) -> None:
    """In a sentence."""
    with pytest.raises(ValueError, match=sentence):
        await replay(THREE, get_slowly, **options)


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        ([], "The workload has no requests: give it more seconds or a higher rate"),
        ([Request(0.0, 1, 1)], "The workload has more nodes than the 1 given to replay"),
        ([Request(0.0, 0, 1, write=True)], "The workload has writes: say what does them with write="),
    ],
)
@in_virtual_time
async def test_a_replay_that_cannot_be_played_says_why(requests: list[Request], sentence: str) -> None:
    """The error comes before any request is sent."""
    with pytest.raises(ValueError, match=sentence):
        await replay(requests, get_slowly)
