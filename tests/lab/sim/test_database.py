"""The instruments: the slow database, faults, workloads, the replay, the trace."""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab import ABSENT, Cache, MemoryStore
from cachelab.lab.sim.database import Query, SlowDatabase, UserProfile
from cachelab.lab.sim.faults import Down, Failing, Faulty, OriginError, Slow
from cachelab.lab.sim.listeners import listen
from cachelab.lab.sim.simulation import run
from cachelab.lab.traffic.replay import replay
from cachelab.lab.traffic.replay_result import ReplayResult, Row
from cachelab.lab.traffic.workload import Request, Workload
from tests.support.fakes import PROPERTY, in_virtual_time, now

# The slow database: answers


@in_virtual_time
async def test_a_user_is_a_row() -> None:
    """The answer is the profile that stands in the table, with the commit that wrote it."""
    db = SlowDatabase(users=3)
    assert await db.fetch_user(3) == UserProfile(3, "user_3", "user_3@example.com", commit=0)


@pytest.mark.parametrize("user", [0, 4, -1, 2**70])
@in_virtual_time
async def test_a_user_who_is_not_there_is_absent(user: int) -> None:
    """The database knows its users, and whoever is not among them is absent, however odd the number."""
    assert await SlowDatabase(users=3).fetch_user(user) is ABSENT


@in_virtual_time
async def test_a_write_gives_its_commit_number_and_is_read_back() -> None:
    """Commits count from 1, and a row carries the number of the last one that wrote it."""
    db = SlowDatabase(users=3)
    commits = [await db.update_user(2, "new@example.com"), await db.update_user(1)]
    assert (commits, await db.fetch_user(2)) == ([1, 2], UserProfile(2, "user_2", "new@example.com", commit=1))


@in_virtual_time
async def test_a_read_sees_the_row_as_its_service_begins() -> None:
    """A write that commits while a read is in service comes too late for it."""
    db = SlowDatabase(users=1, connections=2, service_s=1.0)
    writer = asyncio.create_task(db.update_user(1))
    await asyncio.sleep(0.5)
    overlapping = await db.fetch_user(1)
    await writer
    later = await db.fetch_user(1)
    assert [getattr(answer, "commit", None) for answer in (overlapping, later)] == [0, 1]


@in_virtual_time
async def test_a_write_is_visible_at_the_instant_its_service_ends() -> None:
    """A read that begins just then sees it."""
    db = SlowDatabase(users=1, connections=1, service_s=1.0)
    _, answer = await asyncio.gather(db.update_user(1), db.fetch_user(1))
    assert isinstance(answer, UserProfile)
    assert answer.commit == 1


@in_virtual_time
async def test_an_answer_is_stale_since_the_next_commit() -> None:
    """The clock of staleness starts when the row's next version commits, and other rows do not matter."""
    db = SlowDatabase(users=2, connections=1, service_s=1.0)
    for user in (1, 2, 1):  # commits 1, 2 and 3 at the seconds 1, 2 and 3
        await db.update_user(user)
    assert [db.stale_s(1, commit, 10.0) for commit in (0, 1, 3)] == [9.0, 7.0, 0.0]


@in_virtual_time
async def test_nobody_was_stale_before_the_commit() -> None:
    """Looked back at, an answer that was the latest at the time is fresh."""
    db = SlowDatabase(users=1, service_s=1.0)
    await db.update_user(1)
    assert db.stale_s(1, 0, 0.5) == 0.0


# The slow database: the queue


@in_virtual_time
async def test_a_hundred_at_once_are_served_connection_by_connection() -> None:
    """Ten at a time, a second each: the last of a hundred is answered after ten seconds."""
    db = SlowDatabase(connections=10, service_s=1.0)

    async def answered(user: int) -> float:
        await db.fetch_user(user)
        return now()

    ends = await asyncio.gather(*(answered(user) for user in range(1, 101)))
    assert ends == [float(1 + number // 10) for number in range(100)]


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.one_of(st.none(), st.integers(0, 12))), min_size=5, max_size=20
)


@PROPERTY
@given(connections=st.integers(1, 3), arrivals=ARRIVALS)
def test_the_queue_keeps_its_promises(connections: int, arrivals: list[tuple[int, bool, int | None]]) -> None:
    """Whoever comes and leaves when: never more than C in service, in order of arrival, nobody waits without need."""

    async def scenario() -> None:
        db = SlowDatabase(users=1, connections=connections, service_s=3.0)

        async def caller(arrival: int, writes: bool, patience: int | None) -> None:
            await asyncio.sleep(arrival)
            async with asyncio.timeout(patience):
                await (db.update_user(1) if writes else db.fetch_user(1))

        await asyncio.gather(*(caller(*arrival) for arrival in sorted(arrivals, key=repr)), return_exceptions=True)
        await asyncio.sleep(100.0)
        for query in db.queries:
            busy = sum(other.began <= query.began < other.ended for other in db.queries)
            assert busy <= connections
            ended_then = any(other.ended == query.began for other in db.queries)
            assert query.began == query.asked or ended_then
        began = [query.began for query in sorted(db.queries, key=lambda query: query.asked)]
        assert began == sorted(began)
        assert (db.waiting, await db.fetch_user(1) is not ABSENT) == (0, True)

    run(scenario)


@in_virtual_time
async def test_waiting_counts_those_without_a_connection() -> None:
    """Five ask, two are served: three wait, and one fewer when one of them leaves."""
    db = SlowDatabase(connections=2, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(1)) for _ in range(5)]
    await asyncio.sleep(0.5)
    waiting = [db.waiting]
    callers[3].cancel()
    await asyncio.sleep(0.1)
    assert [*waiting, db.waiting] == [3, 2]


@in_virtual_time
async def test_a_caller_who_leaves_the_queue_costs_nothing() -> None:
    """Who stood behind is served as if he had never been there, and no query was made for him."""
    db = SlowDatabase(connections=1, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(user)) for user in (1, 2, 3)]
    await asyncio.sleep(0.5)
    callers[1].cancel()
    await callers[2]
    assert (now(), [query.key for query in db.queries]) == (2.0, [1, 3])


@in_virtual_time
async def test_a_caller_who_leaves_in_service_keeps_the_connection_busy() -> None:
    """The database does not know that nobody waits: its query runs to the end."""
    db = SlowDatabase(connections=1, service_s=1.0)
    first = asyncio.create_task(db.fetch_user(1))
    await asyncio.sleep(0.5)
    first.cancel()
    await db.fetch_user(2)
    assert now() == 2.0


@in_virtual_time
async def test_a_writer_who_leaves_in_service_has_still_written() -> None:
    """He does not learn that it commits, but it does."""
    db = SlowDatabase(users=1, connections=1, service_s=1.0)
    writer = asyncio.create_task(db.update_user(1))
    await asyncio.sleep(0.5)
    writer.cancel()
    answer = await db.fetch_user(1)
    assert isinstance(answer, UserProfile)
    assert answer.commit == 1


@in_virtual_time
async def test_a_caller_who_leaves_as_his_turn_comes_hands_it_on() -> None:
    """A connection given to somebody who is cancelled in the same instant goes to the next, not to nobody."""
    db = SlowDatabase(connections=1, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(user)) for user in (1, 2, 3)]
    await asyncio.sleep(0.5)
    asyncio.get_running_loop().call_at(1.0, callers[1].cancel)  # after the hand-over, before he wakes
    await callers[2]
    assert (callers[1].cancelled(), now()) == (True, 2.0)


@pytest.mark.parametrize("user", [2**70, "one", None, 1.5])
@in_virtual_time
async def test_a_query_that_fails_gives_its_connection_back(user: Any) -> None:
    """Whatever the database is asked, it can be asked again."""
    db = SlowDatabase(users=1, connections=1)
    await asyncio.gather(db.fetch_user(user), return_exceptions=True)
    assert isinstance(await db.fetch_user(1), UserProfile)


@in_virtual_time
async def test_a_write_that_fails_raises() -> None:
    """What SQLite refuses is an error of the caller's, who does not wait for ever."""
    db = SlowDatabase(users=1, connections=1)
    with pytest.raises(Exception, match="type"):
        await db.update_user(1, object())  # type: ignore[arg-type]


@in_virtual_time
async def test_the_service_time_may_change_while_it_runs() -> None:
    """What is in service keeps its time; what begins later takes the new one."""
    db = SlowDatabase(connections=1, service_s=1.0)
    first = asyncio.create_task(db.fetch_user(1))
    await asyncio.sleep(0.5)
    db.service_s = 4.0
    await first
    await db.fetch_user(2)
    assert ([query.ended for query in db.queries], now()) == ([1.0, 5.0], 5.0)


@in_virtual_time
async def test_every_query_is_written_down() -> None:
    """What, for whom, when asked, when begun, when ended."""
    db = SlowDatabase(connections=1, service_s=1.0)
    await asyncio.gather(db.fetch_user(1), db.update_user(2))
    assert db.queries == [Query("read", 1, None, 0.0, 0.0, 1.0), Query("write", 2, None, 0.0, 1.0, 2.0)]


def test_the_capacity_is_connections_over_service_time() -> None:
    """Eight connections at fifty milliseconds: 160 queries per second."""
    assert SlowDatabase(connections=8, service_s=0.05).capacity == 160.0


@pytest.mark.parametrize(
    "wrong",
    [{"users": 0}, {"connections": 0}, {"connections": 2.5}, {"service_s": 0.0}, {"service_s": math.nan}],
    ids=str,
)
def test_a_database_that_could_serve_nobody_is_refused(wrong: dict[str, Any]) -> None:
    """One sentence says what a database needs."""
    with pytest.raises(ValueError, match="A database needs at least 1 user, 1 connection and a service time above 0"):
        SlowDatabase(**wrong)


# Faults


async def answer(key: int) -> str:
    """An origin that is always up and takes a second."""
    await asyncio.sleep(1.0)
    return "answer"


async def outcomes(load: Callable[[int], Awaitable[Any]], *moments: float) -> list[str]:
    """What calls at these moments come to."""

    async def call(moment: float) -> str:
        await asyncio.sleep(moment)
        try:
            return str(await load(1))
        except OriginError as error:
            return str(error)

    return list(await asyncio.gather(*(call(moment) for moment in moments)))


@in_virtual_time
async def test_an_origin_that_is_down_refuses_at_once() -> None:
    """From `start` on and until before `end`, without doing any work."""
    stories = await outcomes(Faulty(answer, Down(10.0, 20.0)), 9.5, 10.0, 19.5, 20.0)
    assert stories == ["answer", "the origin is down (10.000 s)", "the origin is down (19.500 s)", "answer"]


@in_virtual_time
async def test_an_origin_that_is_down_costs_no_query() -> None:
    """The database behind it does not hear of the request."""
    db = SlowDatabase()
    await outcomes(Faulty(db.fetch_user, Down(0.0, 1.0)), 0.0)
    assert db.queries == []


@in_virtual_time
async def test_a_failing_origin_does_the_work_and_then_fails() -> None:
    """The query is made, the time passes, and the answer is an error."""
    db = SlowDatabase(service_s=2.0)
    stories = await outcomes(Faulty(db.fetch_user, Failing(0.0, 1.0)), 0.0)
    assert (stories, len(db.queries), now()) == (["the query failed (0.000 s)"], 1, 2.0)


@in_virtual_time
async def test_a_share_of_the_answers_fails() -> None:
    """About as many as `share` says, over a thousand calls."""
    stories = await outcomes(Faulty(answer, Failing(0.0, 2000.0, share=0.3)), *map(float, range(1_000)))
    assert 0.27 < 1 - stories.count("answer") / 1_000 < 0.33


def test_which_answers_fail_depends_on_the_seed_alone() -> None:
    """The same seed, the same failures; another seed, others."""

    async def scenario(seed: int) -> list[str]:
        return await outcomes(Faulty(answer, Failing(0.0, 100.0, share=0.5), seed=seed), *map(float, range(50)))

    assert run(scenario, 1) == run(scenario, 1) != run(scenario, 2)


@in_virtual_time
async def test_a_slow_origin_takes_longer() -> None:
    """`extra_s` on top of what the call takes anyway, while the fault holds."""
    load = Faulty(answer, Slow(0.0, 1.0, extra_s=5.0))
    await load(1)
    times = [now()]
    await load(1)
    assert [*times, now()] == [6.0, 7.0]


@in_virtual_time
async def test_faults_can_hold_together() -> None:
    """Slow and failing is slow, then failing."""
    stories = await outcomes(Faulty(answer, Slow(0.0, 1.0, extra_s=5.0), Failing(0.0, 1.0)), 0.0)
    assert (stories, now()) == (["the query failed (0.000 s)"], 6.0)


@in_virtual_time
async def test_a_faulty_cache_can_still_delete() -> None:
    """The wrapper has the same interface as what it wraps, `delete` included, so that deletes go down through it."""
    lower: Cache[int, str] = Cache(MemoryStore(1), answer, ttl=60.0)
    upper: Cache[int, str] = Cache(MemoryStore(1), Faulty(lower), ttl=60.0)
    await upper.get(1)
    await upper.delete(1)
    await upper.get(1)
    assert (lower.loads, hasattr(Faulty(answer), "delete")) == (2, False)


@pytest.mark.parametrize(
    "fault", [Down(5.0, 5.0), Down(-1.0, 5.0), Failing(5.0, 1.0), Slow(math.nan, 1.0, 1.0)], ids=str
)
def test_a_fault_needs_a_beginning_and_an_end(fault: Any) -> None:
    """The sentence shows the fault that it complains of."""
    with pytest.raises(ValueError, match=r"A fault needs 0 <= start < end, in seconds: .*start="):
        Faulty(answer, fault)


@pytest.mark.parametrize(
    "fault", [Failing(0.0, 1.0, share=50), Failing(0.0, 1.0, share=-0.1), Slow(0.0, 1.0, -1.0)], ids=str
)
def test_a_fault_needs_a_size_that_makes_sense(fault: Any) -> None:
    """A share in percent, or a delay below zero, is not silently something else."""
    with pytest.raises(ValueError, match=r"share|extra_s"):
        Faulty(answer, fault)


# Workloads

TRAFFIC = Workload(rate=100.0, seconds=100.0, keys=50, seed=1)


@pytest.mark.parametrize("zipf", [0.0, 0.8, 1.0, 1.5])
def test_popularity_follows_zipf(zipf: float) -> None:
    """The probability of rank r is r ** -zipf over the sum of all."""
    popularity = Workload(rate=1.0, seconds=1.0, keys=4, zipf=zipf).popularity()
    total = sum(rank**-zipf for rank in (1, 2, 3, 4))
    assert popularity == pytest.approx([rank**-zipf / total for rank in (1, 2, 3, 4)])


def test_keys_are_drawn_by_their_popularity() -> None:
    """Of ten thousand requests each key gets its share, within five standard deviations."""
    requests = TRAFFIC.requests()
    counts = Counter(request.key for request in requests)
    for key, probability in enumerate(TRAFFIC.popularity(), start=1):
        expected = probability * len(requests)
        assert abs(counts[key] - expected) < 5 * math.sqrt(expected)


def test_arrivals_are_poisson() -> None:
    """The number of arrivals, the mean gap and its spread are those of a Poisson process."""
    times = [0.0, *(request.when for request in TRAFFIC.requests())]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = math.fsum(gaps) / len(gaps)
    spread = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert [len(gaps) / 1e6, mean, spread] == pytest.approx([0.01, 0.01, 0.01], rel=0.03)


def test_gaps_have_no_memory() -> None:
    """A share of 1/e of the gaps is longer than the mean one, as of an exponential."""
    times = [request.when for request in TRAFFIC.requests()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.02)


def test_requests_come_in_order_of_time() -> None:
    """Reads and writes are merged into one stream, within the length of the workload."""
    times = [request.when for request in Workload(rate=50.0, write_rate=50.0, seconds=20.0, keys=5).requests()]
    assert times == sorted(times)
    assert 0.0 < times[0] < times[-1] <= 20.0


def test_times_are_whole_microseconds() -> None:
    """The last bits of a logarithm may differ between machines; a rounded time does not."""
    assert all(request.when == round(request.when, 6) for request in TRAFFIC.requests())


def test_the_same_seed_gives_the_same_requests_and_another_seed_others() -> None:
    """A workload is a value: equal numbers, equal traffic."""
    again, other = (Workload(rate=100.0, seconds=100.0, keys=50, seed=seed) for seed in (1, 2))
    assert (again.requests() == TRAFFIC.requests(), other.requests() == TRAFFIC.requests()) == (True, False)


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"write_rate": 20.0}, ("when", "node", "key")),
        ({"nodes": 5}, ("when", "key")),
        ({"zipf": 0.5}, ("when", "node")),
        ({"keys": 10}, ("when", "node")),
    ],
    ids=str,
)
def test_each_thing_is_drawn_from_a_stream_of_its_own(change: dict[str, Any], kept: tuple[str, ...]) -> None:
    """Turning one knob moves nothing else: adding writes moves no read, adding nodes no key."""
    changed = Workload(**{"rate": 100.0, "seconds": 100.0, "keys": 50, "seed": 1} | change)
    reads = [request for request in changed.requests() if not request.write]
    for field in kept:
        assert [getattr(r, field) for r in reads] == [getattr(r, field) for r in TRAFFIC.requests()]


def test_writes_come_at_their_own_rate() -> None:
    """On top of the reads, not out of them."""
    requests = Workload(rate=100.0, write_rate=20.0, seconds=100.0, keys=50).requests()
    writes = sum(request.write for request in requests)
    assert [writes, len(requests) - writes] == pytest.approx([2_000, 10_000], rel=0.05)


def test_every_node_gets_its_share() -> None:
    """Requests are spread evenly over the nodes."""
    counts = Counter(r.node for r in Workload(rate=100.0, seconds=100.0, keys=5, nodes=4).requests())
    assert [counts[node] / sum(counts.values()) for node in range(4)] == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"keys": 0}, "at least one key to ask for: keys=1_000, for example, not 0"),
        ({"nodes": 0}, "at least one node, not 0"),
        ({"rate": 0.0}, "a rate above 0 requests per second"),
        ({"rate": -1.0, "write_rate": 5.0}, "a rate above 0 requests per second"),
        ({"rate": math.nan}, "a rate above 0 requests per second"),
        ({"rate": math.inf}, "rate"),
        ({"write_rate": math.inf}, "rate"),
        ({"seconds": 0.0}, "a length above 0 seconds"),
        ({"seconds": math.inf}, "a length above 0 seconds"),
        ({"zipf": -1.0}, "a skew of 0 or more"),
    ],
    ids=str,
)
def test_a_workload_without_an_end_or_a_beginning_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    """What could not be sent is named when the workload is made, not by a hang when it is played."""
    with pytest.raises(ValueError, match=f"A workload needs.*{sentence}"):
        Workload(**{"rate": 10.0, "seconds": 10.0, "keys": 10} | wrong)


# Replay

THREE = [Request(0.0, 0, 1), Request(1.0, 0, 2), Request(2.0, 0, 3)]


async def slow(key: int) -> int:
    """Takes ten seconds."""
    await asyncio.sleep(10.0)
    return key


@in_virtual_time
async def test_a_replay_is_an_open_loop() -> None:
    """Requests come at their own times, whether or not the last is answered."""
    trace = await replay(THREE, slow)
    assert [(row.when, row.latency_s) for row in trace.rows] == [(0.0, 10.0), (1.0, 10.0), (2.0, 10.0)]


@in_virtual_time
async def test_a_replay_ends_when_all_are_answered() -> None:
    """The last of three, asked at the second 2, is answered at 12."""
    await replay(THREE, slow)
    assert now() == 12.0


@in_virtual_time
async def test_times_in_a_trace_count_from_the_start_of_the_replay() -> None:
    """A replay that begins later has the same rows, and its queries are told apart from earlier ones."""
    db = SlowDatabase()
    first = await replay(THREE, db.fetch_user, db=db)
    await asyncio.sleep(10.0)
    second = await replay(THREE, db.fetch_user, db=db)
    assert (second.rows, len(second.queries)) == (first.rows, 3)


@in_virtual_time
async def test_requests_may_come_in_any_order() -> None:
    """They are sent by their times."""
    trace = await replay(reversed(THREE), slow)
    assert [row.when for row in trace.rows] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("error", [LookupError, TimeoutError, asyncio.CancelledError])
@in_virtual_time
async def test_an_answer_that_raises_is_a_row(error: type[BaseException]) -> None:
    """The replay goes on, and the row says what was raised, be it a cancellation that a shared load passed on."""

    async def get(key: int) -> int:
        if key == 2:
            raise error
        return key

    trace = await replay(THREE, get)
    assert [(row.result, row.error) for row in trace.rows] == [("value", ""), ("error", error.__name__), ("value", "")]


@in_virtual_time
async def test_each_node_answers_its_own_requests() -> None:
    """A list of caches is a fleet: node 0 is the first."""
    asked: list[tuple[int, int]] = []

    def node(number: int) -> Callable[[int], Awaitable[int]]:
        async def get(key: int) -> int:
            asked.append((number, key))
            return key

        return get

    trace = await replay([Request(0.0, 1, 7), Request(1.0, 0, 8), Request(2.0, 1, 9)], [node(0), node(1)])
    assert (asked, [row.node for row in trace.rows]) == ([(1, 7), (0, 8), (1, 9)], [1, 0, 1])


@in_virtual_time
async def test_a_hand_written_get_has_its_outcome_inferred() -> None:
    """Whoever made a query missed; whoever made none hit."""
    db = SlowDatabase()
    kept: dict[int, Any] = {}

    async def get(key: int) -> Any:
        if key not in kept:
            kept[key] = await db.fetch_user(key)
        return kept[key]

    trace = await replay([Request(0.0, 0, 1), Request(1.0, 0, 1), Request(2.0, 0, 2)], get, db=db)
    assert [(row.cache, row.outcome) for row in trace.rows] == [("", "miss"), ("", "hit"), ("", "miss")]


@in_virtual_time
async def test_an_error_is_no_hit() -> None:
    """Who was refused before he could make a query has not been answered from a cache."""
    trace = await replay([Request(0.0, 0, 1)], Faulty(answer, Down(0.0, 1.0)))
    assert [(row.outcome, row.result) for row in trace.rows] == [("miss", "error")]


@in_virtual_time
async def test_a_cache_that_tells_is_believed() -> None:
    """With `listen=lab.listen` the record stands in the row, with the name of the cache that the caller asked."""
    db = SlowDatabase()
    lower: Cache[int, Any] = Cache(MemoryStore(9), db.fetch_user, ttl=60.0, name="L2", listen=listen)
    upper: Cache[int, Any] = Cache(MemoryStore(9), lower, ttl=1.5, name="L1", listen=listen)
    trace = await replay([Request(0.0, 0, 1), Request(1.0, 0, 1), Request(2.0, 0, 1)], upper, db=db)
    assert [(row.cache, row.outcome) for row in trace.rows] == [("L1", "miss"), ("L1", "hit"), ("L1", "miss")]


@in_virtual_time
async def test_an_absent_key_is_a_row_of_its_own_kind() -> None:
    """Known not to exist is neither a value nor an error, and has no version."""
    db = SlowDatabase(users=1)
    trace = await replay([Request(0.0, 0, 9)], db.fetch_user, db=db)
    assert [(row.result, row.version) for row in trace.rows] == [("absent", None)]


@in_virtual_time
async def test_an_answer_is_scored_by_the_database() -> None:
    """Each row has the commit of its answer and for how long that had been out of date as it arrived."""
    db = SlowDatabase(users=1, service_s=0.5)
    cache: Cache[int, Any] = Cache(MemoryStore(1), db.fetch_user, ttl=60.0)

    async def get(key: int) -> Any:
        value = await cache.get(key)
        await asyncio.sleep(0.25)  # a long way home
        return value

    requests = [Request(0.0, 0, 1), Request(1.0, 0, 1, write=True), Request(5.0, 0, 1)]
    trace = await replay(requests, get, db=db)
    assert [(row.op, row.version, row.stale_s) for row in trace.rows] == [
        ("read", 0, 0.0),
        ("write", None, 0.0),
        ("read", 0, 3.75),
    ]


@in_virtual_time
async def test_writes_go_where_they_are_told_to() -> None:
    """With `write=` the database is not asked."""
    db = SlowDatabase()
    written: list[int] = []

    async def write(key: int) -> None:
        written.append(key)

    await replay([Request(0.0, 0, 7, write=True)], slow, db=db, write=write)
    assert (written, db.queries) == ([7], [])


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        ([], "The workload has no requests: give it more seconds or a higher rate"),
        ([Request(0.0, 1, 1)], "The workload has more nodes than the 1 given to replay"),
        ([Request(0.0, 0, 1, write=True)], "The workload has writes: say what does them with write="),
    ],
)
@in_virtual_time
async def test_a_replay_that_can_not_be_played_says_why(requests: list[Request], sentence: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=sentence):
        await replay(requests, slow)


@in_virtual_time
async def test_outside_a_replay_the_listener_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A cache may keep `listen=lab.listen` and be used by hand."""
    cache: Cache[int, str] = Cache(MemoryStore(1), answer, ttl=60.0, listen=listen)
    assert (await cache.get(1), capsys.readouterr().err) == ("answer", "")


# The trace


HIT = Row(0.0, 0, 1, "read", "", "hit", "value", 0.0, 0, 0.0, "")


def row(**fields: Any) -> Row:
    """A read that hit at once, unless `fields` say otherwise."""
    return HIT._replace(**fields)


def trace_of(*rows: Row, queries: list[Query] | None = None) -> ReplayResult:
    """A trace of ten seconds."""
    return ReplayResult(list(rows), queries or [], seconds=10.0)


MIXED = trace_of(
    row(outcome="hit", stale_s=3.0),
    row(outcome="stale", stale_s=1.0),
    row(outcome="miss", latency_s=0.4),
    row(outcome="collapsed", latency_s=0.2),
    row(outcome="miss", result="error", error="OriginError"),
    row(op="write", outcome="", latency_s=9.0),
    queries=[
        Query("read", 1, 0, 0.0, 0.5, 1.0),
        Query("write", 1, 0, 0.0, 0.6, 1.0),
        Query("read", 1, 0, 2.0, 2.0, 3.0),
    ],
)


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        ("hit_ratio", 2 / 5),
        ("error_share", 1 / 6),
        ("stale_share", 2 / 5),
        ("max_stale_s", 3.0),
        ("mean_latency_s", 0.6 / 5),
        ("origin_load", 2 / 10),
    ],
)
def test_a_summary_is_over_the_reads(summary: str, value: float) -> None:
    """A write is no read: of the summaries only the share of errors counts it."""
    assert getattr(MIXED, summary) == pytest.approx(value)


def test_a_share_may_be_of_several_outcomes() -> None:
    """`share("miss", "collapsed")` are those who waited."""
    assert MIXED.share("miss", "collapsed") == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("percent", "latency"), [(0, 0.01), (1, 0.01), (50, 0.50), (99, 0.99), (99.5, 1.0), (100, 1.0)]
)
def test_a_percentile_is_the_nearest_rank(percent: float, latency: float) -> None:
    """It is a latency that somebody had, and `percent` % of the reads had no longer one."""
    trace = trace_of(*(row(latency_s=n / 100) for n in range(100, 0, -1)))
    assert trace.percentile_s(percent) == latency


def test_queries_per_second_counts_by_when_they_began() -> None:
    """Two began in the first second, none in the second, one in the third; counted by half seconds, per second."""
    assert (MIXED.queries_per_second(), MIXED.queries_per_second(0.5)) == ([2.0, 0.0, 1.0], [0.0, 4.0, 0.0, 0.0, 2.0])


def test_queries_per_second_counts_from_the_start_of_the_replay() -> None:
    """A replay that began at the second 100 has its first query in the first second."""
    assert ReplayResult(
        [row()], [Query("read", 1, 0, 100.2, 100.2, 101.0)], 10.0, start=100.0
    ).queries_per_second() == [1.0]


def test_the_frame_has_a_column_for_each_field() -> None:
    """The rows as pandas sees them, for whoever wants to ask more."""
    assert (list(MIXED.frame.columns), len(MIXED.frame)) == (list(Row._fields), 6)


@pytest.mark.parametrize("field", Row._fields)
def test_the_digest_sees_every_field(field: str) -> None:
    """Two traces that differ in anything have different fingerprints."""
    changed = row(**{field: "x" if isinstance(getattr(row(), field), str) else 0.5})
    assert trace_of(row()).digest() != trace_of(changed).digest()


@pytest.mark.parametrize("field", ["kind", "key", "asked", "began", "ended"])
def test_the_digest_sees_every_query(field: str) -> None:
    """The origin's side of it counts as much as the callers'."""
    fields: dict[str, Any] = {"kind": "read", "key": 1, "request": 0, "asked": 0.0, "began": 0.0, "ended": 1.0}
    changed = fields | {field: "write" if field == "kind" else 7}
    first, second = (trace_of(row(), queries=[Query(**each)]) for each in (fields, changed))
    assert first.digest() != second.digest()


def test_the_digest_overlooks_what_is_below_a_nanosecond() -> None:
    """The last bits of a float are nobody's latency."""
    assert trace_of(row(latency_s=0.1 + 0.2)).digest() == trace_of(row(latency_s=0.3)).digest()
