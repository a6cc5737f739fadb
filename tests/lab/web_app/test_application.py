"""The service of chapter 15, whole, in virtual time: its answers, a Redis that is away, and the same digest twice."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from cachelab import Cache, RedisStore, lab
from cachelab.lab.web_app import application
from cachelab.lab.web_app.incidents import INCIDENTS, watch_incident
from cachelab.lab.web_app.releases import store_of_release
from cachelab.lab.web_app.traffic import Watch
from tests.support.fakes import in_virtual_time, now
from tests.support.notebooks import ROOT

EXPECTED = "695ccae7eb87f8f9abdoneabdone"
"""What `everything` finds in Python 3.11, 3.12 and 3.13. It changes only when the lab or the application changes."""


def create(db: lab.ProfileDatabase, redis: lab.FakeRedis, node: str = "A") -> Any:
    """A worker's application."""
    return application.create(lambda: db, lambda: redis.client(node))


async def everything(seed: int = 3) -> str:
    """The digest of two workers with Redis away for a while, a middleware, a stream and a `def` endpoint."""
    db, redis = lab.ProfileDatabase(users=45), lab.FakeRedis(lab.Down(1, 3), lab.Hanging(4, 5))
    apps = [create(db, redis, node) for node in "AB"]
    for app in apps:
        app.add_middleware(PassingOn)
        app.add_route("/stream", lambda request: StreamingResponse(parts()))
        app.add_route("/thread", lambda request: PlainTextResponse("done"))
    requests = lab.Workload(rate=100, seconds=6, keys=50, write_rate=1, nodes=2, seed=seed).requests()
    async with lab.serving(apps[0]) as one, lab.serving(apps[1]) as two:
        others = [worker.get(path) for worker in (one, two) for path in ("/stream", "/thread")]
        visits, answers = await asyncio.gather(lab.visit([one, two], requests), asyncio.gather(*others))
    assert {visit.answer.status for visit in visits} == {200, 204, 404}
    visits = [visit._replace(answer=without_other_headers(visit.answer)) for visit in visits]
    return Watch(visits, []).digest() + "".join(answer.body.decode() for answer in answers)


def without_other_headers(answer: Any) -> Any:
    """An answer with the header that the application decides on; the others are Starlette's."""
    return answer._replace(headers={"cache-control": answer.headers.get("cache-control")})


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


def test_all_versions_of_python_agree_on_the_whole_service() -> None:
    """Each answer and each time is the same, and another seed gives others."""
    assert lab.run(everything) == EXPECTED != lab.run(everything, 4)


@pytest.mark.long
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_each_process_agrees_on_the_whole_service(hash_seed: str) -> None:
    """Neither the order of sets nor the addresses of objects change anything."""
    assert digest_of_a_process(hash_seed) == EXPECTED


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


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_the_old_entry_is_gone_within_a_second_after_redis_is_back(killed: bool) -> None:
    """Whether the worker that got the write lives or not. A memory may keep it for 10 s more."""

    async def scenario(back_at: float) -> tuple[float, float]:
        db, redis, loop = lab.ProfileDatabase(), lab.FakeRedis(lab.Down(1, back_at)), asyncio.get_running_loop()
        store = RedisStore(redis.client("reader"), lab.Profile, namespace="user", version=1)
        last = {"in Redis": back_at, "in a memory": back_at}
        async with (
            lab.serving(create(db, redis, "A")) as one,
            lab.serving(create(db, redis, "B")) as two,
            Cache(store, db.fetch_user, ttl=60) as reader,
        ):
            await asyncio.gather(one.get("/users/7"), two.get("/users/7"))
            await asyncio.sleep(1)
            assert (await one.put("/users/7", {"email": "new@example.com"})).status == 204
            if killed:
                redis.kill("A")
            while loop.time() < back_at + 13:
                await asyncio.sleep(0.1)
                answers = [await worker.get("/users/7") for worker in ([two] if killed else [one, two])]
                if any(answer.json()["email"] != "new@example.com" for answer in answers):
                    last["in a memory"] = loop.time()
                user = await reader.get(7)
                assert isinstance(user, lab.Profile)
                if user.email != "new@example.com":
                    last["in Redis"] = loop.time()
            assert db.notes() == []
        return last["in Redis"] - back_at, last["in a memory"] - back_at

    seconds = [lab.run(scenario, 5 + quarter / 4) for quarter in range(4)]
    assert 0.5 < max(in_redis for in_redis, _ in seconds) < 1.1
    assert max(in_memory for _, in_memory in seconds) < 11.1


@in_virtual_time
async def test_a_write_does_not_deliver_the_notes_of_others() -> None:
    """While Redis hangs, each delete takes as long as the time-out: the answer waits for its own, and for no other."""
    db, redis = lab.ProfileDatabase(), lab.FakeRedis(lab.Hanging(1, 60), timeout_s=0.1)
    async with lab.serving(create(db, redis)) as worker:
        for user_id in range(1, 40):
            await db.update_user(user_id, "old@example.com")
        await asyncio.sleep(10)
        began = now()
        assert (await worker.put("/users/7", {"email": "new@example.com"})).status == 204
        assert now() - began < 0.3
        assert len(db.notes()) == 40
        assert len(db.notes(7)) == 2


@in_virtual_time
async def test_the_relay_outlives_a_database_that_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no note would be delivered any more, and nobody would see it."""
    db, redis = lab.ProfileDatabase(), lab.FakeRedis()
    async with lab.serving(create(db, redis)):
        with monkeypatch.context() as patch:
            patch.setattr(db, "notes", locked)
            await asyncio.sleep(2.5)
        await db.update_user(7, "new@example.com")
        assert db.notes()
        await asyncio.sleep(1)
        assert db.notes() == []


def locked(user_id: int | None = None) -> Any:
    """What SQLite says after waiting for a lock for some seconds."""
    raise sqlite3.OperationalError("database is locked")


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


@pytest.mark.parametrize(
    "incident", [*INCIDENTS[:3], *(pytest.param(name, marks=pytest.mark.long) for name in INCIDENTS[3:])]
)
def test_no_incident_makes_the_service_fail(incident: str) -> None:
    """No answer is an error, in any of them. The numbers tell them apart."""
    watch = lab.run(watch_incident, incident)
    assert {visit.answer.status for visit in watch.visits} == {200, 204}
    assert watch.errors == 0
    before, during = watch.numbers[3], watch.numbers[5]
    if incident == "cold start":
        assert watch.numbers[0].redis_hits < before.redis_hits / 2
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
