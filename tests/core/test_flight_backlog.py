"""What an attack with distinct unknown ids does to an origin, and which cure ends when the attack ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cachelab import CacheError, Flight
from tests.support.fakes import in_virtual_time, now, until


class Refused(CacheError):
    """The bulkhead is full."""


class Database:
    """It answers 40 queries a second, four at a time, and every one that it has taken: also when nobody waits for it.

    There are three ways to load a key from it: as it is, with a time-out of a second, and through a bulkhead of 20.
    """

    def __init__(self) -> None:
        self.connections, self.inside = asyncio.Semaphore(4), 0
        self.queries: set[asyncio.Task[Any]] = set()

    async def load(self, key: int) -> int:
        async with self.connections:
            await asyncio.sleep(0.1)
        return key

    async def load_with_time_out(self, key: int) -> int:
        query = asyncio.create_task(self.load(key))
        self.queries.add(query)
        query.add_done_callback(self.queries.discard)
        async with asyncio.timeout(1.0):
            return await asyncio.shield(query)

    async def load_with_bulkhead(self, key: int) -> int:
        if self.inside == 20:
            raise Refused
        self.inside += 1
        try:
            return await self.load(key)
        finally:
            self.inside -= 1


async def answered(flight: Flight, load: Callable[[int], Awaitable[int]], keys: range) -> int:
    """How many users, 30 a second with a key each, have an answer within a second. Each tries up to three times."""

    async def user(key: int) -> bool:
        began = now()
        for _ in range(3):
            try:
                await flight.do(key, load)
            except (TimeoutError, Refused):
                continue
            return now() <= began + 1.0
        return False

    users = []
    for key in keys:
        users.append(asyncio.create_task(user(key)))
        await asyncio.sleep(1 / 30)
    return sum(await asyncio.gather(*users))


@pytest.mark.parametrize(
    ("cure", "soon", "late"), [("load", 0, 300), ("load_with_time_out", 0, 0), ("load_with_bulkhead", 300, 300)]
)
@in_virtual_time
async def test_a_backlog_of_loads_stays_when_an_attack_has_ended(cure: str, soon: int, late: int) -> None:
    """For three seconds 150 unknown ids come each second, and then 30 users a second, which the origin can answer.

    With a bulkhead all of them are answered in time, with a flight alone only those that come much later, and with a
    time-out none.
    """
    flight, load = Flight(), getattr(Database(), cure)
    attack = []
    for number in range(450):
        attack.append(asyncio.create_task(flight.do(-1 - number, load)))
        await asyncio.sleep(1 / 150)
    await until(4.0)
    assert await answered(flight, load, range(300)) == soon
    await answered(flight, load, range(300, 1_200))
    assert await answered(flight, load, range(1_200, 1_500)) == late
    await asyncio.wait(attack)
    await flight.aclose()
    for each in attack:
        each.exception()
