"""The slow database: its rows, its queue, and its record of every query."""

import asyncio
import math
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab import ABSENT
from cachelab.lab.sim.database import Query, SlowDatabase, UserProfile
from cachelab.lab.sim.simulation import run
from tests.support.fakes import PROPERTY, in_virtual_time, now


@in_virtual_time
async def test_a_user_is_a_row() -> None:
    """The answer is the row in the table, with the number of the commit that wrote it."""
    db = SlowDatabase(users=3)
    assert await db.fetch_user(3) == UserProfile(3, "user_3", "user_3@example.com", commit=0)


@pytest.mark.parametrize("user", [0, 4, -1, 2**70])
@in_virtual_time
async def test_a_user_that_does_not_exist_is_absent(user: int) -> None:
    """An id without a row is answered with ABSENT, also one that SQLite cannot hold."""
    assert await SlowDatabase(users=3).fetch_user(user) is ABSENT


@in_virtual_time
async def test_a_write_gives_its_commit_number_and_is_read_back() -> None:
    """Commits are numbered from 1, and a row carries the number of the last commit that wrote it."""
    db = SlowDatabase(users=3)
    commits = [await db.update_user(2, "new@example.com"), await db.update_user(1)]
    assert (commits, await db.fetch_user(2)) == ([1, 2], UserProfile(2, "user_2", "new@example.com", commit=1))


@pytest.mark.parametrize("user", [0, 4, -1, 2**70])
@in_virtual_time
async def test_an_update_of_a_user_that_does_not_exist_commits_nothing(user: int) -> None:
    """It takes its time and returns 0. No row is there afterwards, and no answer counts as out of date."""
    db = SlowDatabase(users=3, service_s=1.0)
    assert (await db.update_user(user), now()) == (0, 1.0)
    assert (await db.fetch_user(user), db.stale_s(user, 0, 9.0)) == (ABSENT, 0.0)


@in_virtual_time
async def test_a_number_that_a_write_did_not_use_is_left_out() -> None:
    """Commit numbers rise, with a gap for each write that changed nothing."""
    db = SlowDatabase(users=3)
    commits = [await db.update_user(user) for user in (1, 4, 2)]
    with pytest.raises(ValueError, match="already"):
        await db.add_user(3)
    assert [*commits, await db.update_user(3)] == [1, 0, 3, 5]


@in_virtual_time
async def test_an_empty_address_is_an_address() -> None:
    """Only without one does the database write one of its own."""
    db = SlowDatabase(users=1)
    await db.update_user(1, "")
    assert await db.fetch_user(1) == UserProfile(1, "user_1", "", commit=1)


@pytest.mark.parametrize(("email", "stored"), [(None, "user_7@example.com"), ("ana@example.com", "ana@example.com")])
@in_virtual_time
async def test_an_added_user_is_a_row(email: str | None, stored: str) -> None:
    """It has the number of its commit, and can be updated like any other."""
    db = SlowDatabase(users=3)
    assert await db.add_user(7, email) == 1
    assert await db.fetch_user(7) == UserProfile(7, "user_7", stored, commit=1)
    assert await db.update_user(7) == 2


@in_virtual_time
async def test_an_added_user_is_visible_when_the_service_ends() -> None:
    """A read whose service begins before that finds nothing, and its answer is out of date from then on."""
    db = SlowDatabase(users=1, connections=2, service_s=1.0)
    writer = asyncio.create_task(db.add_user(2))
    await asyncio.sleep(0.5)
    assert (await db.fetch_user(2), await writer) == (ABSENT, 1)
    assert [query.kind for query in db.queries] == ["write", "read"]
    assert (db.stale_s(2, 0, 3.0), db.stale_s(2, 1, 3.0)) == (2.0, 0.0)


@in_virtual_time
async def test_a_user_that_exists_is_not_added_again() -> None:
    """The error says so when the service ends, and the row stays as it was."""
    db = SlowDatabase(users=3, service_s=1.0)
    with pytest.raises(ValueError, match="There is a user 3 already; update_user changes a user"):
        await db.add_user(3, "new@example.com")
    assert (now(), db.stale_s(3, 0, 9.0)) == (1.0, 0.0)
    assert await db.fetch_user(3) == UserProfile(3, "user_3", "user_3@example.com")


@pytest.mark.parametrize(
    ("user", "error", "words"),
    [
        (None, TypeError, "A user's id is an int, not None"),
        ("7", TypeError, "A user's id is an int, not '7'"),
        (2**70, ValueError, "at most 64 bits"),
    ],
)
@in_virtual_time
async def test_an_id_that_no_row_can_have_is_not_added(user: Any, error: type[Exception], words: str) -> None:
    """The error is a sentence, and the only connection is free afterwards."""
    db = SlowDatabase(users=1, connections=1)
    with pytest.raises(error, match=words):
        await db.add_user(user)
    assert isinstance(await db.fetch_user(1), UserProfile)


@in_virtual_time
async def test_a_read_sees_the_row_as_it_is_when_its_service_begins() -> None:
    """A write that commits while a read is in service does not change the answer to that read."""
    db = SlowDatabase(users=1, connections=2, service_s=1.0)
    writer = asyncio.create_task(db.update_user(1))
    await asyncio.sleep(0.5)
    overlapping = await db.fetch_user(1)
    await writer
    later = await db.fetch_user(1)
    assert [getattr(answer, "commit", None) for answer in (overlapping, later)] == [0, 1]


@in_virtual_time
async def test_a_write_is_visible_at_the_instant_its_service_ends() -> None:
    """A read whose service begins at that instant sees the write."""
    db = SlowDatabase(users=1, connections=1, service_s=1.0)
    _, answer = await asyncio.gather(db.update_user(1), db.fetch_user(1))
    assert isinstance(answer, UserProfile)
    assert answer.commit == 1


@in_virtual_time
async def test_an_answer_is_stale_since_the_next_commit() -> None:
    """An answer is stale from the moment at which the row's next version commits. Writes of other rows do not count."""
    db = SlowDatabase(users=2, connections=1, service_s=1.0)
    for user in (1, 2, 1):  # commits 1, 2 and 3 at the seconds 1, 2 and 3
        await db.update_user(user)
    assert [db.stale_s(1, commit, 10.0) for commit in (0, 1, 3)] == [9.0, 7.0, 0.0]


@in_virtual_time
async def test_no_answer_was_stale_before_the_commit() -> None:
    """Judged afterwards, an answer that was the latest at its time is fresh."""
    db = SlowDatabase(users=1, service_s=1.0)
    await db.update_user(1)
    assert db.stale_s(1, 0, 0.5) == 0.0


@in_virtual_time
async def test_a_hundred_at_once_are_served_connection_by_connection() -> None:
    """With ten at a time and a second for each, the last of a hundred is answered after ten seconds."""
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
def test_the_queue_is_fair_and_never_too_full(connections: int, arrivals: list[tuple[int, bool, int | None]]) -> None:
    """Whatever callers come and give up: at most C are in service, in order of arrival, and none waits without need."""

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
async def test_waiting_counts_the_queries_without_a_connection() -> None:
    """Of five callers two are served and three wait; if one of the three is cancelled, two wait."""
    db = SlowDatabase(connections=2, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(1)) for _ in range(5)]
    await asyncio.sleep(0.5)
    waiting = [db.waiting]
    callers[3].cancel()
    await asyncio.sleep(0.1)
    assert [*waiting, db.waiting] == [3, 2]


@in_virtual_time
async def test_waiting_is_counted_and_not_searched() -> None:
    """With 20,000 in the queue it takes no longer than with one: a monitor may ask it at every request."""
    db = SlowDatabase(connections=1, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(1)) for _ in range(20_001)]
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    assert [db.waiting for _ in range(1_000)] == [20_000] * 1_000
    assert time.perf_counter() - began < 0.5  # a search of the queue takes a thousand times as long
    for caller in callers:
        caller.cancel()
    await asyncio.sleep(0.1)
    assert db.waiting == 0


@in_virtual_time
async def test_a_caller_that_is_cancelled_in_the_queue_costs_nothing() -> None:
    """The caller behind it is served as if it had never been there, and there was no query for it."""
    db = SlowDatabase(connections=1, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(user)) for user in (1, 2, 3)]
    await asyncio.sleep(0.5)
    callers[1].cancel()
    await callers[2]
    assert (now(), [query.key for query in db.queries]) == (2.0, [1, 3])


@in_virtual_time
async def test_a_caller_that_is_cancelled_in_service_keeps_the_connection_busy() -> None:
    """The database does not know that the caller no longer waits: the query runs to its end."""
    db = SlowDatabase(connections=1, service_s=1.0)
    first = asyncio.create_task(db.fetch_user(1))
    await asyncio.sleep(0.5)
    first.cancel()
    await db.fetch_user(2)
    assert now() == 2.0


@in_virtual_time
async def test_a_write_commits_although_its_caller_is_cancelled_in_service() -> None:
    """The caller does not learn of the commit, but a later read sees it."""
    db = SlowDatabase(users=1, connections=1, service_s=1.0)
    writer = asyncio.create_task(db.update_user(1))
    await asyncio.sleep(0.5)
    writer.cancel()
    answer = await db.fetch_user(1)
    assert isinstance(answer, UserProfile)
    assert answer.commit == 1


@in_virtual_time
async def test_a_caller_that_is_cancelled_as_it_gets_a_connection_passes_it_on() -> None:
    """If the caller is cancelled at the instant at which it gets the connection, the next caller gets it."""
    db = SlowDatabase(connections=1, service_s=1.0)
    callers = [asyncio.create_task(db.fetch_user(user)) for user in (1, 2, 3)]
    await asyncio.sleep(0.5)
    asyncio.get_running_loop().call_at(
        1.0, callers[1].cancel
    )  # after the connection is handed over, before the task runs
    await callers[2]
    assert (callers[1].cancelled(), now(), db.waiting) == (True, 2.0, 0)


@pytest.mark.parametrize("user", [2**70, "one", None, 1.5])
@in_virtual_time
async def test_a_query_that_fails_gives_its_connection_back(user: Any) -> None:
    """After a query that raised, whatever it was, the only connection can serve the next one."""
    db = SlowDatabase(users=1, connections=1)
    await asyncio.gather(db.fetch_user(user), return_exceptions=True)
    assert isinstance(await db.fetch_user(1), UserProfile)


@in_virtual_time
async def test_a_write_that_fails_raises() -> None:
    """If SQLite refuses a value, the caller gets the error and does not wait for ever."""
    db = SlowDatabase(users=1, connections=1)
    with pytest.raises(Exception, match="type"):
        await db.update_user(1, object())  # type: ignore[arg-type]
    assert db.stale_s(1, 0, 9.0) == 0.0  # nothing has committed


@in_virtual_time
async def test_the_service_time_may_change_while_it_runs() -> None:
    """A query in service keeps its service time; a query that begins later has the new one."""
    db = SlowDatabase(connections=1, service_s=1.0)
    first = asyncio.create_task(db.fetch_user(1))
    await asyncio.sleep(0.5)
    db.service_s = 4.0
    await first
    await db.fetch_user(2)
    assert ([query.ended for query in db.queries], now()) == ([1.0, 5.0], 5.0)


@in_virtual_time
async def test_every_query_is_recorded() -> None:
    """The record has its kind, its user, and when it was asked, began and ended."""
    db = SlowDatabase(connections=1, service_s=1.0)
    await asyncio.gather(db.fetch_user(1), db.update_user(2))
    assert db.queries == [Query("read", 1, None, 0.0, 0.0, 1.0), Query("write", 2, None, 0.0, 1.0, 2.0)]


def test_the_capacity_is_connections_over_service_time() -> None:
    """Eight connections and 50 ms for each query make 160 queries per second."""
    assert SlowDatabase(connections=8, service_s=0.05).capacity == 160.0


@pytest.mark.parametrize(
    "wrong",
    [{"users": 0}, {"connections": 0}, {"connections": 2.5}, {"service_s": 0.0}, {"service_s": math.nan}],
    ids=str,
)
def test_a_database_that_could_serve_no_query_is_refused(wrong: dict[str, Any]) -> None:
    """The error says in one sentence what a database needs."""
    with pytest.raises(ValueError, match="A database needs at least 1 user, 1 connection and a service time above 0"):
        SlowDatabase(**wrong)
