"""The slow database: real SQLite rows behind a pool of connections, so that queries queue under too much load.

Problem: a stampede does harm because the origin has a capacity. A loader that only sleeps has none.
Idea: C connections, each busy for `service_s` seconds per query, and one queue in order of arrival: the capacity is
    C / service_s queries per second. Every write draws the next commit number, and every row carries the number of the
    commit that wrote it. So each answer can be scored: it was the latest, or out of date for so many seconds.
Guarantee: there are never more than C queries in service. A read sees the row as it is when its service begins, and a
    write is visible when its service ends. A write that changes no row commits nothing; the number that it drew is
    never used. A cancelled caller does not free its connection early: the query goes on.
Not guaranteed: anything that a real query planner, disk or lock would do. Service times are constant.
Cost: one SQLite statement and one timer for each query.
Source: the rows are the UserProfile of the article that the course tests (see the glossary in chapter 0);
    the queue is the textbook's G/D/C.
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

INSERT = "INSERT INTO users VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user's row, as in the article, with the number of the commit that wrote it (0: it was there from the start)."""

    id: int
    username: str
    email: str
    commit: int = 0


@dataclass(slots=True)
class Query:
    """One query: what it did to which user, for which request of `replay` (None outside one), and when.

    The times are seconds on the loop's clock: it was `asked`, its service `began`, and its service `ended`.
    """

    kind: Kind
    key: int
    request: int | None
    asked: float
    began: float
    ended: float


class SlowDatabase:
    """Users 1 to `users` in SQLite. It serves `connections` queries at a time, and each takes `service_s` seconds.

    `queries` holds every query whose service has begun, in that order. `service_s` may be changed during a scenario.

    Raises ValueError if there is not at least 1 user and 1 connection, or if `service_s` is not above 0.
    """

    def __init__(self, *, users: int = 1_000, connections: int = 8, service_s: float = 0.05) -> None:
        if users < 1 or connections < 1 or connections != int(connections) or not service_s > 0:
            raise ValueError("A database needs at least 1 user, 1 connection and a service time above 0 seconds.")
        self.connections = connections
        self.service_s = service_s
        self.queries: list[Query] = []
        self._free = connections
        self._queue: deque[asyncio.Future[None]] = deque()  # the queries without a connection, and some cancelled ones
        self._waiting = 0
        self._table = _Table(users)

    @property
    def capacity(self) -> float:
        """How many queries it can serve per second: `connections` / `service_s`."""
        return self.connections / self.service_s

    @property
    def waiting(self) -> int:
        """How many queries wait for a connection now. A caller that is cancelled waits until its task has run."""
        return self._waiting

    async def fetch_user(self, user_id: int) -> UserProfile | Absent:
        """The user's row as it is when the service begins, or `ABSENT` if there is none."""
        asked = await self._take_connection()
        try:
            row = self._table.row(user_id)
        except Exception:
            self._release()
            raise
        return await self._serve("read", user_id, asked, lambda: ABSENT if row is None else UserProfile(*row))

    async def update_user(self, user_id: int, email: str | None = None) -> int:
        """Give the user a new e-mail address, by default one that holds the commit number; return that number.

        Return 0 if there is no such user: then nothing is written, and nothing commits. A write commits also if its
        caller is cancelled while it is in service. The caller does not learn of the commit.
        """
        asked = await self._take_connection()
        return await self._serve("write", user_id, asked, lambda: self._table.update(user_id, email))

    async def add_user(self, user_id: int, email: str | None = None) -> int:
        """Add a user, by default with an e-mail address such as all users have at first; return the commit number.

        Raises TypeError unless the id is an int, and ValueError at the end of the service if it has more than 64 bits
        or there is such a user already.
        """
        if not isinstance(user_id, int):  # for None, SQLite would choose an id
            raise TypeError(f"A user's id is an int, not {user_id!r}.")
        asked = await self._take_connection()
        return await self._serve("write", user_id, asked, lambda: self._table.add(user_id, email))

    def stale_s(self, user_id: int, commit: int, at: float) -> float:
        """How long, in seconds, `commit` had been out of date for this user at the time `at`; 0.0 if it was not.

        For an answer that was `ABSENT`, give 0: it is out of date from the commit that adds the user.
        """
        history = self._table.history.get(user_id)
        if history is None:
            return 0.0
        newer = bisect_right(history, commit, key=lambda item: item[0])
        return max(0.0, at - history[newer][1]) if newer < len(history) else 0.0

    async def _take_connection(self) -> float:
        """Wait for a connection, in order of arrival; return the time at which the waiting began."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        if self._free:
            self._free -= 1
            return asked
        turn = loop.create_future()
        self._queue.append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting -= 1
            else:  # the connection had just been handed over: pass it on
                self._release()
            raise
        return asked

    def _release(self) -> None:
        """Hand the connection to the first query in the queue that has not been cancelled."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                self._waiting -= 1
                turn.set_result(None)
                return
        self._free += 1

    def _serve(self, kind: Kind, key: int, asked: float, work: Callable[[], T]) -> asyncio.Future[T]:
        """Keep the connection busy for the service time, then do the work, also if the caller no longer waits."""
        loop = asyncio.get_running_loop()
        request = current_request.get()
        if request is not None:
            request.queries += 1
        now = loop.time()
        self.queries.append(Query(kind, key, request.number if request else None, asked, now, now + self.service_s))
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


class _Table:
    """The rows in SQLite, which take no time here, and the commits that wrote them.

    `history`   for each user that was written, the number and the moment of each commit, in order
    """

    def __init__(self, users: int) -> None:
        self.history: dict[int, list[tuple[int, float]]] = {}
        self._commit = 0
        # The garbage collector may close the connection in another thread.
        self._sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._sql.close)
        self._sql.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, email TEXT, version INTEGER)")
        self._sql.execute("BEGIN")
        self._sql.executemany(INSERT, ((i, f"user_{i}", f"user_{i}@example.com", 0) for i in range(1, users + 1)))
        self._sql.execute("COMMIT")

    def row(self, user_id: int) -> tuple[Any, ...] | None:
        """The user's row, or None if there is none."""
        sql = "SELECT id, username, email, version FROM users WHERE id = ?"
        try:
            row: tuple[Any, ...] | None = self._sql.execute(sql, (user_id,)).fetchone()
        except OverflowError:  # an id of more than 64 bits: there is no such user
            return None
        return row

    def update(self, user_id: int, email: str | None) -> int:
        """The number of the commit, or 0 if there is no such user."""
        self._commit += 1
        if email is None:
            email = f"user_{user_id}@v{self._commit}.example.com"
        sql = "UPDATE users SET email = ?, version = ? WHERE id = ?"
        return self._write(user_id, sql, (email, self._commit, user_id))

    def add(self, user_id: int, email: str | None) -> int:
        """The number of the commit. Raises ValueError if there can be no such row, or there is one."""
        self._commit += 1
        name = f"user_{user_id}"
        row = (user_id, name, f"{name}@example.com" if email is None else email, self._commit)
        try:
            commit = self._write(user_id, INSERT, row)
        except sqlite3.IntegrityError:
            raise ValueError(f"There is a user {user_id} already; update_user changes a user.") from None
        if not commit:
            raise ValueError(f"A user's id has at most 64 bits: there can be no user {user_id}.")
        return commit

    def _write(self, user_id: int, sql: str, values: tuple[Any, ...]) -> int:
        """Run the statement; return the number of its commit, or 0 if it changed no row."""
        try:
            changed = self._sql.execute(sql, values).rowcount
        except OverflowError:  # an id of more than 64 bits: there is no such user
            return 0
        if not changed:
            return 0
        self.history.setdefault(user_id, []).append((self._commit, asyncio.get_running_loop().time()))
        return self._commit
