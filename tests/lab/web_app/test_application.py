"""The service of chapter 15, whole, in virtual time: its answers, a Redis that is away, and the same digest twice."""

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from cachelab import lab
from cachelab.lab.web_app import application
from cachelab.lab.web_app.incidents import INCIDENTS, watch_incident
from cachelab.lab.web_app.releases import store_of_release
from cachelab.lab.web_app.traffic import Watch
from tests.support.fakes import in_virtual_time
from tests.support.notebooks import ROOT


def create(db: lab.ProfileDatabase, redis: lab.FakeRedis, node: str = "A") -> Any:
    """A worker's application."""
    return application.create(lambda: db, lambda: redis.client(node))


async def everything(seed: int = 3) -> str:
    """The digest of two workers with Redis away for a while, a middleware, a stream and a `def` endpoint."""
    db, redis = lab.ProfileDatabase(users=45), lab.FakeRedis(lab.Down(5, 10), lab.Hanging(12, 14))
    apps = [create(db, redis, node) for node in "AB"]
    for app in apps:
        app.add_middleware(PassingOn)
        app.add_route("/stream", lambda request: StreamingResponse(parts()))
        app.add_route("/thread", lambda request: PlainTextResponse("done"))
    requests = lab.Workload(rate=100, seconds=20, keys=50, write_rate=1, nodes=2, seed=seed).requests()
    async with lab.serving(apps[0]) as one, lab.serving(apps[1]) as two:
        others = [worker.get(path) for worker in (one, two) for path in ("/stream", "/thread")]
        visits, answers = await asyncio.gather(lab.visit([one, two], requests), asyncio.gather(*others))
    assert {visit.answer.status for visit in visits} == {200, 204, 404}
    return Watch(visits, []).digest() + "".join(answer.body.decode() for answer in answers)


async def parts() -> Any:
    """A body in two parts."""
    for part in "ab":
        await asyncio.sleep(1)
        yield part


class PassingOn(BaseHTTPMiddleware):
    """Passes each request on."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Change nothing."""
        return await call_next(request)


def digest_of_a_process(hash_seed: str) -> str:
    """What a fresh process finds."""
    code = "from tests.lab.web_app.test_application import *; print(lab.run(everything))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_two_processes_agree_on_the_whole_service() -> None:
    """Each answer, each header and each time is the same, and another seed gives others."""
    digest = lab.run(everything)
    assert digest.endswith("abdoneabdone")
    assert digest_of_a_process("1") == digest_of_a_process("2") == digest != lab.run(everything, 4)


@in_virtual_time
async def test_a_user_is_answered_with_what_remains() -> None:
    """A browser may keep an answer for as long as the cache would have given it, and no shared cache may."""
    db, redis = lab.ProfileDatabase(), lab.FakeRedis()
    async with lab.serving(create(db, redis)) as worker:
        ages = []
        for _ in range(4):
            answer = await worker.get("/users/7")
            ages.append(answer.headers["cache-control"])
            await asyncio.sleep(1.5)
        assert answer.json() == {"id": 7, "username": "user_7", "email": "user_7@example.com"}
        assert ages == [f"private, max-age={seconds}" for seconds in (5, 3, 2, 0)]
        assert (await worker.get("/users/1001")).status == 404


def test_a_write_is_seen_on_the_other_worker_within_ten_seconds() -> None:
    """Also if Redis is down when it comes. Without the delete the old address is still there: the test could fail."""

    async def scenario(delivering: bool) -> str:
        db, redis = lab.ProfileDatabase(), lab.FakeRedis(lab.Down(1, 5))
        async with lab.serving(create(db, redis, "A")) as one, lab.serving(create(db, redis, "B")) as two:
            await asyncio.gather(one.get("/users/7"), two.get("/users/7"))
            await asyncio.sleep(1)
            if delivering:
                assert (await one.put("/users/7", {"email": "new@example.com"})).status == 204
            else:
                await db.update_user(7, "new@example.com")
                for note in db.notes():
                    db.drop_note(note.number)
            await asyncio.sleep(12)
            email: str = (await two.get("/users/7")).json()["email"]
            return email

    assert lab.run(scenario, True) == "new@example.com"
    assert lab.run(scenario, False) == "user_7@example.com"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_killed_worker_leaves_its_note_to_the_other(seed: int) -> None:
    """Its Redis is down when it writes, and it is killed before Redis is back: the other worker delivers the note."""
    killed_at = 2.0 + seed / 2

    async def scenario() -> bool:
        db, redis = lab.ProfileDatabase(), lab.FakeRedis(lab.Down(1, 5))
        async with lab.serving(create(db, redis, "A")) as one, lab.serving(create(db, redis, "B")) as two:
            await asyncio.gather(one.get("/users/7"), two.get("/users/7"))
            await asyncio.sleep(1)
            await one.put("/users/7", {"email": "new@example.com"})
            await asyncio.sleep(killed_at - 1)
            redis.kill("A")
            await asyncio.sleep(6.2 - killed_at)
            assert db.notes() == []
            email: str = (await two.get("/users/7")).json()["email"]
            return email == "new@example.com"

    assert lab.run(scenario)


def test_a_write_waits_for_one_delete_however_many_notes_there_are() -> None:
    """For 30 s Redis answers nothing, and 5 writes a second leave 150 notes. Then all are delivered."""

    async def scenario() -> tuple[float, int, int]:
        db, redis = lab.ProfileDatabase(), lab.FakeRedis(lab.Hanging(5, 35))
        requests = lab.Workload(rate=20, write_rate=5, seconds=40, keys=100, nodes=2, seed=1).requests()
        loop, notes = asyncio.get_running_loop(), []
        loop.call_at(34.5, lambda: notes.extend(db.notes()))
        async with lab.serving(create(db, redis, "A")) as one, lab.serving(create(db, redis, "B")) as two:
            visits = await lab.visit([one, two], requests)
        return max(visit.latency_s for visit in visits if visit.write), len(notes), len(db.notes())

    slowest, waiting, left = lab.run(scenario)
    assert slowest < 0.2  # 50 ms for the row, and a time-out of Redis
    assert (waiting > 100, left) == (True, 0)


@in_virtual_time
async def test_the_outbox_outlives_an_error_of_the_database() -> None:
    """The database is away when the relay looks for notes. Later it delivers the one that was there."""
    db, redis = lab.ProfileDatabase(), lab.FakeRedis(lab.Down(1, 5))
    async with lab.serving(create(db, redis)) as worker:
        await asyncio.sleep(1.5)
        assert (await worker.put("/users/7", {"email": "new@example.com"})).status == 204
        path, db.path = db.path, "/"
        await asyncio.sleep(3)
        db.path = path
        assert len(db.notes()) == 1
        await asyncio.sleep(3)
        assert db.notes() == []


@in_virtual_time
async def test_a_release_deletes_the_users_of_its_neighbours() -> None:
    """A write that goes through release 2 reaches what releases 1 and 3 have put into Redis, and the other way."""
    db, redis = lab.ProfileDatabase(), lab.FakeRedis()
    stores = [store_of_release(release) for release in (1, 2, 3)]
    apps = [application.create(lambda: db, lambda: redis.client("A"), open_store=store) for store in stores]
    for writer in (1, 0, 2):
        async with AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(lab.serving(app)) for app in apps]
            for worker in workers:
                await worker.get("/users/7")
            reads = db.reads
            await workers[writer].put("/users/7", {"email": f"{writer}@example.com"})
            reached = [abs(number - writer) <= 1 for number in range(3)]
        async with AsyncExitStack() as stack:  # new workers, whose memories are empty
            workers = [await stack.enter_async_context(lab.serving(app)) for app in apps]
            emails = [(await worker.get("/users/7")).json()["email"] for worker in workers]
        assert [email == f"{writer}@example.com" for email in emails] == reached
        assert db.reads - reads == sum(reached)


@pytest.mark.parametrize("incident", INCIDENTS)
def test_no_incident_makes_the_service_fail(incident: str) -> None:
    """No answer is an error, in any of them. The numbers tell them apart."""
    watch = lab.run(watch_incident, incident)
    assert {visit.answer.status for visit in watch.visits} == {200, 204}
    before, during = watch.numbers[3], watch.numbers[5]
    if incident == "flush":
        assert during.redis_hits < before.redis_hits / 2
        assert during.loads_per_s > 2 * before.loads_per_s
    if incident == "Redis hangs":
        assert (during.redis_hits, before.store_errors_per_s) == (0.0, 0.0)
        assert during.store_errors_per_s > 10
    if incident == "slow database":
        assert during.load_s > 10 * before.load_s
        assert during.p99_s > 10 * before.p99_s


def test_an_unknown_incident_gets_a_sentence() -> None:
    """The text names those that there are."""
    with pytest.raises(ValueError, match=r"^incident must be one of calm, flush, .*, not 'fire'\.$"):
        lab.run(watch_incident, "fire")
