"""Exercise 15.1: a cache whose loads use the session of the request that started them."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cachelab.lab.exercises.exercise import Exercise, NotYet, Wrong, awaited, refuse_an_object
from cachelab.lab.exercises.experiment import run_experiment
from cachelab.lab.web_app.profiles import Profile, ProfileDatabase
from cachelab.lab.web_app.serving import Worker, serving

__all__ = ["EXERCISE"]

PATIENCE_S = {"short": 0.1, "long": 5.0}
SERVICE_S, SECONDS, MAX_STALE_S = 0.2, 35, 2.0
MAX_READS = 60  # one a second, and some for whoever renews early


def _service(db: ProfileDatabase, users: Any) -> Starlette:
    """The service of the chapter, with the learner's cache."""

    async def get_user(request: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE_S[request.headers["patience"]]):
                with db.session() as session:
                    user_id = request.path_params["id"]
                    user = await awaited("get", users.get(session, user_id))
        except TimeoutError:
            return Response(status_code=504)
        if not isinstance(user, Profile) or user.id != user_id:
            raise Wrong(
                "get returns the user that was asked for, as the session gave it.", f"get({user_id}) → {user!r:.60}"
            )
        return Response(msgspec.json.encode(user))

    return Starlette(routes=[Route("/users/{id:int}", get_user)])


def _raise_error_of(worker: Worker, what: str) -> None:
    """If an answer was an error, raise what it says of the learner's code."""
    for error in worker.errors:
        if isinstance(error, sqlite3.ProgrammingError):
            words = "A load still uses the session of a request, which the request has closed."
            raise Wrong(words, f"{what}: status 500, {error}")
        if isinstance(error, asyncio.CancelledError):
            words = "The first request was cancelled, and with it the load for which the others wait."
            raise Wrong(words, f"{what}: status 500, the load was cancelled")
        raise error


async def _hundred(make: Any) -> None:
    """A hundred requests for one user; the first has little time. Then one for another user."""
    db = ProfileDatabase(service_s=SERVICE_S)
    async with serving(_service(db, make(db))) as worker:
        patience = ["short"] + 99 * ["long"]
        answers = await asyncio.gather(*(worker.get("/users/7", {"patience": each}) for each in patience))
        _raise_error_of(worker, "a hundred requests, and the time of the first is up")
        late = sum(answer.status == 504 for answer in answers[1:])
        if late:
            words = "Some of the 99 got no answer within 5 s: who waits for a load has to get its answer."
            raise Wrong(words, f"{late} of the 99 got status 504")
        if db.reads > 2:
            words = "Callers that miss together wait for one load, as before."
            raise Wrong(words, f"a hundred requests for user 7 → {db.reads} queries")
        await worker.get("/users/8", {"patience": "long"})
        _raise_error_of(worker, "a request for user 8")


async def _seconds(make: Any) -> int:
    """One user, read ten times a second while the address changes; how many queries there were."""
    db, clock = ProfileDatabase(), asyncio.get_running_loop().time
    changes: list[asyncio.Task[None]] = []
    async with serving(_service(db, make(db))) as worker:
        for tenth in range(10 * SECONDS):
            await asyncio.sleep(tenth / 10 - clock())
            changes.append(asyncio.create_task(db.update_user(7, f"{tenth}@example.com")))
            asked = clock()
            answer = await worker.get("/users/7", {"patience": "long"})
            _raise_error_of(worker, f"the request at {asked:.1f} s")
            stale_s = db.stale_s(7, answer.json()["email"], clock())
            if stale_s > MAX_STALE_S:
                words = "The renewals fail, or there are none: the answers grow older, and each of them has status 200."
                raise Wrong(words, f"the answer at {clock():.1f} s: status 200, out of date by {stale_s:.1f} s")
            if tenth and clock() > asked:
                words = "Within 30 s after its TTL the old value is given at once, and nobody waits for the new one."
                raise Wrong(words, f"the request at {asked:.1f} s waited {clock() - asked:.2f} s")
        await asyncio.gather(*changes)
    if db.reads > MAX_READS:
        words = "The value is fresh for 1 s: within it nothing is loaded."
        raise Wrong(words, f"{SECONDS} s with ten reads a second → {db.reads} queries")
    return db.reads


def _examine(make: Any) -> str:
    """The hundred requests of the incident, and half a minute of reads."""
    if make is ...:
        raise NotYet("write the name of your class in place of the ...")
    refuse_an_object(make)
    run_experiment(_hundred, make)
    reads = run_experiment(_seconds, make)
    return f"99 neighbours are answered, and no answer is out of date by more than 2 s, with {reads} queries in 35 s."


EXERCISE = Exercise(
    _examine,
    [
        "For how long is the session open that load uses? And for how long does the load run?",
        "A load that no request owns needs a session that no request closes. self.db opens one.",
        "In load: `with self.db.session() as session:` around the query; get passes on no session.",
    ],
)
