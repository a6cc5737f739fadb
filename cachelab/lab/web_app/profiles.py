"""The database of chapter 15: users in an SQLite file, sessions that can be closed, and an outbox.

Problem: a service opens a session of the database for a request and closes it at the end of the request. What uses the
    session later fails, and a database that has no sessions cannot show it.
Idea: a session is a real connection to a real file. A query takes `service_s` seconds of the loop's clock, and at most
    `connections` of them run at once, so the database has a capacity and a queue, as `lab.SlowDatabase` does.
Guarantee: a query of a closed session raises SQLite's own error. A write and its note in the outbox are committed
    together, or neither is. The row is read at the end of the service.
Not guaranteed: anything that a real disk or lock would do. A commit may not survive a power failure. Every process
    counts its own connections.
Cost: opening an SQLite file for each session, a tenth of a millisecond.
Source: the outbox is that of Richardson, "Microservices Patterns", chapter 3 (transactional outbox).
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import weakref
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from cachelab.entry import ABSENT, Absent

__all__ = ["Note", "Profile", "ProfileDatabase", "Session"]


class Profile(msgspec.Struct, frozen=True):
    """A user's row."""

    id: int
    username: str
    email: str


class Note(NamedTuple):
    """A line of the outbox: this user was written, and the caches have still to be told."""

    number: int
    user_id: int


class Session:
    """A connection to the database, which the request or the load that opened it closes. `session()` opens it."""

    def __init__(self, database: ProfileDatabase, connection: sqlite3.Connection) -> None:
        self._database, self._connection = database, connection

    async def fetch_user(self, user_id: int) -> Profile | Absent:
        """The user's row, or `ABSENT`. Raises sqlite3.ProgrammingError if the session was closed meanwhile."""
        self._database.reads += 1
        async with self._database._free:
            await asyncio.sleep(self._database.service_s)
            row = self._connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
        return ABSENT if row is None else Profile(*row)


class ProfileDatabase:
    """Users 1 to `users` in the SQLite file `path`; by default a file of its own, which is deleted with this object.

    It serves `connections` queries at a time, and each takes `service_s` seconds, which may be changed meanwhile.

    `reads`    how many users were asked for, through this object
    `commits`  for each user that was written through this object: the second of each commit, and the new address
    """

    def __init__(
        self, path: str | Path | None = None, *, users: int = 1_000, connections: int = 8, service_s: float = 0.05
    ) -> None:
        if path is None:
            folder = tempfile.mkdtemp(prefix="cachelab-")
            weakref.finalize(self, _remove, folder)
            path = Path(folder) / "users.db"
        self.path = str(path)
        self.service_s = service_s
        self.reads = 0
        self.commits: dict[int, list[tuple[float, str]]] = defaultdict(list)
        self._free = asyncio.Semaphore(connections)
        with closing(self._connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, username TEXT, email TEXT)")
            # AUTOINCREMENT: no number is used twice. Else whoever has just delivered a note could drop a newer one.
            connection.execute(
                "CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER)"
            )
            rows = ((number, f"user_{number}", f"user_{number}@example.com") for number in range(1, users + 1))
            connection.executemany("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", rows)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session, which is closed at the end of the block."""
        with closing(self._connect()) as connection:
            yield Session(self, connection)

    async def fetch_user(self, user_id: int) -> Profile | Absent:
        """The user's row, or `ABSENT`, read in a session of its own."""
        with self.session() as session:
            return await session.fetch_user(user_id)

    async def update_user(self, user_id: int, email: str) -> None:
        """Change the address, and leave a note in the outbox, in one transaction."""
        async with self._free:
            await asyncio.sleep(self.service_s)
            with closing(self._connect()) as connection, connection:
                connection.execute("UPDATE users SET email = ? WHERE id = ?", (email, user_id))
                connection.execute("INSERT INTO outbox (user_id) VALUES (?)", (user_id,))
        self.commits[user_id].append((asyncio.get_running_loop().time(), email))

    def notes(self, user_id: int | None = None) -> list[Note]:
        """What the outbox holds, or holds of this user, the oldest first. It takes no time here."""
        query = "SELECT number, user_id FROM outbox WHERE user_id = coalesce(?, user_id) ORDER BY number"
        with closing(self._connect()) as connection:
            return [Note(*row) for row in connection.execute(query, (user_id,))]

    def drop_note(self, number: int) -> None:
        """Remove a note whose work is done."""
        with closing(self._connect()) as connection, connection:
            connection.execute("DELETE FROM outbox WHERE number = ?", (number,))

    def stale_s(self, user_id: int, email: str, at: float) -> float:
        """For how many seconds, at the time `at`, this address had no longer been the user's; 0.0 if it still was."""
        commits = self.commits.get(user_id, [])
        last = max((when for when, written in commits if written == email and when <= at), default=-1.0)
        newer = bisect_right(commits, last, key=lambda commit: commit[0])
        return max(0.0, at - commits[newer][0]) if newer < len(commits) else 0.0

    def _connect(self) -> sqlite3.Connection:
        # The garbage collector may close a connection in another thread.
        connection = sqlite3.connect(self.path, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")  # a commit does not wait for the disk
        return connection


def _remove(folder: str) -> None:
    for file in Path(folder).iterdir():
        file.unlink()
    Path(folder).rmdir()
