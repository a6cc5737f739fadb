"""Exercise 15.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from cachelab import Cache, Flight, Freshness, MemoryStore
from tests.support.exercise_checks import assert_verdict, each_answer


class HandMade:
    """The cache of the chapter: each load has the session of a request."""

    shielded = True

    def __init__(self, db: Any) -> None:
        self.db = db
        self.kept: dict[int, Any] = {}
        self.loads: dict[int, asyncio.Task[Any]] = {}

    async def get(self, session: Any, user_id: int) -> Any:
        now = asyncio.get_running_loop().time()
        value, loaded_at = self.kept.get(user_id, (None, -math.inf))
        if now < loaded_at + 1:
            return value
        if user_id not in self.loads:
            self.loads[user_id] = asyncio.create_task(self.load(session, user_id))
            self.loads[user_id].add_done_callback(self.ended)
        if now < loaded_at + 31:
            return value
        task = self.loads[user_id]
        return await (asyncio.shield(task) if self.shielded else task)

    def ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()

    async def load(self, session: Any, user_id: int) -> Any:
        try:
            value = await self.fetch(session, user_id)
            self.kept[user_id] = value, asyncio.get_running_loop().time()
            return value
        finally:
            del self.loads[user_id]

    async def fetch(self, session: Any, user_id: int) -> Any:
        return await session.fetch_user(user_id)


class OwnSession(HandMade):
    """The solution."""

    async def fetch(self, session: Any, user_id: int) -> Any:
        with self.db.session() as own:
            return await own.fetch_user(user_id)


class AskTheDatabase(HandMade):
    """The database opens a session for each query."""

    async def fetch(self, session: Any, user_id: int) -> Any:
        return await self.db.fetch_user(user_id)


class OneForAll(HandMade):
    """One session for as long as the cache lives."""

    def __init__(self, db: Any) -> None:
        super().__init__(db)
        self.block = db.session()
        self.session = self.block.__enter__()

    async def fetch(self, session: Any, user_id: int) -> Any:
        return await self.session.fetch_user(user_id)


class OfThePackage:
    """A cache of cachelab."""

    def __init__(self, db: Any) -> None:
        swr = Freshness(stale_for=30)
        self.cache: Any = Cache(MemoryStore(10), db.fetch_user, ttl=1, flight=Flight(), freshness=swr)

    async def get(self, session: Any, user_id: int) -> Any:
        return await self.cache.get(user_id)


class TwoSteps(HandMade):
    """Right by way of a task that only fetches."""

    async def fetch(self, session: Any, user_id: int) -> Any:
        return await asyncio.create_task(self.db.fetch_user(user_id))


class NotShielded(OwnSession):
    """The first request's end cancels the load."""

    shielded = False


class NoCache(HandMade):
    """Each request asks."""

    async def get(self, session: Any, user_id: int) -> Any:
        return await session.fetch_user(user_id)


class Waits(OwnSession):
    """Everybody waits for the new value."""

    async def get(self, session: Any, user_id: int) -> Any:
        now = asyncio.get_running_loop().time()
        value, loaded_at = self.kept.get(user_id, (None, -math.inf))
        if now < loaded_at + 1:
            return value
        if user_id not in self.loads:
            self.loads[user_id] = asyncio.create_task(self.load(session, user_id))
        return await asyncio.shield(self.loads[user_id])


class NeverRenews(OwnSession):
    """Keeps what it has for 31 s."""

    async def get(self, session: Any, user_id: int) -> Any:
        now = asyncio.get_running_loop().time()
        value, loaded_at = self.kept.get(user_id, (None, -math.inf))
        return value if now < loaded_at + 31 else await super().get(session, user_id)


class NoReturn(OwnSession):
    """Forgets to return."""

    async def get(self, session: Any, user_id: int) -> Any:
        await super().get(session, user_id)


class Hangs(OwnSession):
    """Waits for ever."""

    async def fetch(self, session: Any, user_id: int) -> Any:
        await asyncio.Event().wait()


class SameForAll(OwnSession):
    """Forgets the key."""

    async def get(self, session: Any, user_id: int) -> Any:
        return await super().get(session, 7)


ANSWERS: list[tuple[Any, str]] = [
    (OwnSession, "Correct."),
    (AskTheDatabase, "Correct."),
    (OneForAll, "Correct."),
    (OfThePackage, "Correct."),
    (TwoSteps, "Correct."),
    (HandMade, "uses the session of a request"),
    (NotShielded, "was cancelled, and with it the load"),
    (NoCache, "wait for one load, as before"),
    (Waits, "nobody waits for the new one"),
    (NeverRenews, "The renewals fail, or there are none"),
    (NoReturn, "is a return missing?"),
    (Hangs, "got no answer within 5 s"),
    (SameForAll, "the user that was asked for"),
    (OwnSession(None), "Give the check the class itself"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("15.1", answer, words, capsys)
