"""The database of chapter 15: its sessions, its queue, and its outbox."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from cachelab import ABSENT
from cachelab.lab.web_app.profiles import Note, Profile, ProfileDatabase
from tests.support.fakes import in_virtual_time, now


@in_virtual_time
async def test_a_query_of_a_session_that_was_closed_fails() -> None:
    """The error is SQLite's own."""
    db = ProfileDatabase()
    with db.session() as session:
        assert await session.fetch_user(7) == Profile(7, "user_7", "user_7@example.com")
        load = asyncio.create_task(session.fetch_user(7))
        await asyncio.sleep(0.01)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        await load


@in_virtual_time
async def test_queries_queue_for_the_connections() -> None:
    """Ten queries, four at a time, take three service times. An unknown user is absent."""
    db = ProfileDatabase(users=10, connections=4, service_s=0.5)
    answers = await asyncio.gather(*(db.fetch_user(user_id) for user_id in range(2, 12)))
    assert (now(), answers.index(ABSENT), db.reads) == (1.5, 9, 10)


@in_virtual_time
async def test_a_write_leaves_a_note_until_it_is_dropped() -> None:
    """Row and note are there together. How long an old answer has been wrong is reckoned from the commit."""
    db = ProfileDatabase(service_s=1.0)
    await db.update_user(7, "new@example.com")
    await db.update_user(8, "new@example.com")
    assert (db.notes(), db.notes(8)) == ([Note(1, 7), Note(2, 8)], [Note(2, 8)])
    db.drop_note(1)
    assert db.notes() == [Note(2, 8)]
    assert (db.stale_s(7, "user_7@example.com", 3.5), db.stale_s(7, "new@example.com", 3.5)) == (2.5, 0.0)
    assert db.stale_s(9, "user_9@example.com", 3.5) == 0.0


@in_virtual_time
async def test_no_number_of_a_note_is_used_twice() -> None:
    """Two workers deliver one note. The slower of them drops it after a new one was written: that one stays."""
    db = ProfileDatabase()
    await db.update_user(7, "new@example.com")
    db.drop_note(1)
    await db.update_user(8, "new@example.com")
    db.drop_note(1)
    assert db.notes() == [Note(2, 8)]


@in_virtual_time
async def test_two_processes_may_open_one_file(tmp_path: Path) -> None:
    """The second one finds what the first has written, and removes nothing."""
    one = ProfileDatabase(tmp_path / "users.db")
    await one.update_user(7, "new@example.com")
    two = ProfileDatabase(tmp_path / "users.db")
    found = await two.fetch_user(7)
    assert isinstance(found, Profile)
    assert (found.email, two.notes()) == ("new@example.com", [Note(1, 7)])


@in_virtual_time
async def test_its_own_file_goes_with_it() -> None:
    """A database without a path leaves nothing behind."""
    db = ProfileDatabase()
    folder = Path(db.path).parent
    assert folder.exists()
    del db
    assert not folder.exists()
