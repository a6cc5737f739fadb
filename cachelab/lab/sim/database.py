"""The slow database: real SQLite rows behind a pool of connections, so that it queues when asked for too much.

Problem: a stampede hurts because the origin has a capacity; a `sleep` has none.
Idea: C connections, each busy for `service_s` seconds per query, and one queue in order of arrival: the capacity is
    C / service_s queries per second. Every write gets the next commit number, and every row carries its own, so
    that each answer can be scored: the latest, or out of date for so many seconds.
Guarantee: never more than C queries in service; a read sees the row as it is when its service begins, a write is
    visible when its service ends; a caller that leaves does not free its connection early, the query runs to its end.
Not guaranteed: anything a real planner, disk or lock would do. Service times are constant.
Cost: one SQLite statement and one timer for each query.
Source: the model is the article's UserProfile; the queue is the textbook's G/D/C.
"""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from cachelab.entry import ABSENT, Absent
from cachelab.lab.sim.listeners import current_request

__all__ = ["Query", "SlowDatabase", "UserProfile"]

T = TypeVar("T")
Kind: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class UserProfile:
    """The article's model, and the number of the commit that wrote this row (0 for the first load of the table)."""

    id: int
    username: str
    email: str
    commit: int = 0


@dataclass(slots=True)
class Query:
    """One query, in seconds of the loop's clock: asked, began to be served, ended."""

    kind: Kind
    key: int
    request: int | None
    asked: float
    began: float
    ended: float


class SlowDatabase:
    """Users 1 to `users` in SQLite; `connections` queries at a time, each taking `service_s` seconds.

    `queries` holds every query that has begun, in that order; `service_s` may be changed while it runs.
    """

    def __init__(self, *, users: int = 1_000, connections: int = 8, service_s: float = 0.05) -> None:
        if users < 1 or connections < 1 or connections != int(connections) or not service_s > 0:
            raise ValueError("A database needs at least 1 user, 1 connection and a service time above 0 seconds.")
        self.connections = connections
        self.service_s = service_s
        self.queries: list[Query] = []
        self._free = connections
        self._queue: deque[asyncio.Future[None]] = deque()
        self._commit = 0
        self._history: dict[int, list[tuple[int, float]]] = {}  # user -> (commit, when), in order
        self._sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)  # gc may run elsewhere
        weakref.finalize(self, self._sql.close)
        self._sql.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT, version INTEGER)")
        self._sql.execute("BEGIN")
        self._sql.executemany(
            "INSERT INTO users VALUES (?, ?, ?, 0)",
            ((i, f"user_{i}", f"user_{i}@example.com") for i in range(1, users + 1)),
        )
        self._sql.execute("COMMIT")

    @property
    def capacity(self) -> float:
        """Queries per second that it can serve, C / s."""
        return self.connections / self.service_s

    @property
    def waiting(self) -> int:
        """Queries that wait for a connection now."""
        return sum(not turn.done() for turn in self._queue)

    async def fetch_user(self, user_id: int) -> UserProfile | Absent:
        """The user, as the row stands when the service begins, or `ABSENT`."""
        asked = await self._connection()
        row = self._row(user_id)
        return await self._serve("read", user_id, asked, lambda: ABSENT if row is None else UserProfile(*row))

    async def update_user(self, user_id: int, email: str | None = None) -> int:
        """Give the user a new e-mail address (by default one that holds the commit number); return the commit.

        A caller that is cancelled while the write is in service does not learn that it commits: it does.
        """
        asked = await self._connection()
        return await self._serve("write", user_id, asked, lambda: self._write(user_id, email))

    def stale_s(self, user_id: int, commit: int, at: float) -> float:
        """For how many seconds `commit` had been out of date for this user at the time `at`; 0.0 if it was not."""
        history = self._history.get(user_id)
        if history is None:
            return 0.0
        newer = bisect_right(history, commit, key=lambda item: item[0])
        return max(0.0, at - history[newer][1]) if newer < len(history) else 0.0

    async def _connection(self) -> float:
        """Wait for a connection, in order of arrival; return when it was asked for."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        if self._free:
            self._free -= 1
            return asked
        turn = loop.create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the connection had just been handed over
                self._release()
            raise
        return asked

    def _release(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _serve(self, kind: Kind, key: int, asked: float, work: Callable[[], T]) -> asyncio.Future[T]:
        """Keep the connection busy for the service time, then do the work, whether or not the caller still waits."""
        loop = asyncio.get_running_loop()
        seen = current_request.get()
        if seen is not None:
            seen.queries += 1
        now = loop.time()
        self.queries.append(Query(kind, key, seen.number if seen else None, asked, now, now + self.service_s))
        answer: asyncio.Future[T] = loop.create_future()

        def end() -> None:
            self._release()
            try:
                result = work()
            except Exception as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)

        loop.call_later(self.service_s, end)
        return answer

    def _row(self, user_id: int) -> tuple[Any, ...] | None:
        sql = "SELECT id, username, email, version FROM users WHERE id = ?"
        try:
            row: tuple[Any, ...] | None = self._sql.execute(sql, (user_id,)).fetchone()
        except OverflowError:  # more than 64 bits: nobody has that number
            return None
        except Exception:
            self._release()
            raise
        return row

    def _write(self, user_id: int, email: str | None) -> int:
        self._commit += 1
        self._history.setdefault(user_id, []).append((self._commit, asyncio.get_running_loop().time()))
        self._sql.execute(
            "UPDATE users SET email = ?, version = ? WHERE id = ?",
            (email or f"user_{user_id}@v{self._commit}.example.com", self._commit, user_id),
        )
        return self._commit
