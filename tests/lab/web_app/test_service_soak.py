"""The service of chapter 15 in an open loop, while its workers, its Redis and its database fail, and are replaced.

Two real workers on a real Redis, and a client that does what a load balancer does: if a connection breaks, it sends the
request to the other worker.

How old may an answer be? Its age is measured from outside: from the commit of the next address, which the database
notes, to the moment when the request was sent. It has three parts:

- until the delete has reached Redis. A PUT deletes at once. If Redis is away, or the worker is killed after its commit,
  the note is in the outbox, and each worker looks for notes once a second: `DELIVERY_S` after the commit, or after
  Redis is back. While Redis is away nobody can read an old entry there, but the memories of the workers are read.
- then the worker's memory may go on serving what it read from Redis just before: `MEMORY_S`.
- `SLACK_S` for the load or the read that was under way, and for a machine that was busy.

No fill that is late can bring an old address back: the store grants leases. Without them the first part would be the
TTL in Redis, 60 s.
"""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from random import Random
from typing import TypeAlias

import pytest

from tests.support.notebooks import ROOT
from tests.support.real_service import ROUND_S, Commit, RealService, Traffic, Visit, a_round, running_service
from tests.support.servers import becomes_true, is_running, need_server
from tests.support.tiers import tiers

Spans: TypeAlias = list[tuple[float, float]]
"""From when to when, each."""

MEMORY_S = 5.0 + 5.0
"""The TTL of the memory, and its `stale_for`."""
DELIVERY_S = 1.5
SLACK_S = 0.5
ORIGIN_ERRORS = {"sqlite3.OperationalError: no such table: users"}

KILLED = """
import asyncio
from tests.support.real_service import running_service
async def main():
    async with running_service() as service:
        service.server.hang()
        print(*service.started, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def delivered_by(commit_at: float, away: Spans) -> float:
    """When a delete for a commit at this time has reached Redis, at the latest."""
    latest = commit_at + DELIVERY_S
    for began, ended in sorted(away):
        if began < latest:
            latest = max(latest, ended + DELIVERY_S)
    return latest


def old_answers(visits: list[Visit], history: list[Commit], away: Spans) -> list[tuple[float, float]]:
    """For each answer that was old when it was asked for: by how many seconds, and by how many it was allowed to be.

    Raises ValueError for an address that the user never had.
    """
    commits: dict[int, list[Commit]] = defaultdict(list)
    for commit in history:
        commits[commit.user_id].append(commit)
    ages = []
    for visit in visits:
        if visit.write or visit.status != 200:
            continue
        own = commits[visit.user_id]
        emails = [f"user_{visit.user_id}@example.com", *(commit.email for commit in own)]
        newer = emails.index(visit.email)  # the commit that replaced this address, if there is one
        if newer < len(own) and own[newer].at < visit.sent:
            replaced_at = own[newer].at
            allowed = delivered_by(replaced_at, away) + MEMORY_S + SLACK_S - replaced_at
            ages.append((visit.sent - replaced_at, allowed))
    return ages


def unexpected(visits: list[Visit], failing: Spans) -> list[Visit]:
    """The visits without a good answer, apart from errors of the service while the database was failing."""

    def is_of_the_origin(visit: Visit) -> bool:
        return visit.status == 500 and any(visit.sent < end and began < visit.ended for began, end in failing)

    return [visit for visit in visits if visit.status != (204 if visit.write else 200) and not is_of_the_origin(visit)]


def unexplained(broken: list[tuple[int, float]], killed: set[int], failing: Spans) -> list[tuple[int, float]]:
    """The connections that broke, apart from those to a worker that was killed.

    After an error of the application, uvicorn closes the connection on which it has answered 500, just when the client
    may use it again. So those while the database was failing are left out, too.
    """
    return [
        (worker, at)
        for worker, at in broken
        if worker not in killed and not any(began < at < ended + 1 for began, ended in failing)
    ]


def lost_writes(visits: list[Visit], history: list[Commit]) -> list[Visit]:
    """The writes that were confirmed, and are not in the database."""
    committed = {(commit.user_id, commit.email) for commit in history}
    return [visit for visit in visits if visit.status == 204 and (visit.user_id, visit.email) not in committed]


async def soak(rounds: int) -> tuple[RealService, Traffic, list[Commit], list[str]]:
    """Run the traffic and the faults, let the workers deliver what is left, and end them in good order."""
    async with running_service() as service:
        traffic, chance = Traffic(service), Random("service/soak")

        async def faults() -> None:
            for _ in range(rounds):
                await a_round(service, chance)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(traffic.run(rate=100, write_rate=5, seconds=ROUND_S * rounds, seed=1))
            tasks.create_task(faults())
        deadline = time.monotonic() + 5
        while service.notes() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        assert service.notes() == 0
        old = await service.old_entries()
        for worker in list(service.rotation):
            await service.end(worker)
        return service, traffic, service.history(), old


def quantile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(service: RealService, traffic: Traffic, history: list[Commit], ages: list[tuple[float, float]]) -> None:
    """Print what was seen; pytest shows it if the test fails."""
    visits = traffic.visits
    statuses = Counter(visit.status for visit in visits)
    print(f"\n{len(visits)} requests, {len(history)} commits; answers by status: {dict(sorted(statuses.items()))}")
    print(f"{len(service.killed)} workers killed, {service.deploys} deploys, Redis away {len(service.away)} times for")
    print(f"{sum(end - began for began, end in service.away):.1f} s; {len(traffic.broken)} connections broken")
    for name, write in (("read", False), ("write", True)):
        took = [visit.ended - visit.due for visit in visits if visit.write == write]
        shares = ", ".join(f"p{100 * share:g} {quantile(took, share):.3f} s" for share in (0.5, 0.99, 0.999, 1))
        print(f"latency of a {name}: {shares}")
    old = [age for age, _ in ages]
    print(f"{len(ages)} answers were old, by {max(old):.2f} s at most; the least room below the bound: ", end="")
    print(f"{min(allowed - age for age, allowed in ages):.2f} s")


@pytest.mark.parametrize("rounds", tiers(30, soak_timeout_s=1_200))
def test_the_service_survives_kills_hangs_and_deploys(rounds: int) -> None:
    """No error that the database did not cause, no lost write, no answer above its bound, and nothing is left.

    Each round of 20 s has 100 reads and 5 writes a second. In ten minutes the oldest answer was old by 9.9 s. One round
    is too short to show a memory that keeps its copies for too long; three are enough.
    """
    service, traffic, history, old_entries = asyncio.run(soak(rounds))
    ages = old_answers(traffic.visits, history, service.away)
    report(service, traffic, history, ages)
    assert unexpected(traffic.visits, service.failing) == []
    assert lost_writes(traffic.visits, history) == []
    assert [age for age, allowed in ages if age > allowed] == []
    assert old_entries == []
    assert unexplained(traffic.broken, service.killed, service.failing) == []  # a deploy breaks no connection
    assert set(re.findall(r"^[\w.]*(?:Error|Exception|Warning)\b.*", service.printed, re.MULTILINE)) <= ORIGIN_ERRORS
    assert min(len(traffic.broken), len(ages), len(service.failing), service.deploys, len(service.killed)) >= 1
    assert [pid for pid in service.started if is_running(pid)] == []


def read(sent: float, email: str, status: int = 200) -> Visit:
    """An answer for user 7."""
    return Visit(7, write=False, due=sent, sent=sent, ended=sent + 0.1, status=status, email=email)


def test_the_age_of_an_answer_is_that_of_the_next_commit() -> None:
    """An answer is old from the commit that replaced it, and not from its own; the last address is never old."""
    history = [Commit(7, "a", 10.0), Commit(8, "x", 11.0), Commit(7, "b", 20.0)]
    first, bound = "user_7@example.com", DELIVERY_S + MEMORY_S + SLACK_S
    visits = [read(9.0, first), read(13.0, first), read(13.0, "a"), read(40.0, "a"), read(50.0, "b")]
    assert old_answers(visits, history, []) == [(3.0, bound), (20.0, bound)]
    with pytest.raises(ValueError, match="x"):
        old_answers([read(13.0, "x")], history, [])


def test_an_outage_puts_the_bound_off() -> None:
    """A delete is late if Redis is away at the commit, or before it was surely delivered; two outages may follow."""
    away = [(10.0, 12.0), (13.0, 14.0), (30.0, 31.0)]
    assert delivered_by(5.0, away) == 5.0 + DELIVERY_S
    assert delivered_by(9.0, away) == delivered_by(11.0, away) == 14.0 + DELIVERY_S
    assert delivered_by(15.0, away) == 15.0 + DELIVERY_S


def test_only_the_database_excuses_an_error() -> None:
    """A 500 while the database was failing is its own. One before that, or a missing answer, is a fault."""
    failing = [(10.0, 11.0)]
    wrong = [read(9.0, "", 500), read(10.5, "", 0), read(10.5, "", 503), read(1.0, "a")._replace(write=True)]
    assert unexpected([read(1.0, "a"), read(10.5, "", 500), read(9.95, "", 500), *wrong], failing) == wrong
    written = read(1.0, "a", 204)._replace(write=True)
    assert lost_writes([written, written._replace(email="b")], [Commit(7, "a", 1.0)]) == [written._replace(email="b")]
    assert unexplained([(1, 5.0), (2, 5.0), (2, 11.5), (2, 12.5)], {1}, failing) == [(2, 5.0), (2, 12.5)]


@pytest.mark.long
def test_nothing_is_left_after_a_failure() -> None:
    """An assertion fails while Redis hangs, a worker starts, and requests are under way."""
    services = []

    async def main() -> None:
        async with running_service() as service, asyncio.TaskGroup() as tasks:
            services.append(service)
            tasks.create_task(Traffic(service).run(rate=50, write_rate=5, seconds=20, seed=1))
            tasks.create_task(service.hang_redis(20))
            tasks.create_task(service.deploy())
            await asyncio.sleep(0.3)
            raise AssertionError("on purpose")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        asyncio.run(main())
    assert len(services[0].started) == 1 + 2 + 1
    assert [pid for pid in services[0].started if is_running(pid)] == []


@pytest.mark.long
def test_nothing_is_left_when_the_test_is_killed() -> None:
    """SIGKILL for the process that has started them all, while Redis hangs."""
    need_server()
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        started = [int(pid) for pid in process.stdout.readline().split()]
        assert len(started) == 1 + 2
        process.kill()
    assert becomes_true(lambda: not any(is_running(pid) for pid in started))
